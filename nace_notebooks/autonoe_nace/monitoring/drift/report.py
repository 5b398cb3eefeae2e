"""The drift of every variable between two windows, each beside what is usual."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from autonoe.errors import NotFoundError
from autonoe_nace.monitoring.drift.baseline import USUAL, bootstrap, yearly
from autonoe_nace.monitoring.drift.counts import DayCounts, Variable, from_facts
from autonoe_nace.monitoring.drift.details import from_details
from autonoe_nace.monitoring.drift.distances import between
from autonoe_nace.monitoring.selection import ALL, Selection, Window
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature

SMALLEST = 0.05
"""Hellinger distance below which a change is too small to matter, however unusual."""
CHANGED, UNUSUAL, USUAL_VERDICT = "changed", "unusual but small", "as usual"


def drift(
    logs: Logs,
    before: Window,
    after: Window,
    *,
    tree: Nomenclature | None = None,
    selection: Selection = ALL,
    variables: Collection[str] = (),
    details: bool = True,
    replicates: int = 200,
    smallest: float = SMALLEST,
    seed: int = 1,
) -> dict[str, Any]:
    """Return how far each input and output has moved, beside how far it moves anyway.

    Parameters
    ----------
    logs : Logs
        Where to count.
    before, after : Window
        Reference and the days in question.
    tree : Nomenclature, optional
        With it, codes are compared by division.
    selection : Selection
        Deployment and version; its own window does not count.
    variables : collection of str
        Names to look at; all by default.
    details : bool
        Whether words and side variables are read too, which is slow.
    replicates : int
        Pairs of windows drawn.
    smallest : float
        Hellinger distance below which nothing is said to have changed.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``before``, ``after`` and ``variables``: of each ``name``, ``label``, ``kind``,
        ``n_before``, ``n_after``, ``distances``, ``baseline`` (``drawn`` days or rows, and the
        95 % quantile of each distance when nothing changes), ``season`` (the same distances 52
        weeks earlier, None without logs of that time), ``season_usual`` (how far apart such weeks
        are in 95 of 100 years like that one) and ``verdict``: ``changed`` above the baseline,
        ``season_usual`` and ``smallest`` (Hellinger), ``unusual but small`` when only below
        ``smallest``, else ``as usual``. Largest excess first.

    Raises
    ------
    NotFoundError
        If a window holds no prediction.
    """
    for window in (before, after):
        if logs.span(selection.within(window)) is None:
            raise NotFoundError(f"There are no predictions in the window {window}.")
    pairs = (before, after), (before.same_season(), after.same_season())
    year_ago = logs.span(selection.within(pairs[1][0])) and logs.span(selection.within(pairs[1][1]))
    windows = [*pairs[0], *(pairs[1] if year_ago else ())]
    counted = from_facts(logs, selection, windows, tree)
    if details and (not variables or any(n == "words" or ":" in n for n in variables)):
        counted |= from_details(logs, selection, windows)
    random = np.random.default_rng(seed)
    rows = []
    for variable, counts in counted.items():
        if not variables or variable.name in variables:
            row = _one(variable, counts, pairs, replicates, random, smallest)
            rows += [row] if row is not None else []
    rows.sort(key=lambda row: -(row["distances"]["hellinger"] - row["baseline"]["hellinger"]))
    return {"before": str(before), "after": str(after), "smallest": smallest, "variables": rows}


def _one(
    variable: Variable,
    counts: DayCounts,
    pairs: tuple[tuple[Window, Window], ...],
    replicates: int,
    random: np.random.Generator,
    smallest: float,
) -> dict[str, Any] | None:
    (before, after), season = pairs
    first, second = counts.within(before), counts.within(after)
    # what has one value throughout cannot move
    if not first.sum() or not second.sum() or len(counts.values) < 2:
        return None
    found = _pair(first, second, ordered=variable.ordered)
    drawn, baseline = bootstrap(
        first,
        counts.days_of(before),
        counts.days_of(after),
        ordered=variable.ordered,
        replicates=replicates,
        random=random,
        n_after=float(second.sum()),
    )
    usual = {name: float(np.quantile(value, USUAL)) for name, value in baseline.items()}
    last_year = [counts.within(window) for window in season]
    seasonal = season_usual = None
    if all(c.sum() for c in last_year):
        days = [counts.days_of(window) for window in season]
        seasonal = _pair(*last_year, ordered=variable.ordered)
        season_usual = yearly(
            *(last_year[0], days[0], last_year[1], days[1]),
            ordered=variable.ordered,
            replicates=replicates,
            random=random,
        )
    return {
        "name": variable.name,
        "label": variable.label,
        "kind": variable.kind,
        "n_before": float(first.sum()),
        "n_after": float(second.sum()),
        "distances": found,
        "baseline": {"drawn": drawn, **usual},
        "season": seasonal,
        "season_usual": season_usual,
        "verdict": _verdict(found, usual, season_usual, smallest),
    }


def _pair(first: np.ndarray, second: np.ndarray, *, ordered: bool) -> dict[str, float]:
    sums = first.sum(axis=0)[None, :], second.sum(axis=0)[None, :]
    return {name: float(v[0]) for name, v in between(*sums, ordered=ordered).items()}


def _verdict(
    found: dict[str, float],
    usual: dict[str, float],
    season: dict[str, float] | None,
    smallest: float,
) -> str:
    bar = max(usual["hellinger"], season["hellinger"] if season else 0.0)
    if found["hellinger"] <= bar:
        return USUAL_VERDICT
    return CHANGED if found["hellinger"] >= smallest else UNUSUAL
