"""Prediction logs on their way to the object store, from a server that may vanish with its disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from autonoe.errors import AutonoeError
from autonoe_nace.logs import etl
from autonoe_nace.logs.store import PART
from autonoe_nace.logs.writer import SEGMENT_SUFFIX

_LOGGER = logging.getLogger(__name__)
_EVERY_S = 5.0
_REST = 10
"""Rest ten times as long as the last round took: a day's file that grew large is written anew in
each round, and must not become the server's main work."""
_MAX_REST_S = 300.0


class Logs(Protocol):
    """Where lines come from: a log in this process, or the folder of other processes' logs."""

    @property
    def folder(self) -> Path:
        """Where the segments are."""

    @property
    def waiting(self) -> int:
        """Lines that are in no segment yet."""


class WrittenLogs:
    """The logs of other processes.

    Parameters
    ----------
    folder : Path
        Where they write their segments.
    waiting : callable
        Returns how many lines they hold in memory.
    """

    def __init__(self, folder: Path, waiting: Callable[[], int]) -> None:
        self.folder = folder
        self._waiting = waiting

    @property
    def waiting(self) -> int:
        """Lines that are in no segment yet."""
        return self._waiting()


class LogShipper:
    """Turns finished log segments into this server's own Parquet file of the day, again and again.

    Parameters
    ----------
    log : Logs
        What the server writes: a ``PredictionLog``, or :class:`WrittenLogs`.
    target : str
        ``s3://bucket/prefix`` or a folder.
    part : str
        Name of this server's file in each day; two servers never share one.
    every_s : float
        Shortest time between two rounds, in seconds.

    Attributes
    ----------
    stored : int
        Predictions that reached the store since the start.
    """

    def __init__(
        self, log: Logs, target: str, *, part: str = PART, every_s: float = _EVERY_S
    ) -> None:
        self.stored = 0
        self._log = log
        self._target = target
        self._part = part
        self._every_s = every_s
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, once the log itself has stopped, and end the thread."""
        self._stop.set()
        self._thread.join(timeout=30)

    def counts(self) -> dict[str, int]:
        """Return how many predictions are ``stored``, and lines and files that are ``waiting``."""
        # in the order in which a line moves on, so that none is missed on its way
        lines = self._log.waiting
        segments = sum(1 for _ in self._log.folder.glob(f"*{SEGMENT_SUFFIX}"))
        return {"stored": self.stored, "waiting": lines + segments}

    def ship(self) -> None:
        """Do one round.

        Raises
        ------
        AutonoeError
            If the store cannot be written; the segments stay for the next round.
        """
        report = etl.run(self._log.folder, self._target, part=self._part)
        self.stored += report.new
        for done in (self._log.folder / "done").glob(f"*{SEGMENT_SUFFIX}"):
            Path(done).unlink(missing_ok=True)

    def _run(self) -> None:
        rest = self._every_s
        while not self._stop.wait(rest):
            started = time.monotonic()
            self._round()
            spent = time.monotonic() - started
            rest = min(max(self._every_s, _REST * spent), _MAX_REST_S)
        self._round()

    def _round(self) -> None:
        try:
            self.ship()
        except (AutonoeError, OSError) as error:
            if not self._failing:
                _LOGGER.error("Prediction logs do not reach the store: %s", error)
            self._failing = True
        else:
            self._failing = False
