"""``/hub/link?ticket=…&next=…``: the one-time link that a person is given."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from tornado.httputil import HTTPServerRequest, url_concat

from autonoe.embedded import links
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError
from autonoe.names import normalise_name
from autonoe_hub.messages import messages
from autonoe_hub.next_url import local_path

_SWITCH_TTL_S = 300


def take_ticket(request: HTTPServerRequest) -> str:
    """Return the ticket of ``request``, taken out of all that a log line could be made of."""
    values = request.arguments.pop("ticket", [])
    request.query_arguments.pop("ticket", None)
    request.body_arguments.pop("ticket", None)
    path, _, query = (request.uri or "").partition("?")
    kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k != "ticket"]
    request.query = urlencode(kept)
    request.uri = f"{path}?{request.query}" if kept else path
    return values[-1].decode("ascii", "replace") if values else ""


class LinkHandler(BaseHandler):  # type: ignore[misc]  # the base publishes no types
    """Turn a ticket into a session, once."""

    def initialize(self, layout: Layout) -> None:
        """Take the ticket out of the request before anything can log it."""
        self.layout = layout
        self.ticket = take_ticket(self.request)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")

    async def get(self) -> None:
        """Log the ticket's account in; ask first when another account is signed in here."""
        redeemed = await asyncio.to_thread(links.redeem, self.layout, self.ticket)
        if redeemed is None:
            await self._refuse()
            return
        account = normalise_name(redeemed.account)
        target = local_path(self.get_query_argument("next", "")) or local_path(redeemed.next_path)
        # JupyterHub's own rule for the next address is laxer, so it must not see this one.
        self.request.arguments.pop("next", None)
        current = self.current_user
        if current is not None and current.name != account:
            # The ticket is spent; the form carries a new one.
            await self._ask(current.name, account, target)
            return
        user = await self.login_user({"ticket": redeemed})
        if user is None:
            await self._refuse()
            return
        self.redirect(self._through_start(user, target) if target else self.get_next_url(user))

    def _through_start(self, user: Any, target: str) -> str:
        """Return ``target``, by way of the server's start when it lies in one that does not run.

        JupyterHub answers a page of a stopped server with a question; a link that ``autonoe nace
        demo`` prints must simply open.
        """
        if user.running or not target.startswith(user.url):
            return target
        return str(url_concat(url_path_join(self.hub.base_url, "spawn"), {"next": target}))

    async def post(self) -> None:
        """Sign the present account out, then follow the link (the form of the question above)."""
        ticket = take_ticket(self.request)  # of the form, which was not read yet at initialize
        if not ticket:
            await self._refuse()
            return
        self.clear_login_cookie()
        query = {"ticket": ticket}
        if target := local_path(self.get_body_argument("next", "")):
            query["next"] = target
        # A request of its own: the old session's identifier must not enter the new one.
        self.redirect(url_concat(url_path_join(self.hub.base_url, "link"), query))

    async def _ask(self, current: str, account: str, target: str) -> None:
        fresh = await asyncio.to_thread(
            links.mint, self.layout, account, ttl_s=_SWITCH_TTL_S, next_path=target
        )
        await self._show("switch", current=current, account=account, ticket=fresh, next=target)

    async def _refuse(self) -> None:
        self.set_status(403)
        await self._show("used")

    async def _show(self, kind: str, **values: str) -> None:
        catalogue = messages(self.request.headers.get("Accept-Language", ""))
        names = {k: values[k] for k in ("current", "account") if k in values}
        text = {
            key.removeprefix(f"{kind}_"): message.format(**names) if names else message
            for key, message in catalogue.items()
            if key.startswith(f"{kind}_")
        }
        html: Any = await self.render_template(
            "link.html",
            kind=kind,
            text=text,
            xsrf=self.xsrf_token.decode("ascii"),
            home=url_path_join(self.hub.base_url, "home"),
            action=url_path_join(self.hub.base_url, "link"),
            **values,
        )
        self.finish(html)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log an expected error in one line; it carries no ticket."""
        if isinstance(value, AutonoeError):
            self.log.warning("%s: %s", value.code, value.message)
            return
        super().log_exception(typ, value, tb)
