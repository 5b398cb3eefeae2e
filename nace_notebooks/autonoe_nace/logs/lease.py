"""One ETL at a time: on a folder of logs by a lock, on a store by a lease that expires."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until

LEASE_S = 60.0
"""After so many seconds without a sign of life, a lease belongs to whoever asks."""
_KEY = ".etl-lease.json"
_LOGGER = logging.getLogger(__name__)
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_UNKNOWN = {"NotImplemented", "501"}


@contextmanager
def folder_lock(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock when it is free; the system frees it when the process dies."""
    descriptor = os.open(folder / ".etl.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


@contextmanager
def store_lease(uri: str, *, wait_s: float, lease_s: float = LEASE_S) -> Iterator[Lease | None]:
    """Hold the store at ``uri`` alone; yield None when somebody else still has it after ``wait_s``.

    Two runs that read different folders would each keep what the other does not know of; this
    makes them take turns, so that a prediction in both is stored once.

    Parameters
    ----------
    uri : str
        ``s3://bucket/prefix`` or a local folder that exists.
    wait_s : float
        Longest time to wait for another run, in seconds.
    lease_s : float
        Time after which the lease of a run that died may be taken, in seconds. On one machine
        the system tells at once.

    Raises
    ------
    UnavailableError
        If the store does not answer.
    """
    lease: Lease = S3Lease(uri, lease_s) if "://" in uri else FolderLease(Path(uri))
    try:
        wait_until(lease.take, timeout_s=wait_s, what="another ETL run to end", interval_s=0.2)
    except _StoreError:
        raise
    except UnavailableError:
        yield None
        return
    try:
        yield lease
    finally:
        lease.release()


class Lease:
    """The right to write to a store."""

    lost = False
    """True when somebody else has it by now: this run must not publish any more."""

    def take(self) -> bool:
        """Try once; return whether it is ours."""
        raise NotImplementedError

    def release(self) -> None:
        """Give it back."""


class FolderLease(Lease):
    """A lock file in the store's folder."""

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = folder

    def take(self) -> bool:
        """Try once; return whether it is ours."""
        with contextlib.ExitStack() as attempt:
            mine = attempt.enter_context(folder_lock(self._folder))
            if mine:
                self._stack = attempt.pop_all()
            return mine

    def release(self) -> None:
        """Give it back."""
        self._stack.close()


class S3Lease(Lease):
    """An object that only one can create, and that its owner renews.

    Conditional writes (``If-None-Match``, ``If-Match``) decide who has it, and the store's own
    clock how old it is.
    """

    def __init__(self, uri: str, lease_s: float) -> None:
        import boto3
        from botocore.config import Config

        bucket, _, prefix = uri.removeprefix("s3://").strip("/").partition("/")
        self._where = {"Bucket": bucket, "Key": f"{prefix}/{_KEY}".lstrip("/")}
        self._lease_s = lease_s
        self._owner = secrets.token_hex(16)
        self._etag = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        settings = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
        self._s3 = boto3.client("s3", config=settings)

    def take(self) -> bool:
        """Try once; return whether it is ours."""
        if not (self._put(IfNoneMatch="*") or self._take_over()):
            return False
        self._thread = threading.Thread(target=self._renew, name="etl-lease", daemon=True)
        self._thread.start()
        return True

    def release(self) -> None:
        """Give it back, unless somebody else has it by now."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=self._lease_s)
        if not self.lost and self._etag:
            with contextlib.suppress(UnavailableError):
                self._call("delete_object")

    def _take_over(self) -> bool:
        found = self._call("head_object")
        if found is None:
            return False  # just given back: the next attempt creates it
        headers = found["ResponseMetadata"]["HTTPHeaders"]
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        if (now - found["LastModified"]).total_seconds() < self._lease_s:
            return False
        return self._put(IfMatch=found["ETag"])

    def _put(self, **condition: str) -> bool:
        body = json.dumps({"owner": self._owner, "beat": secrets.token_hex(8)}).encode()
        answer = self._call("put_object", Body=body, **condition)
        if answer is None:
            return False
        self._etag = str(answer.get("ETag", ""))
        return True

    def _renew(self) -> None:
        while not self._stop.wait(self._lease_s / 3):
            try:
                kept = self._put(IfMatch=self._etag)
            except UnavailableError as error:
                _LOGGER.warning("The lease of the log store could not be renewed: %s", error)
                continue
            if not kept:
                self.lost = True
                return

    def _call(self, name: str, **arguments: Any) -> dict[str, Any] | None:
        """Return the store's answer; None when the condition does not hold, or nothing is there."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._s3, name)(**self._where, **arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _TAKEN or (name == "head_object" and code in {"404", "NoSuchKey"}):
                return None
            if code in _UNKNOWN:
                _LOGGER.warning("This store knows no conditional writes: run one ETL at a time.")
                return {}
            raise _unavailable(self._where["Bucket"], code) from error
        except BotoCoreError as error:
            raise _unavailable(self._where["Bucket"], type(error).__name__) from error
        return answer


class _StoreError(UnavailableError):
    """The store itself does not answer, which is no other run's doing."""


def _unavailable(bucket: str, reason: str) -> UnavailableError:
    return _StoreError(
        f"The log store in {bucket} cannot be used ({reason}).",
        hint="autonoe credentials status shows which buckets this account reaches.",
    )
