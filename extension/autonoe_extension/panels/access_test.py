"""The panel's test: writes, reads back and removes one object with plain boto3."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)

FOLDER = ".autonoe-test"
"""Prefix of the object in the bucket; it is empty again after each test."""

_SIZE = 32
"""Bytes of the object: random, so that an old answer cannot pass for a new one."""

_NETWORK = Config(connect_timeout=3, read_timeout=8, retries={"max_attempts": 1})
"""Seconds; the whole test answers within half a minute even when nothing does."""


class AccessTest:
    """One run of the test on ``bucket``, reporting each step as a plain dict.

    Parameters
    ----------
    run_id : str
        Chosen by who asked, so that they recognise the answer.
    bucket : str
        Where the object goes.
    report : callable
        Called with the state after each change: ``state`` is ``running``, ``ok``, ``failed`` or
        ``cancelled``; ``step`` is ``write``, ``read`` or ``remove``.
    """

    def __init__(self, run_id: str, bucket: str, report: Callable[[dict[str, Any]], None]) -> None:
        self.run_id = run_id
        self.bucket = bucket
        self.cancelled = Event()
        self._report = report
        self._step = "write"

    def run(self) -> None:
        """Run the test to its end. An edge: every failure becomes a reported state."""
        started = time.perf_counter()
        try:
            self._round_trip()
        except Exception as error:  # all of boto3's, and whatever a broken network brings
            self._say("failed", problem=_problem(error))
            return
        if self.cancelled.is_set():
            self._say("cancelled")
            return
        self._say("ok", elapsed_ms=round((time.perf_counter() - started) * 1000))

    def _round_trip(self) -> None:
        self._say("running")
        s3 = boto3.client("s3", config=_NETWORK)
        key, body = f"{FOLDER}/{uuid4().hex}", secrets.token_bytes(_SIZE)
        s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        try:
            if not self.cancelled.is_set():
                self._next("read")
                found = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
                if found != body:
                    raise _MismatchError(f"{len(found)} bytes came back, not the {_SIZE} written.")
        except Exception:
            with suppress(Exception):  # the first failure is the one to tell
                s3.delete_object(Bucket=self.bucket, Key=key)
            raise
        if not self.cancelled.is_set():
            self._next("remove")
        s3.delete_object(Bucket=self.bucket, Key=key)

    def _next(self, step: str) -> None:
        self._step = step
        self._say("running")

    def _say(self, state: str, **more: Any) -> None:
        self._report(
            {
                "id": self.run_id,
                "state": state,
                "step": self._step,
                "bucket": self.bucket,
                "at": time.time(),
                **more,
            }
        )


class _MismatchError(Exception):
    """What was read is not what was written."""


def _problem(error: Exception) -> dict[str, str]:
    """Return a code of the message catalogue and, for those who want it, the library's words."""
    technical = f"{type(error).__name__}: {error}"
    if isinstance(error, _MismatchError):
        code = "test.mismatch"
    elif isinstance(error, (NoCredentialsError, CredentialRetrievalError)):
        code = "test.credentials"
    elif isinstance(error, (ConnectionError, HTTPClientError)):
        code = "test.unreachable"
    elif isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = {403: "test.denied", 401: "test.denied"}.get(
            status, "test.unreachable" if status >= 500 else "test.other"
        )
    else:
        code = "test.other"
    return {"code": code, "message": str(error), "hint": "", "technical": technical}
