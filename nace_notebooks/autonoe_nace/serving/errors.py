"""The service's one table from error codes to HTTP, and the one JSON form of an error."""

from __future__ import annotations

import msgspec

from autonoe.errors import AutonoeError, InvalidInputError

STATUS = {
    "invalid_json": 400,
    "invalid_input": 422,
    "empty_text": 422,
    "no_usable_word": 422,
    "text_too_long": 422,
    "too_many_records": 422,
    "unknown_code": 422,
    "coverage_unknown": 422,
    "no_correspondence": 422,
    "missing_key": 401,
    "unknown_key": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "body_too_large": 413,
    "not_json": 415,
    "rate_limited": 429,
    "quota_exceeded": 429,
    "model_unavailable": 503,
    "unavailable": 503,
    "failed": 500,
}

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


class ServingError(AutonoeError):
    """A request that cannot be answered; its text never repeats what the client sent."""

    code = "invalid_input"


class LimitError(ServingError):
    """A key used more than it may; ``retry_after_s`` says when to come back."""

    code = "rate_limited"

    def __init__(self, message: str, *, hint: str, code: str, retry_after_s: int) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_s = max(1, retry_after_s)


def error_parts(error: AutonoeError) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of the answer for ``error``.

    A code that is not in the table is the client's fault when its class says so, else a 500.
    """
    status = STATUS.get(error.code, 422 if isinstance(error, InvalidInputError) else 500)
    headers = [_JSON]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status in {408, 413}:
        headers.append((b"connection", b"close"))  # the rest of the body is never read
    if isinstance(error, LimitError):
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    return status, headers, msgspec.json.encode(error.as_dict())
