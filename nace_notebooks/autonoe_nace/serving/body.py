"""Read a request's body without ever holding more than the limit."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.schema import MAX_BODY_BYTES

BODY_TIMEOUT_S = 20.0
"""Longest time to send a body; a slower client gives its place to others."""


async def read_json_body(request: Request, *, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the body of ``request``.

    Parameters
    ----------
    request : Request
        Its declared type must be JSON when it declares one.
    limit : int
        Bytes; a declared or actual length beyond it stops the reading there.

    Raises
    ------
    ServingError
        ``not_json``, ``body_too_large``, ``request_timeout``, or ``invalid_json`` when the client
        went away.
    """
    kind = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ServingError(
            "The body must be JSON.", hint="Send Content-Type: application/json.", code="not_json"
        )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 12 or int(declared) > limit):
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise ServingError(
            f"The body did not arrive within {BODY_TIMEOUT_S:.0f} seconds.",
            hint="Send smaller requests.",
            code="request_timeout",
        ) from None
    except ClientDisconnect:
        raise ServingError("The body was cut off.", code="invalid_json") from None
    return b"".join(chunks)


def _too_large(limit: int) -> ServingError:
    return ServingError(
        f"The body is larger than {limit} bytes.",
        hint="Send the records in several requests.",
        code="body_too_large",
    )
