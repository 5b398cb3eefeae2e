"""Counts by day and class of one variable, and those that the facts hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from autonoe_nace.monitoring.selection import Selection, Window
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature


@dataclass(frozen=True)
class Variable:
    """Something that is counted."""

    name: str
    label: str
    kind: str
    """``input`` or ``output``."""
    ordered: bool = False


@dataclass(frozen=True)
class DayCounts:
    """Counts of one variable.

    Attributes
    ----------
    days : tuple of date
        In order.
    values : tuple
        The classes, in order when the variable is ordered.
    counts : array of float, days x values
    """

    days: tuple[date, ...]
    values: tuple[Any, ...]
    counts: np.ndarray

    @classmethod
    def of(cls, rows: Iterable[tuple[date, Any, float]]) -> DayCounts:
        """Return the table of rows (day, class, count); what appears twice adds up."""
        listed = list(rows)
        days = tuple(sorted({day for day, *_ in listed}))
        values = tuple(sorted({value for _, value, _ in listed}, key=_order))
        place = {day: i for i, day in enumerate(days)}, {v: i for i, v in enumerate(values)}
        counts = np.zeros((len(days), len(values)))
        for day, value, n in listed:
            counts[place[0][day], place[1][value]] += n
        return cls(days, values, counts)

    def within(self, window: Window) -> np.ndarray:
        """Return the rows of the days of ``window``: days x values."""
        return self.counts[[window.first <= day <= window.last for day in self.days]]

    def days_of(self, window: Window) -> list[date]:
        """Return the days of ``window`` that have counts."""
        return [day for day in self.days if window.first <= day <= window.last]


FACTS: dict[Variable, str] = {
    Variable("code", "Codes given", "output"): "code",
    Variable("confidence", "Confidence index", "output", ordered=True): "thousandth // 20",
    Variable("probability", "Probability of the first code", "output", ordered=True): (
        "probability // 20"
    ),
    Variable("automatic", "Coded automatically or not", "output"): "auto",
    Variable("stage", "Looked up or modelled", "output"): "stage",
    Variable("error", "Refused, and why", "output"): "error",
    Variable("characters", "Length of the texts", "input", ordered=True): (
        "least(60, characters // 5)"
    ),
}
"""Variables that the facts hold, and how each is classed."""


def from_facts(
    logs: Logs, selection: Selection, windows: Iterable[Window], tree: Nomenclature | None
) -> dict[Variable, DayCounts]:
    """Return the counts of all variables of :data:`FACTS` on the days of the windows.

    With a nomenclature, codes are counted by division: finer ones are too rare for a week.
    """
    found = {}
    hull = _hull(windows)
    for variable, expression in FACTS.items():
        answered = "true" if variable.name in ("error", "characters") else "error = ''"
        rows = logs.rows(
            f"SELECT date, {expression} AS value, count(*) AS n FROM facts "  # noqa: S608
            f"WHERE {answered} AND {{where}} GROUP BY ALL",
            replace(selection, window=hull),
        )
        classed: Callable[[Any], Any] = _division(tree) if variable.name == "code" else _same
        found[variable] = DayCounts.of((r["date"], classed(r["value"]), r["n"]) for r in rows)
    return found


def _hull(windows: Iterable[Window]) -> Window:
    listed = list(windows)
    return Window(min(w.first for w in listed), max(w.last for w in listed))


def _division(tree: Nomenclature | None) -> Callable[[str], str]:
    if tree is None or len(tree.levels) < 2:
        return _same
    known: Mapping[str, str] = {
        code: tree.ancestor(code, tree.levels[1]) or code for code in tree.nodes
    }
    return lambda code: known.get(code, code)


def _same(value: Any) -> Any:
    return value


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, int | float) else (1, str(value))
