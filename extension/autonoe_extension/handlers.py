"""The REST routes of the extension; thin, each one asks the manager."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from autonoe.errors import AutonoeError, ForbiddenError, InvalidInputError
from autonoe_extension.manager import PlatformManager
from autonoe_extension.profile_view import profile_view

RESOURCE = "autonoe"

_HTTP_STATUS = {
    "invalid_input": HTTPStatus.BAD_REQUEST,
    "not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "forbidden": HTTPStatus.FORBIDDEN,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The one table from an error's code to HTTP; all others are 500."""


class AutonoeHandler(ExtensionHandlerMixin, APIHandler):
    """Gives every route the one public error form and the manager."""

    _track_activity = False
    """An open panel asks now and then; that must not keep an idle server alive."""

    @property
    def manager(self) -> PlatformManager:
        """The one manager of this server."""
        manager = self.settings["autonoe_manager"]
        assert isinstance(manager, PlatformManager)  # noqa: S101  set by our own extension
        return manager

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer ``{"error": {"code", "message", "hint"}}``; never a traceback."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, AutonoeError):
            self.set_status(_HTTP_STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR))
            document = error.as_dict()
        else:
            phrase = HTTPStatus(status_code).phrase
            code = phrase.lower().replace(" ", "_").replace("-", "_")
            document = {"error": {"code": code, "message": f"{phrase}.", "hint": ""}}
        self.set_header("Content-Type", "application/json")
        self.finish(document)

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Log an expected error as one line."""
        if isinstance(value, AutonoeError):
            self.log.info("Autonoe: %s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(kind, value, trace)

    def refuse_arguments(self) -> None:
        """Raise InvalidInputError if the request has a query: a typing error is not ignored."""
        if self.request.query_arguments:
            names = ", ".join(sorted(self.request.query_arguments))
            raise InvalidInputError(
                f"{self.request.path} takes no arguments; got {names}.",
                hint="Ask again without them.",
            )


class ClosedPortHandler(AutonoeHandler):
    """Refuses ``/proxy/...`` before jupyter-server-proxy sees it.

    Its host allow-list covers ``/proxy/HOST:PORT/`` and not ``/proxy/PORT/`` (read in 4.6).
    """

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse every verb, websockets included."""
        await super().prepare()
        raise ForbiddenError(
            "Ports of this machine are not shown as pages of your server: another account could "
            "listen there.",
            hint="Deploy the application, or see AutonoeExtension.open_ports in the documentation.",
        )


class StatusHandler(AutonoeHandler):
    """``GET /autonoe/status``: account, session and components as this server sees them."""

    @web.authenticated
    @authorized("read", resource=RESOURCE)  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer the state as JSON, without any secret."""
        self.refuse_arguments()
        self.finish(await asyncio.to_thread(self.manager.status))


class ProfileHandler(AutonoeHandler):
    """``GET /autonoe/profile``: what this server is, how it started, what else there is."""

    @web.authenticated
    @authorized("read", resource=RESOURCE)  # type: ignore[untyped-decorator]
    async def get(self) -> None:
        """Answer the state as JSON, without any secret."""
        self.refuse_arguments()
        view = await asyncio.to_thread(profile_view)
        self.finish({**view, "start": view["running"]["start"]})
