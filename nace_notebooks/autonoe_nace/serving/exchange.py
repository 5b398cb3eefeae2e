"""One request and its answer, as close to ASGI as can be.

A request object of a framework, its router and its middleware take longer than the checks of a
request; the hot route therefore goes without them, and the others share its one way to answer.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

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


def parts_of(answer: bytes | Page | Exception) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of an answer: JSON, a page, or what was raised.

    What nobody thought of is logged, and named to nobody.
    """
    if isinstance(answer, bytes):
        return 200, [(b"content-type", JSON)], answer
    if isinstance(answer, Page):
        return 200, [(b"content-type", answer.media_type), *answer.headers], answer.body
    if isinstance(answer, AutonoeError):
        return error_parts(answer)
    _LOGGER.error("Unexpected error: %s", type(answer).__name__, exc_info=answer)
    return error_parts(_FAILED)


@dataclass(slots=True)
class Gate:
    """What all endpoints of a server share; ``draining`` sends clients to its successor."""

    keys: KeyRing
    usage: UsageTable
    metrics: ServingMetrics
    draining: bool = False
    _process: str = field(default_factory=lambda: secrets.token_hex(10))
    _number: Iterator[int] = field(default_factory=itertools.count)

    def request_id(self) -> str:
        """Return an id that no other request has: 80 random bits of the process, and a number."""
        return f"{self._process}{next(self._number):012x}"


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
        request_id = gate.request_id()
        answer: bytes | Page | Exception
        try:
            # before the body is read: a stranger's megabyte costs nothing
            caller = gate.keys.caller(scope["headers"]) if self._key else self._nobody
            if self._counted:
                gate.usage.admit(caller.key_id, caller.limits)
            answer = await self._handler(Exchange(scope, receive, request_id, caller, started))
        except Exception as error:  # an edge: see parts_of
            answer = error
        status, headers, body = parts_of(answer)
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
