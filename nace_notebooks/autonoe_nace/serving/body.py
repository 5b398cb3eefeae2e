"""Read a request's body without ever holding more than the limit."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from functools import partial
from typing import Any

from starlette.types import Message, Receive

from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.schema import MAX_BODY_BYTES

BODY_TIMEOUT_S = 20.0
"""Longest time to send a body; a slower client gives its place to others."""


async def read_json_body(
    headers: list[tuple[bytes, bytes]], receive: Receive, *, limit: int = MAX_BODY_BYTES
) -> bytes:
    """Return the body of a request.

    Parameters
    ----------
    headers : list of pairs of bytes
        As ASGI gives them; a declared type must be JSON.
    receive : callable
        ASGI's.
    limit : int
        Bytes; a declared or actual length beyond it stops the reading there.

    Raises
    ------
    ServingError
        ``not_json``, ``body_too_large``, ``request_timeout``, or ``invalid_json`` when the client
        went away.
    """
    for name, value in headers:
        if name == b"content-type":
            # written so by nearly all: no need to take it apart
            if (
                value != b"application/json"
                and value.split(b";")[0].strip().lower() != b"application/json"
            ):
                raise ServingError(
                    "The body must be JSON.",
                    hint="Send Content-Type: application/json.",
                    code="not_json",
                )
        elif (
            name == b"content-length"
            and value.isdigit()
            and (len(value) > 12 or int(value) > limit)
        ):
            raise _too_large(limit)
    reading: Any = receive()
    try:
        # most bodies are there already: then the first step is the last, and needs no timer
        waits_for = reading.send(None)
    except StopIteration as done:
        message, begun = done.value, None
        if message["type"] == "http.request" and not message.get("more_body", False):
            return _checked(message.get("body", b""), limit)
    else:
        message, begun = None, _Begun(reading, waits_for)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _rest(message if begun is None else await begun, receive, limit)
    except TimeoutError:
        raise ServingError(
            f"The body did not arrive within {BODY_TIMEOUT_S:.0f} seconds.",
            hint="Send smaller requests.",
            code="request_timeout",
        ) from None


async def _rest(message: Message, receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        if message["type"] != "http.request":
            raise ServingError("The body was cut off.", code="invalid_json")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
        message = await receive()


def _checked(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


class _Begun:
    """A coroutine whose first step was made; awaiting it goes on from there."""

    def __init__(self, coroutine: Any, waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, value)
            try:
                waits_for = step()
            except StopIteration as done:
                return done.value


def _too_large(limit: int) -> ServingError:
    return ServingError(
        f"The body is larger than {limit} bytes.",
        hint="Send the records in several requests.",
        code="body_too_large",
    )
