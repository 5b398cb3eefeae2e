"""Calls to the hub's REST API with the platform's own token."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import ConflictError, UnavailableError

_TIMEOUT_S = 15
_NOT_FOUND, _REFUSED, _FAILED = 404, 400, 500


def call(
    layout: Layout, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Call the hub and return the JSON object that it answers; None when there is no such thing.

    Parameters
    ----------
    layout : Layout
        Data folder of the running platform; the caller must be able to read its secrets.
    method : str
        HTTP verb.
    path : str
        Below ``/hub/api/``, names quoted.
    body : dict, optional
        Sent as JSON.

    Raises
    ------
    UnavailableError
        If the hub does not answer, or fails.
    ConflictError
        If the hub refuses.
    """
    token = layout.secret("hub-supervisor-token").read_text(encoding="utf-8").strip()
    try:
        answer = urllib3.request(
            method,
            f"{PlatformFile.load(layout).hub_api_url}/{path}",
            headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
            body=json.dumps(body) if body is not None else None,
            timeout=_TIMEOUT_S,
            retries=False,
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            "The hub does not answer.", hint="`autonoe status` tells how it is; try again after."
        ) from error
    if answer.status == _NOT_FOUND:
        return None
    if answer.status >= _FAILED:
        raise UnavailableError(
            f"The hub failed at {method} {path} ({answer.status}).", hint="See the hub's log."
        )
    if answer.status >= _REFUSED:
        raise ConflictError(
            f"The hub refused {method} {path} ({answer.status}).",
            hint="See the hub's log; the name may be one of its own.",
        )
    document = json.loads(answer.data) if answer.data else {}
    return document if isinstance(document, dict) else {"items": document}
