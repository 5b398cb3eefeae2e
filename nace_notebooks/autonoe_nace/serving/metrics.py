"""Prometheus metrics of one server, summed over its workers.

Each worker counts in a row of shared memory of its own: no lock, and 0.3 microseconds a request.
A worker that takes over the row of a dead one counts on, so that no counter ever falls.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from autonoe_nace.serving.shared import Numbers

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency histogram, in seconds; a last one has no bound."""
STATUSES = (200, 400, 401, 404, 405, 408, 413, 415, 422, 429, 500, 503)
OUTCOMES = ("auto", "review", "error")
_LOGS = ("written", "dropped", "waiting")
_ALIVE = ("ready",)
_LATENCY = len(BUCKETS) + 2


class ServingMetrics:
    """What an operator watches: requests, latency, coded records, logs, staleness, workers.

    Parameters
    ----------
    paths : sequence of str
        The routes that are counted.
    rows : int
        Workers that can live at once.
    """

    def __init__(self, paths: Sequence[str], *, rows: int = 1) -> None:
        self.paths = tuple(paths)
        self._records = len(self.paths) * (len(STATUSES) + _LATENCY)
        self._logs = self._records + len(OUTCOMES)
        self._ready = self._logs + len(_LOGS)
        self.numbers = Numbers(rows, self._ready + len(_ALIVE))
        # whole-server cells: staleness of the model, predictions sent to the store
        self._server = Numbers(1, 2)
        self._row = self.numbers.row(0)
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(_Families(self))

    def take_row(self, row: int) -> None:
        """Count in ``row`` from now on: called once in each worker."""
        self._row = self.numbers.row(row)

    def observe(self, route: int, status: int, seconds: float) -> None:
        """Count one answer of the route at place ``route`` of :attr:`paths`."""
        row = self._row
        start = route * (len(STATUSES) + _LATENCY)
        row[start + _status_place(status)] += 1
        start += len(STATUSES)
        row[start + bisect_left(BUCKETS, seconds)] += 1
        row[start + _LATENCY - 1] += seconds

    def add_records(self, auto: int, review: int, error: int) -> None:
        """Count coded records by outcome."""
        row, start = self._row, self._records
        row[start] += auto
        row[start + 1] += review
        row[start + 2] += error

    def set_logs(self, written: int, dropped: int, waiting: int) -> None:
        """State this worker's log lines."""
        row, start = self._row, self._logs
        row[start], row[start + 1], row[start + 2] = written, dropped, waiting

    def logs(self) -> tuple[int, int, int]:
        """Return the log lines ``written``, ``dropped`` and ``waiting`` of all workers."""
        first, second, third = (int(self.numbers.total(self._logs + i)) for i in range(3))
        return first, second, third

    def log_base(self) -> tuple[int, int]:
        """Return what an earlier worker of this row wrote and dropped."""
        row = self._row
        return int(row[self._logs]), int(row[self._logs + 1])

    def bury(self, row: int) -> None:
        """Take note that the worker of ``row`` is gone: what it had not written is lost."""
        cells, start = self.numbers.row(row), self._logs
        cells[start + 1] += cells[start + 2]
        cells[start + 2] = 0
        cells[self._ready] = 0

    def set_ready(self) -> None:
        """State that this worker takes requests."""
        self._row[self._ready] = 1

    def is_ready(self, row: int) -> bool:
        """Return whether the worker of ``row`` takes requests."""
        return bool(self.numbers.row(row)[self._ready])

    @property
    def stale(self) -> bool:
        """Whether the registry could not be asked and the last good model answers."""
        return bool(self._server.cells[0])

    @stale.setter
    def stale(self, value: bool) -> None:
        self._server.cells[0] = value

    @property
    def stored(self) -> int:
        """Predictions that reached the log store since the start."""
        return int(self._server.cells[1])

    @stored.setter
    def stored(self, value: int) -> None:
        self._server.cells[1] = value

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text form."""
        text: bytes = generate_latest(self.registry)
        return text

    def families(self) -> Iterator[Metric]:
        """Yield the metric families, summed over the workers."""
        columns = self.numbers.columns
        sums = [self.numbers.total(column) for column in range(columns)]
        yield self._requests(sums)
        yield self._latencies(sums)
        records = CounterMetricFamily(
            "autonoe_nace_records",
            "Records by outcome: auto, review, or error.",
            labels=["outcome"],
        )
        for name, value in zip(OUTCOMES, sums[self._records :], strict=False):
            records.add_metric([name], value)
        yield records
        written, dropped, waiting = sums[self._logs : self._logs + 3]
        for name, text, number in (
            ("logs_written", "Log lines on disk.", written),
            ("logs_dropped", "Log lines lost.", dropped),
            ("logs_waiting", "Log lines in memory.", waiting),
            ("workers", "Processes that take requests.", sums[self._ready]),
            (
                "model_stale",
                "1 when the registry could not be asked and the last good model answers.",
                float(self.stale),
            ),
        ):
            yield GaugeMetricFamily(f"autonoe_nace_{name}", text, value=number)

    def _requests(self, sums: Sequence[float]) -> Metric:
        family = CounterMetricFamily(
            "autonoe_nace_requests",
            "Requests answered, by route and HTTP status.",
            labels=["route", "status"],
        )
        for number, path in enumerate(self.paths):
            start = number * (len(STATUSES) + _LATENCY)
            for status, value in zip(STATUSES, sums[start:], strict=False):
                if value:
                    family.add_metric([path, str(status)], value)
        return family

    def _latencies(self, sums: Sequence[float]) -> Metric:
        family = HistogramMetricFamily(
            "autonoe_nace_request_seconds",
            "Time in the server per request, in seconds.",
            labels=["route"],
        )
        bounds = [*map(str, BUCKETS), "+Inf"]
        for number, path in enumerate(self.paths):
            start = number * (len(STATUSES) + _LATENCY) + len(STATUSES)
            counts = sums[start : start + len(bounds)]
            reached, buckets = 0.0, []
            for bound, count in zip(bounds, counts, strict=True):
                reached += count
                buckets.append((bound, reached))
            family.add_metric([path], buckets=buckets, sum_value=sums[start + _LATENCY - 1])
        return family


class _Families(Collector):
    def __init__(self, metrics: ServingMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()


def _status_place(status: int) -> int:
    # a status that nobody thought of is counted as a failure, not lost
    return STATUSES.index(status) if status in STATUSES else STATUSES.index(500)
