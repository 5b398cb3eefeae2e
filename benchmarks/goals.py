"""What each figure is to reach: the goals that the project set itself before it measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.measurement import Measurement


@dataclass(frozen=True)
class Goal:
    """A bound for our figure, or for its ratio to the peer's.

    Attributes
    ----------
    at : {"least", "most"}
        On which side of the bound a figure is to lie.
    bound : float
        In the unit of the figure, or times the peer's.
    of : {"ours", "ratio"}
        What is bounded.
    """

    at: Literal["least", "most"]
    bound: float
    of: Literal["ours", "ratio"] = "ours"

    def __str__(self) -> str:
        sign = "\u2265" if self.at == "least" else "\u2264"
        return f"{sign} {self.bound:,g}" + (" x peer" if self.of == "ratio" else "")

    def reached(self, measurement: Measurement) -> float | None:
        """Return how much of the goal was reached: 1 or more where it was; None without a peer."""
        value = measurement.ours if self.of == "ours" else measurement.ratio
        if value is None:
            return None
        if self.at == "most":
            return round(self.bound / value, 3) if value else float("inf")
        return round(value / self.bound, 3)


GOALS: tuple[tuple[str, str, Goal], ...] = (
    ("NACE cleaning, one list", "pandas and regexes", Goal("least", 25_000)),
    ("NACE API, single requests per core", "FastAPI", Goal("least", 2.5, "ratio")),
    ("NACE API, single requests, on one core", "FastAPI", Goal("least", 2.5, "ratio")),
    ("NACE API, processor time with logs", "ours without logs", Goal("most", 1.1, "ratio")),
    ("NACE API, p99 at half load", "FastAPI", Goal("most", 20)),
    ("NACE API, 200 texts per request, per core", "FastAPI", Goal("least", 8_000)),
    ("NACE API, 200 texts per request, per core", "raw fastText", Goal("least", 0.5, "ratio")),
    ("ETL of JSON lines, per core", "pandas read_json, to_parquet", Goal("least", 300_000)),
    ("dashboard, 10 million rows: slowest question", "", Goal("most", 1)),
    ("dashboard, 10 million rows: memory in all, query layer", "", Goal("most", 400)),
)
"""Beginning of a figure's name, its peer ("" for any), and the goal."""


def goal_of(measurement: Measurement) -> Goal | None:
    """Return the goal of a figure, or None where none was set."""
    for name, peer, goal in GOALS:
        if measurement.name.startswith(name) and peer in {"", measurement.peer_name}:
            return goal
    return None
