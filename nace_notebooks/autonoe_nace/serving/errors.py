"""The service's one table from error codes to HTTP, and the one JSON form of an error."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from autonoe.errors import AutonoeError

STATUS = {
    "invalid_json": 400,
    "invalid_input": 422,
    "empty_text": 422,
    "no_usable_word": 422,
    "text_too_long": 422,
    "too_many_records": 422,
    "missing_key": 401,
    "unknown_key": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "body_too_large": 413,
    "not_json": 415,
    "model_unavailable": 503,
    "unavailable": 503,
    "failed": 500,
}


class ServingError(AutonoeError):
    """A request that cannot be answered; its text never repeats what the client sent."""

    code = "invalid_input"


def error_response(error: AutonoeError, *, request_id: str = "") -> Response:
    """Return the answer for ``error``; an unknown code is a 500."""
    headers = {"X-Request-ID": request_id} if request_id else {}
    status = STATUS.get(error.code, 500)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in {408, 413}:
        headers["Connection"] = "close"  # the rest of the body is never read
    return Response(
        msgspec.json.encode(error.as_dict()),
        status_code=status,
        media_type="application/json",
        headers=headers,
    )
