"""The hub's pages in the reader's language, and the counts that the start form asks for."""

from __future__ import annotations

from typing import Any

from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LoginHandler
from jupyterhub.handlers.pages import HomeHandler, SpawnHandler, SpawnPendingHandler
from tornado import web

from autonoe_hub import brand
from autonoe_hub.page_words import Speaker, choose_language
from autonoe_hub.profile_list import ProfileList


class Localised(BaseHandler):  # type: ignore[misc]  # the base publishes no types
    """Gives a page its words and the brand in the reader's language."""

    def initialize(self, profiles: ProfileList) -> None:
        """Remember where the site's settings are."""
        self.profiles = profiles

    @property
    def speaker(self) -> Speaker:
        """Says texts in the language of this request."""
        header = self.request.headers.get("Accept-Language", "")
        return Speaker(choose_language(self.profiles.site.language, header))

    @property
    def template_namespace(self) -> dict[str, Any]:
        """Add the brand to what JupyterHub gives every template."""
        namespace: dict[str, Any] = super().template_namespace
        return {**namespace, "brand": brand.view(self.profiles, self.speaker)}


class HomePage(Localised, HomeHandler):  # type: ignore[misc]
    """``/hub/home``."""


class LoginPage(Localised, LoginHandler):  # type: ignore[misc]
    """``/hub/login``."""


class PendingPage(Localised, SpawnPendingHandler):  # type: ignore[misc]
    """``/hub/spawn-pending/…``."""


class SpawnPage(Localised, SpawnHandler):  # type: ignore[misc]
    """``/hub/spawn``: a link preselects, and a person presses Start.

    JupyterHub starts a server from the query of a GET. A link on any page could then start one
    with a repository of its author's choice, in the reader's name.
    """

    def _get_user_options(self, query_options: dict[str, list[str]]) -> dict[str, list[str]]:
        return {}


class FreePage(Localised):
    """``GET /hub/profiles/free``: what is free now, beside each profile open to the person."""

    @web.authenticated
    async def get(self) -> None:
        """Answer ``{name: {"text", "warning", "fits"}}``."""
        spawner = self.current_user.spawner
        self.set_header("Cache-Control", "no-store")
        self.finish(await spawner.free_lines(self.speaker))


def handlers(profiles: ProfileList) -> list[Any]:
    """Return the routes for an authenticator's ``get_handlers``: those come before the hub's."""
    given = {"profiles": profiles}
    return [
        (r"/home", HomePage, given),
        (r"/login", LoginPage, given),
        (r"/spawn-pending/([^/]+)", PendingPage, given),
        (r"/spawn-pending/([^/]+)/([^/]+)", PendingPage, given),
        (r"/spawn", SpawnPage, given),
        (r"/spawn/([^/]+)", SpawnPage, given),
        (r"/spawn/([^/]+)/([^/]+)", SpawnPage, given),
        (r"/profiles/free", FreePage, given),
    ]
