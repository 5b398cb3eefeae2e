"""One request and its answer, as close to ASGI as can be.

A request object of a framework, its router and its middleware take longer than the checks of a
request; the hot route therefore goes without them, and the others share its one way to answer.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.types import Message, Receive, Scope, Send

from autonoe.errors import AutonoeError
from autonoe_nace.serving.body import read_json_body
from autonoe_nace.serving.errors import Headers, ServingError, error_parts
from autonoe_nace.serving.keyring import Caller, KeyRing
from autonoe_nace.serving.metrics import ServingMetrics
from autonoe_nace.serving.usage import UsageTable

_LOGGER = logging.getLogger(__name__)

encode = msgspec.json.Encoder().encode

JSON = b"application/json"
_FAILED = ServingError(
    "The server failed to answer.", hint="Its log says why; try again.", code="failed"
)


@dataclass(slots=True)
class Exchange:
    """What a handler knows about its request."""

    scope: Scope
    receive: Receive
    request_id: str
    caller: Caller
    started: float
    """``time.perf_counter`` at the request's arrival, in seconds."""

    async def body(self) -> bytes:
        """Return the JSON body, at most 1 MiB of it."""
        return await read_json_body(self.scope["headers"], self.receive)

    @property
    def query(self) -> bytes:
        """Return what follows ``?`` in the address."""
        raw: bytes = self.scope["query_string"]
        return raw


@dataclass(slots=True)
class Page:
    """An answer that is not plain JSON."""

    body: bytes
    media_type: bytes
    headers: Headers


Handler = Callable[[Exchange], Awaitable[bytes | Page]]


@dataclass(slots=True)
class Gate:
    """What all endpoints of a server share; ``draining`` sends clients to its successor."""

    keys: KeyRing
    usage: UsageTable
    metrics: ServingMetrics
    draining: bool = False


class Endpoint:
    """An ASGI application for one route: key, limits, handler, errors, metrics.

    Parameters
    ----------
    gate : Gate
        Shared by all routes.
    handler : callable
        Returns JSON, or a :class:`Page`; raises :class:`AutonoeError`.
    route : int
        The route's place in the metrics.
    key : bool
        Whether a key is asked for.
    counted : bool
        Whether a request counts against the key's rate.
    """

    def __init__(
        self, gate: Gate, handler: Handler, route: int, *, key: bool, counted: bool = False
    ) -> None:
        self._gate = gate
        self._handler = handler
        self._route = route
        self._key = key
        self._counted = counted
        self._nobody = Caller("", "", gate.keys.default)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        gate = self._gate
        request_id = secrets.token_hex(16)
        status = 200
        try:
            # before the body is read: a stranger's megabyte costs nothing
            caller = gate.keys.caller(scope["headers"]) if self._key else self._nobody
            if self._counted:
                gate.usage.admit(caller.key_id, caller.limits)
            answer = await self._handler(Exchange(scope, receive, request_id, caller, started))
            if isinstance(answer, bytes):
                body, headers = answer, [(b"content-type", JSON)]
            else:
                body, headers = answer.body, [(b"content-type", answer.media_type), *answer.headers]
        except AutonoeError as error:
            status, headers, body = error_parts(error)
        except (
            Exception
        ) as error:  # the edge: what nobody thought of is logged, and named to nobody
            _LOGGER.error("Unexpected error: %s", type(error).__name__, exc_info=error)
            status, headers, body = error_parts(_FAILED)
        headers.append((b"content-length", b"%d" % len(body)))
        headers.append((b"x-request-id", request_id.encode()))
        if gate.draining:
            headers.append((b"connection", b"close"))
        start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        await send(start)
        if scope["method"] == "HEAD":
            body = b""
        await send({"type": "http.response.body", "body": body})
        gate.metrics.observe(self._route, status, time.perf_counter() - started)
