"""Read a request's body without ever holding more than the limit."""

from __future__ import annotations

import asyncio

from starlette.types import Receive

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
            if value.split(b";")[0].strip().lower() != b"application/json":
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
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            message = await receive()
            first: bytes = message.get("body", b"")
            if not message.get("more_body", False) and message["type"] == "http.request":
                if len(first) > limit:
                    raise _too_large(limit)
                return first
            return await _rest(message, receive, limit)
    except TimeoutError:
        raise ServingError(
            f"The body did not arrive within {BODY_TIMEOUT_S:.0f} seconds.",
            hint="Send smaller requests.",
            code="request_timeout",
        ) from None


async def _rest(message: object, receive: Receive, limit: int) -> bytes:
    assert isinstance(message, dict)  # noqa: S101  an ASGI message
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
        message = dict(await receive())


def _too_large(limit: int) -> ServingError:
    return ServingError(
        f"The body is larger than {limit} bytes.",
        hint="Send the records in several requests.",
        code="body_too_large",
    )
