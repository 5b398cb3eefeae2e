"""The hub's pages in the reader's language, and the counts that the start form asks for."""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers import APIHandler
from jupyterhub.handlers import BaseHandler
from jupyterhub.handlers.login import LoginHandler
from jupyterhub.handlers.pages import HomeHandler, SpawnHandler, SpawnPendingHandler
from jupyterhub.utils import url_path_join
from tornado import web

from autonoe.errors import AutonoeError
from autonoe.profiles.compile import panel_view
from autonoe_hub import brand
from autonoe_hub.form import asks_for_form
from autonoe_hub.page_words import LANGUAGES, Speaker, choose_language
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

    async def _get(self, user_name: str, server_name: str, display_name: str) -> None:
        user = self.current_user
        own = user_name == user.name and not server_name and not self.allow_named_servers
        if own and user.running and asks_for_form(self.request.query_arguments):
            # JupyterHub would go back to the running server, as if nothing had been asked.
            self.finish(await self._offer_to_stop(user))
            return
        await super()._get(user_name, server_name, display_name)

    async def _offer_to_stop(self, user: Any) -> str:
        page: str = await self.render_template(
            "switch.html",
            server_url=user.server_url(""),
            api_url=url_path_join(self.hub.base_url, "api/users", user.escaped_name, "server"),
        )
        return page

    def _get_user_options(self, query_options: dict[str, list[str]]) -> dict[str, list[str]]:
        return {}


class ProfilesRoute(APIHandler):  # type: ignore[misc]
    """``GET /hub/api/profiles``: what the person may start, for the panel in their server."""

    async def get(self) -> None:
        """Answer the profiles with what is free for each, and where to choose."""
        user = self.current_user
        if not hasattr(user, "spawner"):  # nobody, or a service
            raise web.HTTPError(403, "Profiles are those of a person who is signed in.")
        spawner = user.spawner
        try:
            catalogue = spawner.open_catalogue()
        except AutonoeError as error:
            raise web.HTTPError(503, error.message) from error
        free = {language: await spawner.free_lines(Speaker(language)) for language in LANGUAGES}
        self.finish(
            {
                "profiles": panel_view(catalogue),
                "free": free,
                "limited": spawner.mode == "kubernetes",
                "spawn_url": url_path_join(self.hub.base_url, "spawn"),
            }
        )


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
        (r"/api/profiles", ProfilesRoute),
    ]
