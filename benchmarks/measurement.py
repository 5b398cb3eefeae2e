"""One figure of ours beside one of a stock tool."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measurement:
    """A figure, its unit and the peer's figure; the medians of interleaved runs."""

    name: str
    unit: str
    ours: float
    peer: float | None
    """None where no stock tool does the thing."""
    peer_name: str

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return None if not self.peer else round(self.ours / self.peer, 3)

    def as_dict(self) -> dict[str, object]:
        """Return the form of ``build/bench.json``."""
        return {**asdict(self), "ratio": self.ratio}


def interleaved(
    ours: Callable[[], float], peer: Callable[[], float], *, pairs: int
) -> tuple[float, float]:
    """Return the medians of ``pairs`` alternating runs, so that a noisy minute hits both."""
    results: list[tuple[float, float]] = []
    for number in range(pairs):
        if number % 2:
            second = peer()
            results.append((ours(), second))
        else:
            results.append((ours(), peer()))
    return median([r[0] for r in results]), median([r[1] for r in results])


def median(values: Sequence[float]) -> float:
    """Return the median, rounded to what the clock is worth."""
    return round(statistics.median(values), 3)
