"""The ASGI application: what the processes of a server run, and tests run in theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from autonoe_nace.serving.errors import ServingError, error_parts
from autonoe_nace.serving.exchange import Endpoint, Gate, Handler
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.insee import InseeRoutes
from autonoe_nace.serving.keyring import KeyRing
from autonoe_nace.serving.metrics import ServingMetrics
from autonoe_nace.serving.native import NativeRoutes
from autonoe_nace.serving.openapi import Description
from autonoe_nace.serving.predictor import Predictor
from autonoe_nace.serving.pseudonyms import fetch_key
from autonoe_nace.serving.routes import ROUTES
from autonoe_nace.serving.schema import LogsOut
from autonoe_nace.serving.served_log import ServedLog
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.shipping import LogShipper
from autonoe_nace.serving.short_route import ShortRoute
from autonoe_nace.serving.usage import Limits, UsageTable

_SAVE_USAGE_S = 10.0


class Common:
    """What all processes of one server share: counts, limits, metrics. Made before they part.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    rows : int
        Processes that can live at once.
    """

    def __init__(self, settings: ServingSettings, *, rows: int = 1) -> None:
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.metrics = ServingMetrics([route.path for route in ROUTES], rows=rows)
        self.usage = UsageTable(settings.state_dir / "usage.json")
        if settings.pseudonymise and settings.pseudonym_secret:
            fetch_key(settings.deployment, settings.state_dir / "logs")


class ServingApp:
    """One model behind HTTP.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    holder : ModelHolder, optional
        With a model loaded already; by default the app loads it in the background and answers
        503 ``model_unavailable`` until then.
    common : Common, optional
        Shared with other processes, one of which then follows the alias and sends the logs; by
        default this app is alone, and does so itself.
    """

    def __init__(
        self,
        settings: ServingSettings,
        holder: ModelHolder | None = None,
        common: Common | None = None,
    ) -> None:
        self.settings = settings
        self.holder = holder or ModelHolder(settings)
        self._alone = common is None
        self._common = common or Common(settings)
        self.metrics = self._common.metrics
        limits = Limits(settings.rate_per_s, settings.burst, settings.records_per_day)
        self.gate = Gate(KeyRing(settings.key_file, limits), self._common.usage, self.metrics)
        self.log = ServedLog(settings, self.metrics)
        self.shipper = (
            LogShipper(self.log, settings.logs_to, part=settings.logs_part)
            if settings.logs_to and self._alone
            else None
        )
        self.predictor = Predictor(settings, self.log, self.metrics)

    def asgi(self) -> Front:
        """Return the application to give to an ASGI server."""
        native = NativeRoutes(
            self.holder,
            self.predictor,
            self._common.usage,
            self.metrics,
            threshold=self.settings.threshold,
            shipped=self._shipped if self.settings.logs_to else None,
        )
        handlers = self._handlers(native)
        endpoints = [
            Endpoint(self.gate, handlers[route.name], place, key=route.key, counted=route.counted)
            for place, route in enumerate(ROUTES)
        ]
        routes: list[BaseRoute] = [
            StarletteRoute(route.path, endpoint, methods=[route.method])
            for route, endpoint in zip(ROUTES, endpoints, strict=True)
        ]
        app = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _http_error},
        )
        app.router.redirect_slashes = False
        hot = {
            (route.method, route.path): endpoint
            for route, endpoint in zip(ROUTES, endpoints, strict=True)
        }
        (place,) = (n for n, route in enumerate(ROUTES) if route.name == "predict")
        short = ShortRoute(self.gate, native, place)
        return Front(app, hot, self.settings.root_path, {ROUTES[place].path: short})

    def _handlers(self, native: NativeRoutes) -> dict[str, Handler]:
        usage = self._common.usage
        insee = InseeRoutes(self.holder, self.predictor, usage)
        description = Description(keys=self.settings.key_file is not None)
        return {
            "predict": native.predict,
            "evaluate": native.evaluate,
            "models": native.models,
            "usage": native.usage,
            "metrics": native.metrics,
            "live": native.live,
            "ready": native.ready,
            "insee_predict": insee.predict,
            "insee_batch": insee.predict_batch,
            "insee_evaluation": insee.evaluation,
            "insee_forms": insee.predict_forms,
            "openapi": description.document,
            "docs": description.page,
        }

    def _shipped(self) -> LogsOut:
        if self.shipper is not None:
            return LogsOut(**self.shipper.counts())
        # in the order in which a line moves on, so that none is missed on its way
        waiting = self.metrics.logs()[2] + self.log.segments()
        return LogsOut(self.metrics.stored, waiting)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self.log.start(alone=self._alone)
        tasks = []
        if self._alone:
            self.metrics.set_ready()
            if self.shipper is not None:
                self.shipper.start()
            tasks = [
                asyncio.create_task(self.holder.follow()),
                asyncio.create_task(self._save_usage()),
            ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await asyncio.to_thread(self.log.stop)
            if self.shipper is not None:
                await asyncio.to_thread(self.shipper.stop)
            if self._alone:
                self._common.usage.save()

    async def _save_usage(self) -> None:
        while True:
            await asyncio.sleep(_SAVE_USAGE_S)
            await asyncio.to_thread(self._common.usage.save)


class Front:
    """Send requests to their endpoint without a router, and all others to the application.

    Takes the prefix away that the platform's proxy leaves on each path; direct calls have none.

    Attributes
    ----------
    short : dict
        Short routes by path, for :class:`~autonoe_nace.serving.protocol.ShortProtocol`.
    """

    def __init__(
        self,
        app: Starlette,
        endpoints: dict[tuple[str, str], Endpoint],
        prefix: str,
        short: dict[str, ShortRoute],
    ) -> None:
        self.app: ASGIApp = app
        self.routes = app.routes
        self._endpoints = endpoints
        self._prefix = prefix
        self._start = f"{prefix}/"
        self.short = {f"{p}{path}".encode(): to for path, to in short.items() for p in ("", prefix)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or go through the application's life."""
        if scope["type"] == "http":
            path = scope["path"]
            if self._prefix and path.startswith(self._start):
                scope = {**scope, "root_path": self._prefix}
                path = path[len(self._prefix) :]
            endpoint = self._endpoints.get((scope["method"], path))
            if endpoint is not None:
                await endpoint(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type only
    if error.status_code == 405:
        known = ServingError(
            "This path does not answer that method.",
            hint="GET /docs shows every path with its method.",
            code="method_not_allowed",
        )
    else:
        known = ServingError(
            "There is no such path.", hint="GET /docs shows every path.", code="not_found"
        )
    status, headers, body = error_parts(known)
    allowed = (error.headers or {}).get("Allow")
    extra = {"Allow": allowed} if allowed else {}
    plain = {name.decode(): value.decode() for name, value in headers}
    return Response(body, status_code=status, headers={**plain, **extra})
