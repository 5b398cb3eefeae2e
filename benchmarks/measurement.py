"""One figure of ours beside one of a stock tool, and the table of all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


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


def show(measurements: Sequence[Measurement]) -> None:
    """Print the table."""
    table = Table(title="Autonoe beside the stock tools (medians, same machine, interleaved runs)")
    for heading in ("what", "unit", "ours", "peer", "ratio", "peer is"):
        table.add_column(heading, justify="left" if heading in {"what", "peer is"} else "right")
    for m in measurements:
        peer = "none" if m.peer is None else f"{m.peer:g}"
        ratio = "" if m.ratio is None else f"{m.ratio:.2f}"
        table.add_row(m.name, m.unit, f"{m.ours:g}", peer, ratio, m.peer_name)
    Console(width=140).print(table)
