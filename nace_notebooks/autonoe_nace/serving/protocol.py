"""uvicorn's HTTP, with a short way for the one route that most requests take.

ASGI costs a request a dictionary, an event, a task and four coroutines, which take longer than the
checks of a request do. A request that is whole, or will be in a moment, needs none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sized
from typing import Any, cast

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from autonoe_nace.serving.errors import Headers
from autonoe_nace.serving.short_route import ShortRoute

MOST_BYTES = 65_536
"""Longest body that goes the short way."""
REST_WITHIN_S = 0.05
"""How long the rest of a request may take; many clients send head and body apart."""


class ShortProtocol(HttpToolsProtocol):
    """Gives whole requests for some paths to their short routes, and all others to the application.

    The application has ``short``, a mapping from path to :class:`ShortRoute`. What comes slowly,
    with ``Expect``, after another request that is not answered yet, or from a client that does not
    read its answers, goes uvicorn's own way, which has limits and patience for it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shorts: Mapping[bytes, ShortRoute] = self.config.loaded_app.short
        self._short: ShortRoute | None = None
        self._body = b""
        self._waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to read."""
        super().connection_made(transport)
        self.flow = _PatientFlow(transport, self.pipeline)

    def data_received(self, data: bytes) -> None:
        """Read what came, and wait a moment for the rest of a request."""
        super().data_received(data)
        if self._short is not None and self._waiting is None:
            self._waiting = self.loop.call_later(REST_WITHIN_S, self._go_long)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the request that was being read."""
        self._leave()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer the request that is being read, and no other."""
        if self._short is not None:
            self._go_long()
        super().shutdown()

    def on_headers_complete(self) -> None:
        """Choose the way."""
        route = self._shorts.get(self.url)
        if route is not None and self._is_plain():
            self._short, self._body = route, b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._short is None:
            super().on_body(body)
            return
        self._body = self._body + body if self._body else body
        if len(self._body) > MOST_BYTES:
            self._go_long()

    def on_message_complete(self) -> None:
        """Answer, now that the request is whole."""
        route = self._short
        if route is not None:
            self._leave()
            before, cycle = self.cycle, _ShortCycle(self, route)
            self.cycle = cast("RequestResponseCycle", cycle)
            if route.begin(self.headers, self._body, cycle.reply):
                return
            self.cycle = before
            self._go_long()
        super().on_message_complete()

    def _is_plain(self) -> bool:
        return (
            self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _leave(self) -> None:
        self._short = None
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _go_long(self) -> None:
        self._leave()
        if self.transport.is_closing():
            return
        super().on_headers_complete()
        if self._body:
            super().on_body(self._body)


class _PatientFlow(FlowControl):
    """Reads no more of a connection while requests of it wait for their turn.

    uvicorn reads on with each of them, so that a client that sends and never reads its answers
    would fill the memory with requests.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._requests = waiting

    def resume_reading(self) -> None:
        """Read on, when the last request has its turn."""
        if not self._requests:
            super().resume_reading()


class _ShortCycle:
    """A request on its short way, as uvicorn's protocol sees it."""

    def __init__(self, protocol: ShortProtocol, route: ShortRoute) -> None:
        self._protocol = protocol
        self._route = route
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.message_event = self

    def set(self) -> None:
        """Nobody waits for more of a whole request."""

    def reply(self, status: int, headers: Headers, body: bytes) -> None:
        """Write the answer, and let the next request come."""
        self.response_complete = True
        protocol = self._protocol
        transport = protocol.transport
        if self.disconnected or transport.is_closing():
            return
        closing = not self.keep_alive or self._route.draining
        parts = [STATUS_LINE[status]]
        for name, value in (*protocol.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
            closing = closing or name == b"connection"
        parts.append(b"content-length: %d\r\n" % len(body))
        if closing:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        transport.write(b"".join(parts))
        if closing:
            transport.close()
        protocol.on_response_complete()
