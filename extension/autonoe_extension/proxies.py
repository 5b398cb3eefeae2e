"""The MLflow pages below the person's own server: ``/user/NAME/mlflow/``.

The browser knows only its Jupyter session. This handler swaps it for the agent's pass, and the
agent for the account's MLflow password; neither ever reaches the page (ADR 0041).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_server_proxy.config import ServerProcess
from jupyter_server_proxy.handlers import NamedLocalProxyHandler
from tornado import web
from tornado.httputil import HTTPHeaders
from traitlets.config import Config

from autonoe.credentials.agent import CredentialAgent

ICON = Path(__file__).parent / "icons" / "mlflow.svg"
PREFIX = "/mlflow"
"""Where the agent serves MLflow."""
RESOURCE = "autonoe"
"""What an authorizer is asked about, as for the other routes."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What belongs to the Jupyter session or says that a browser asks: the agent refuses browsers, and
# MLflow, which knows no public name, would take its own pages for foreign ones.
_PRIVATE_HEADERS = frozenset({"cookie", "authorization", "origin", "referer", "x-xsrftoken"})
_BROWSER_PREFIX = "sec-"


class MlflowProxyHandler(NamedLocalProxyHandler):  # type: ignore[misc]  # untyped package
    """Forwards to the agent's ``/mlflow``, for the owner of the server and from its own pages."""

    async def prepare(self, *args: Any, **kwargs: Any) -> None:
        """Refuse a change that another site's page asks for; the session's cookie would allow it.

        MLflow's scripts cannot send Jupyter's ``_xsrf`` value, so the origin has to do.
        """
        await super().prepare(*args, **kwargs)
        action = "read" if self.request.method in _SAFE_METHODS else "write"
        if action == "write" and not self._same_origin():
            raise web.HTTPError(403, "A page of another site asked for this change.")
        # The proxy asks for a login only; the server's authorizer decides here as elsewhere.
        if not self.authorizer.is_authorized(self, self.current_user, action, RESOURCE):
            raise web.HTTPError(403, f"This account may not {action} MLflow here.")

    def _same_origin(self) -> bool:
        site = self.request.headers.get("Sec-Fetch-Site")
        if site is not None:
            return bool(site == "same-origin")
        origin = self.request.headers.get("Origin")
        # A program with a token is not a browser: it has no cookie that a page could misuse.
        return bool(self.token_authenticated) if origin is None else self._is_own(origin)

    def _is_own(self, origin: str) -> bool:
        return urlsplit(origin).netloc.lower() == str(self.request.host).lower()

    def proxy_request_headers(self) -> HTTPHeaders:
        """Return the request's headers without the Jupyter session, with the agent's pass."""
        headers = HTTPHeaders()
        for name, value in self.request.headers.get_all():
            if name.lower() not in _PRIVATE_HEADERS and not name.lower().startswith(
                _BROWSER_PREFIX
            ):
                headers.add(name, value)
        headers.update(self.get_request_headers_override())
        return headers


class MlflowServer(ServerProcess):  # type: ignore[misc]  # untyped package
    """The named server ``mlflow``: always there, never started by the proxy."""

    def get_proxy_base_class(self) -> tuple[type, dict[str, Any]]:
        """Return our handler instead of the plain one."""
        return MlflowProxyHandler, {}


def server_config(agent: CredentialAgent | None) -> Config:
    """Return the configuration that gives ``jupyter_server_proxy`` the MLflow pages, if any."""
    config = Config()
    if agent is None:
        return config
    address = urlsplit(agent.url)
    config.ServerProxy.servers = {
        "mlflow": MlflowServer(
            name="mlflow",
            port=address.port,
            mappath=_map_path,
            request_headers_override=_pass_headers(agent, address.netloc),
            rewrite_response=_drop_cookies,
            launcher_entry={
                "title": "MLflow",
                "path_info": "mlflow/",
                "icon_path": str(ICON),
                # Lab draws a picture only on the cards of its two kernel categories.
                "category": "Notebook",
            },
        )
    }
    return config


def _map_path(path: str) -> str:
    return PREFIX + path


def _pass_headers(agent: CredentialAgent, netloc: str) -> Callable[[], dict[str, str]]:
    def headers() -> dict[str, str]:
        token = agent.token_file.read_text(encoding="utf-8").strip()
        return {"Host": netloc, "Authorization": f"Bearer {token}"}

    return headers


def _drop_cookies(response: Any) -> None:
    """Keep MLflow's cookies off the Jupyter origin, where they would meet Jupyter's own."""
    response.headers.pop("Set-Cookie", None)
