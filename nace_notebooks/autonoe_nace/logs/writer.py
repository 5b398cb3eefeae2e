"""Write prediction logs: a crash loses one flush window at most, a full disk nothing but logs.

Lines wait in memory for ``flush_s`` seconds, then become one segment: a temporary file, fsync,
rename. A reader therefore never sees half a line, and needs no lock.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from autonoe_nace.logs.record import LogRecord

SEGMENT_SUFFIX = ".jsonl"
PSEUDONYM_KEY = "pseudonym.key"
"""File of the key that texts are hashed with."""
_LOGGER = logging.getLogger(__name__)


class PredictionLog:
    """A folder of log segments, written in the background.

    Parameters
    ----------
    folder : Path
        Created with mode 0700: texts of people are in it.
    flush_s : float
        Longest time in seconds that a line stays in memory.
    max_pending : int
        Lines kept while the disk refuses them; more are dropped and counted.
    pseudonymise : bool
        Replace each text by its HMAC under a key that stays in the folder (``pseudonym.key``).

    Attributes
    ----------
    written, dropped : int
        Lines since start that reached the disk, or never will.
    failing : bool
        True while the disk refuses what is pending.
    """

    def __init__(
        self,
        folder: Path,
        *,
        flush_s: float = 1.0,
        max_pending: int = 100_000,
        pseudonymise: bool = False,
    ) -> None:
        self.folder = folder
        self.flush_s = flush_s
        self.max_pending = max_pending
        self.written = 0
        self.dropped = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._secret = _pseudonym_key(folder) if pseudonymise else None
        self._encoder = msgspec.json.Encoder()
        self._pending: list[bytes] = []
        self._writing = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self.failing = False
        self._sequence = itertools.count()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    @property
    def waiting(self) -> int:
        """Lines that are in no segment yet."""
        with self._lock:
            return len(self._pending) + self._writing

    def start(self, *, alone: bool = True) -> None:
        """Start the writer thread.

        Parameters
        ----------
        alone : bool
            Whether no other process writes to the folder now: then segments that a crash left
            half-written are removed.
        """
        if alone:
            for leftover in self.folder.glob(f".*{SEGMENT_SUFFIX}.part"):
                leftover.unlink(missing_ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is pending and end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=30)

    def add(self, records: Iterable[LogRecord]) -> int:
        """Queue records and return how many lines wait; never waits, nor raises for a full disk."""
        lines = [self._encode(record) for record in records]
        with self._lock:
            pending = self._pending
            room = max(0, self.max_pending - len(pending))
            if len(lines) > room:
                self.dropped += len(lines) - room
                del lines[room:]
            pending += lines
            return len(pending) + self._writing

    def flush(self) -> None:
        """Write what is pending now.

        Raises
        ------
        OSError
            If the disk refuses; the lines stay pending.
        """
        with self._lock:
            lines, self._pending = self._pending, []
            self._writing = len(lines)
        if not lines:
            return
        try:
            self._write_segment(lines)
        except OSError:
            with self._lock:
                kept = lines + self._pending
                self._writing = 0
                self.dropped += max(0, len(kept) - self.max_pending)
                self._pending = kept[: self.max_pending]
            raise
        self.written += len(lines)
        self._writing = 0

    def _encode(self, record: LogRecord) -> bytes:
        if self._secret is not None:
            # half a character can be no UTF-8, and must not cost the line
            hidden = record.text.encode("utf-8", "surrogatepass")
            digest = hmac.new(self._secret, hidden, hashlib.sha256).hexdigest()
            record = msgspec.structs.replace(
                record,
                text=f"hmac-sha256:{digest}",
                characters=len(record.text),
                words=len(record.text.split()),
            )
        try:
            return self._encoder.encode(record)
        except UnicodeEncodeError:
            return self._encoder.encode(_repaired(record))

    def _write_segment(self, lines: list[bytes]) -> None:
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{stamp}-{os.getpid()}-{next(self._sequence)}-{secrets.token_hex(4)}"
        partial = self.folder / f".{name}{SEGMENT_SUFFIX}.part"
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(b"\n".join(lines) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            partial.rename(self.folder / f"{name}{SEGMENT_SUFFIX}")
        except OSError:
            partial.unlink(missing_ok=True)
            raise

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self.flush_s)
            try:
                self.flush()
            except OSError as error:
                if not self.failing:
                    _LOGGER.error("Prediction logs cannot be written: %s", error.strerror)
                self.failing = True
            else:
                self.failing = False
        # what the last round could not write is lost now, and says so
        with self._lock:
            if self._pending:
                self.dropped += len(self._pending)
                _LOGGER.error("%d prediction logs were dropped", len(self._pending))
                self._pending = []


def _repaired(record: LogRecord) -> LogRecord:
    """Return the record with half characters, which no UTF-8 can hold, as question marks."""
    features = {_readable(name): _readable(value) for name, value in record.features.items()}
    return msgspec.structs.replace(record, text=_readable(record.text), features=features)


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _pseudonym_key(folder: Path) -> bytes:
    """Return the folder's key, so that one text has one pseudonym across restarts."""
    path = folder / PSEUDONYM_KEY
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(descriptor, "wb") as stream:
        key = secrets.token_bytes(32)
        stream.write(key)
    return key
