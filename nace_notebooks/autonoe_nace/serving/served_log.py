"""The prediction log of one worker, which tells the others how far it is."""

from __future__ import annotations

from collections.abc import Iterable

from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import SEGMENT_SUFFIX, PredictionLog
from autonoe_nace.serving.metrics import ServingMetrics
from autonoe_nace.serving.settings import ServingSettings


class ServedLog(PredictionLog):
    """A prediction log whose counts are seen by all processes of the server."""

    def __init__(self, settings: ServingSettings, metrics: ServingMetrics) -> None:
        super().__init__(
            settings.state_dir / "logs",
            flush_s=settings.flush_s,
            max_pending=settings.max_pending_logs,
            pseudonymise=settings.pseudonymise,
        )
        self._metrics = metrics
        self._before = metrics.log_base()

    def add(self, records: Iterable[LogRecord]) -> int:
        """Queue records and return how many lines wait; never waits, nor raises for a full disk."""
        waiting = super().add(records)
        self._tell(waiting)
        return waiting

    def flush(self) -> None:
        """Write what is pending now.

        Raises
        ------
        OSError
            If the disk refuses; the lines stay pending.
        """
        try:
            super().flush()
        finally:
            self._tell(self.waiting)

    def stop(self) -> None:
        """Write what is pending and end the thread."""
        super().stop()
        self._tell(self.waiting)

    def segments(self) -> int:
        """Return how many files wait to be sent."""
        return sum(1 for _ in self.folder.glob(f"*{SEGMENT_SUFFIX}"))

    def _tell(self, waiting: int) -> None:
        written, dropped = self._before
        self._metrics.set_logs(written + self.written, dropped + self.dropped, waiting)
