"""Who may log in: the bearer of a one-time link, and nobody else unless OIDC is set up."""

from __future__ import annotations

from html import escape
from typing import Any

from jupyterhub.auth import Authenticator
from oauthenticator.generic import GenericOAuthenticator
from traitlets import Instance

from autonoe.embedded.layout import Layout
from autonoe.embedded.links import Ticket
from autonoe.embedded.login_names import login_name
from autonoe.embedded.uids import account_exists, require_separation
from autonoe.errors import AutonoeError
from autonoe_hub import pages
from autonoe_hub.handlers import LinkHandler
from autonoe_hub.messages import CATALOGUE
from autonoe_hub.profile_list import profile_list


def _login_text() -> str:
    # The page is drawn without the request's language at hand, so it says it in each.
    parts = []
    for language, text in CATALOGUE.items():
        parts.append(
            f'<div lang="{language}" class="mb-4"><h1 class="h3">{escape(text["login_title"])}</h1>'
            f"<p>{escape(text['login_text'])}</p>"
            '<pre class="p-3 border rounded"><code>autonoe up</code></pre>'
            f"<p>{escape(text['login_shared'])}</p></div>"
        )
    return f'<div class="by-language mx-auto" style="max-width: 40rem">{"".join(parts)}</div>'


def _by_link(authentication: Any) -> bool:
    return bool(authentication) and (authentication.get("user_info") or {}).get("login") == "link"


class LinkAuthenticator(Authenticator):  # type: ignore[misc]  # the base publishes no types
    """Deny by default: a session comes from a ticket that the platform minted."""

    layout = Instance(Layout, help="The platform's data folder.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.any_allow_config = True  # the allow rule is check_allowed below

    def normalize_username(self, username: str) -> str:
        """Return the form in which names are compared; "" (refused) for an impossible one."""
        try:
            return login_name(username)
        except AutonoeError:
            return ""

    def get_handlers(self, app: Any) -> list[Any]:
        """Add ``/hub/link``, and the hub's pages as ours."""
        return [
            *pages.handlers(profile_list(*self.layout.site)),
            *super().get_handlers(app),
            ("/link", LinkHandler, {"layout": self.layout}),
        ]

    def get_custom_html(self, base_url: str) -> str:
        """Return the login page's text: there is no form to fill in."""
        return _login_text()

    async def authenticate(self, handler: Any, data: Any, **kwargs: Any) -> Any:
        """Accept a redeemed :class:`Ticket`, which no form and no header can bring along."""
        ticket = data.get("ticket") if isinstance(data, dict) else None
        if isinstance(ticket, Ticket):
            return {"name": ticket.account, "groups": None, "user_info": {"login": "link"}}
        return await self._authenticate_otherwise(handler, data, **kwargs)

    async def _authenticate_otherwise(self, handler: Any, data: Any, **kwargs: Any) -> Any:
        return None

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Allow the bearer of a link whose account still exists."""
        return _by_link(authentication) and account_exists(self.layout, username)


class OidcAuthenticator(LinkAuthenticator, GenericOAuthenticator):  # type: ignore[misc]
    """OIDC login beside the one-time links, which keep working when the provider does not."""

    def get_custom_html(self, base_url: str) -> str:
        """Return "" so that the page shows the provider's button."""
        return ""

    async def _authenticate_otherwise(self, handler: Any, data: Any, **kwargs: Any) -> Any:
        model = await GenericOAuthenticator.authenticate(self, handler, data, **kwargs)
        return model and {**model, "user_info": {"login": "oidc"}}

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Allow a link's bearer, or a person of an allowed group for whom there is room."""
        if _by_link(authentication):
            return await super().check_allowed(username, authentication)
        if not await GenericOAuthenticator.check_allowed(self, username, authentication):
            return False
        try:
            require_separation(self.layout, username)
        except AutonoeError as error:
            self.log.warning("Login of %r refused: %s", username, error.message)
            return False
        return True
