"""How a kernel asks its server's credential agent; only what the environment says is used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import urllib3

from autonoe.errors import NotFoundError, UnavailableError

_TIMEOUT = urllib3.Timeout(connect=2, read=5)
"""Seconds; the agent is on this machine and answers from memory."""


def agent_status() -> dict[str, Any]:
    """Return the agent's ``/status``.

    Raises
    ------
    NotFoundError
        If this kernel has no agent: it was started outside a platform.
    UnavailableError
        If the agent does not answer, or not with its state.
    """
    address = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    token_file = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    if not address or not token_file:
        raise NotFoundError(
            "This kernel has no credential agent.", hint="Start it from the platform's JupyterLab."
        )
    try:
        token = Path(token_file).read_text(encoding="utf-8").strip()
        # No proxy variables: the agent is on loopback.
        answer = urllib3.PoolManager(retries=False, timeout=_TIMEOUT).request(
            "GET", urljoin(address, "/status"), headers={"Authorization": f"Bearer {token}"}
        )
        if answer.status != 200:
            raise UnavailableError(
                f"The credential agent answered {answer.status}.", hint="Restart your server."
            )
        state = answer.json()
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise UnavailableError(
            f"The credential agent does not answer: {type(error).__name__}.",
            hint="Restart your server.",
        ) from error
    assert isinstance(state, dict)  # noqa: S101  our own agent's documented form
    return state
