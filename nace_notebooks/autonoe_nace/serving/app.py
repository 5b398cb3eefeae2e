"""The ASGI application: routes, keys, errors, metrics."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from autonoe.errors import AutonoeError
from autonoe_nace.logs.writer import PredictionLog
from autonoe_nace.serving.body import read_json_body
from autonoe_nace.serving.errors import ServingError, error_response
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.keyring import KeyRing
from autonoe_nace.serving.metrics import CONTENT_TYPE, ServingMetrics
from autonoe_nace.serving.predictor import Call, Predictor
from autonoe_nace.serving.pseudonyms import fetch_key
from autonoe_nace.serving.schema import PredictAnswer, parse_predict
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.shipping import LogShipper

_LOGGER = logging.getLogger(__name__)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True)
class Caller:
    """Who asks, under which request id, since when (``time.perf_counter``, in seconds)."""

    request_id: str
    key_id: str
    started: float


Handler = Callable[[Request, Caller], Awaitable[Response]]


class ServingApp:
    """One model behind HTTP.

    Parameters
    ----------
    settings : ServingSettings
        Frozen settings.
    holder : ModelHolder, optional
        With a model loaded already; by default the app loads it in the background and answers
        503 ``model_unavailable`` until then.
    """

    def __init__(self, settings: ServingSettings, holder: ModelHolder | None = None) -> None:
        self.settings = settings
        self.holder = holder or ModelHolder(settings)
        self.keys = KeyRing(settings.key_file)
        if settings.pseudonymise and settings.pseudonym_secret:
            fetch_key(settings.deployment, settings.state_dir / "logs")
        self.log = PredictionLog(
            settings.state_dir / "logs",
            flush_s=settings.flush_s,
            pseudonymise=settings.pseudonymise,
        )
        self.shipper = (
            LogShipper(self.log, settings.logs_to, part=settings.logs_part)
            if settings.logs_to
            else None
        )
        self.metrics = ServingMetrics(self.log)
        self.predictor = Predictor(settings, self.log)

    def asgi(self) -> ASGIApp:
        """Return the application to give to an ASGI server."""
        routes = [
            self._route("/v1/predict", self._predict, "POST", key=True),
            self._route("/v1/models", self._models, "GET", key=True),
            self._route("/metrics", self._metrics, "GET", key=True),
            self._route("/health/live", self._live, "GET", key=False),
            self._route("/health/ready", self._ready, "GET", key=False),
        ]
        app = Starlette(
            routes=routes,
            lifespan=self._lifespan,
            exception_handlers={HTTPException: _http_error, Exception: _unexpected},
        )
        return _PrefixApp(app, self.settings.root_path) if self.settings.root_path else app

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self.log.start()
        if self.shipper is not None:
            self.shipper.start()
        follower = asyncio.create_task(self.holder.follow())
        try:
            yield
        finally:
            follower.cancel()
            with suppress(asyncio.CancelledError):
                await follower
            self.predictor.close()
            await asyncio.to_thread(self.log.stop)
            if self.shipper is not None:
                await asyncio.to_thread(self.shipper.stop)

    def _route(self, path: str, handler: Handler, method: str, *, key: bool) -> Route:
        latency = self.metrics.latency.labels(path)

        async def endpoint(request: Request) -> Response:
            started = time.perf_counter()
            request_id = secrets.token_hex(16)
            try:
                # before the body is read: a stranger's megabyte costs nothing
                key_id = self.keys.key_id(request) if key else ""
                response = await handler(request, Caller(request_id, key_id, started))
            except AutonoeError as error:
                response = error_response(error, request_id=request_id)
            self.metrics.requests.labels(path, str(response.status_code)).inc()
            latency.observe(time.perf_counter() - started)
            return response

        return Route(path, endpoint, methods=[method])

    async def _predict(self, request: Request, caller: Caller) -> Response:
        wanted = parse_predict(await read_json_body(request))
        served = self.holder.current()
        call = Call(caller.request_id, caller.key_id, caller.started, wanted, served)
        results = await self.predictor.answer(call)
        failed = [result.error for result in results if result.error is not None]
        autos = sum(result.auto is True for result in results)
        self.metrics.records.labels("auto").inc(autos)
        self.metrics.records.labels("error").inc(len(failed))
        self.metrics.records.labels("review").inc(len(results) - autos - len(failed))
        if len(failed) == len(results):
            # nothing could be answered: the request as a whole failed, by its first reason
            raise ServingError(failed[0].message, hint=failed[0].hint, code=failed[0].code)
        answer = PredictAnswer(caller.request_id, served.out, self.settings.threshold, results)
        return _json(answer, caller.request_id)

    async def _models(self, _request: Request, caller: Caller) -> Response:
        model = self.holder.current().out
        document = {"models": [model], "threshold": self.settings.threshold}
        return _json(document, caller.request_id)

    async def _metrics(self, _request: Request, _caller: Caller) -> Response:
        with suppress(AutonoeError):
            self.metrics.stale.set(self.holder.current().out.stale)
        return Response(self.metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _live(self, _request: Request, caller: Caller) -> Response:
        return _json({"live": True}, caller.request_id)

    async def _ready(self, _request: Request, caller: Caller) -> Response:
        document: dict[str, object] = {"ready": True, "model": self.holder.current().out}
        if self.shipper is not None:
            document["logs"] = await asyncio.to_thread(self.shipper.counts)
        return _json(document, caller.request_id)


class _PrefixApp:
    """Take the prefix that the platform's proxy leaves on each path; direct calls have none."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(f"{self.prefix}/"):
            scope = {**scope, "root_path": self.prefix}
        await self.app(scope, receive, send)


def _json(document: object, request_id: str) -> Response:
    return Response(
        _ENCODER.encode(document),
        media_type="application/json",
        headers={"X-Request-ID": request_id},
    )


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type only
    if error.status_code == 405:
        known = ServingError(
            "This path does not answer that method.",
            hint="POST /v1/predict; all other paths answer GET.",
            code="method_not_allowed",
        )
    else:
        known = ServingError(
            "There is no such path.", hint="POST /v1/predict, GET /v1/models.", code="not_found"
        )
    return error_response(known)


async def _unexpected(_request: Request, error: Exception) -> Response:
    _LOGGER.error("Unexpected error: %s", type(error).__name__, exc_info=error)
    return error_response(
        ServingError(
            "The server failed to answer.", hint="Its log says why; try again.", code="failed"
        )
    )
