"""One promotion at a time, among processes and machines that share only the registry.

MLflow can move an alias but cannot move it *if it still points there*. What it does promise is that
a registered model's name exists once: making one of an agreed name is the lock, deleting it the
release. The lock is held for the few calls that move an alias, never while models are compared.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from autonoe.errors import ConflictError
from autonoe.waiting import wait_until

LEASE_S = 60.0
"""A lock whose holder was killed can be taken over after so long."""
WAIT_S = 120.0
"""How long a promotion waits for another one's lock."""

_SUFFIX = ".promotion-lock"
_TOKEN = "autonoe.token"  # noqa: S105  the name of a tag
_UNTIL = "autonoe.until"
_BY = "autonoe.by"
_GONE = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_ANOTHERS = {"PERMISSION_DENIED"}
"""The lock of another account that may promote this model too: not ours to look at or to take."""


@dataclass(frozen=True)
class Lease:
    """A lock that is held.

    Attributes
    ----------
    until : float
        Unix time at which others may take it.
    """

    until: float

    def check(self) -> None:
        """Refuse to go on with a lock that another one may hold by now.

        Raises
        ------
        ConflictError
            If it has run out.
        """
        if time.time() >= self.until:
            raise ConflictError(
                "The registry took too long; another promotion may be under way.",
                hint="Nothing was moved. Try again.",
            )


@contextmanager
def promotion_lock(client: MlflowClient, name: str, by: str) -> Iterator[Lease]:
    """Hold the lock of the registered model ``name``.

    Raises
    ------
    ConflictError
        If another promotion holds it for :data:`WAIT_S` seconds.
    """
    token = secrets.token_hex(8)
    lock = name + _SUFFIX
    deadline = time.monotonic() + WAIT_S
    lease: Lease | None = None

    def acquired() -> bool:
        nonlocal lease
        lease = _try(client, lock, token, by)
        return lease is not None or time.monotonic() >= deadline

    wait_until(acquired, timeout_s=WAIT_S + 30, what=f"the promotion lock of {name}")
    if lease is None:
        raise ConflictError(
            f"Another promotion of {name} is under way.", hint="Wait for it, then try again."
        )
    try:
        yield lease
    finally:
        # a lock that ran out can be another one's by now
        if time.time() < lease.until or _token(client, lock) == token:
            client.delete_registered_model(lock)


def _try(client: MlflowClient, lock: str, token: str, by: str) -> Lease | None:
    until = time.time() + LEASE_S
    try:
        client.create_registered_model(lock, tags={_TOKEN: token, _UNTIL: f"{until:.3f}", _BY: by})
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        _drop_if_expired(client, lock)
        return None
    return Lease(until)


def _drop_if_expired(client: MlflowClient, lock: str) -> None:
    try:
        tags = client.get_registered_model(lock).tags
        if float(tags.get(_UNTIL, 0)) < time.time():
            client.delete_registered_model(lock)
    except MlflowException as error:
        if error.error_code not in _GONE | _ANOTHERS:
            raise
    except ValueError:
        client.delete_registered_model(lock)


def _token(client: MlflowClient, lock: str) -> str:
    try:
        return str(client.get_registered_model(lock).tags.get(_TOKEN, ""))
    except MlflowException as error:
        if error.error_code not in _GONE:
            raise
        return ""
