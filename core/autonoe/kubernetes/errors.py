"""Answers of the API server as errors that a person can act on."""

from __future__ import annotations

import json
from typing import Any

from autonoe.errors import (
    AutonoeError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from autonoe.kubernetes.words import explain

_ADMISSION = {"quota_exceeded", "pod_security", "limit_exceeded", "policy_refused"}


class QuotaExceededError(AutonoeError):
    """The namespace's share of the cluster is used up."""

    code = "quota_exceeded"


def from_answer(status: int, body: str | bytes, doing: str) -> AutonoeError:
    """Return the error for an answer of the API server that is not a success.

    Parameters
    ----------
    status : int
        HTTP status; 0 when there was no answer at all.
    body : str or bytes
        The answer's text, a ``Status`` object or anything else.
    doing : str
        What was asked for, as in "create Pod devc-u-ana/jupyter".
    """
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    message = _message(text)
    reason = explain(message)
    if reason is not None and reason.code in _ADMISSION and status in {403, 422}:
        kind = QuotaExceededError if reason.code == "quota_exceeded" else ForbiddenError
        return kind(reason.message, hint=reason.hint, code=reason.code)
    what = f"Could not {doing}: {message[:500]}"
    if status == 401:
        return ForbiddenError(
            f"Could not {doing}: the cluster does not accept this login.",
            hint="The token or certificate ended, or belongs to another cluster.",
            code="cluster_login_refused",
        )
    if status == 403:
        return ForbiddenError(what, hint="This account does not have that right here.")
    if status == 404:
        return NotFoundError(what)
    if status == 409:
        return ConflictError(what)
    if status in {400, 413, 415, 422}:
        return InvalidInputError(what, hint="The cluster refused the object as it was written.")
    return UnavailableError(what, hint="The cluster does not answer as it should. Try again.")


def _message(body: str) -> str:
    try:
        document: Any = json.loads(body)
    except ValueError:
        return body.strip() or "no answer"
    if isinstance(document, dict) and document.get("message"):
        return str(document["message"])
    return body.strip()
