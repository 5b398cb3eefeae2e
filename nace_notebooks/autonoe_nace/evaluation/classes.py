"""Each code by itself: how many texts, how well they are found, and what that does to counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation import figures
from autonoe_nace.evaluation.bootstrap import Counts, bounds
from autonoe_nace.evaluation.measures import wilson
from autonoe_nace.evaluation.outcomes import LevelOutcomes
from autonoe_nace.nomenclature import Nomenclature

Floats = NDArray[np.float64]


def class_rows(
    found: LevelOutcomes, tree: Nomenclature, point: Counts, drawn: Counts, prefix: str
) -> list[dict[str, Any]]:
    """Return one row a code that texts or answers have, in the order of the nomenclature.

    Returns
    -------
    list of dict
        ``code``, ``title``, ``n`` (texts), ``true`` and ``given`` (weighted counts of truth and
        answers), ``expected`` (sum of the probabilities), ``bias`` (``given - true``) and
        ``relative_bias``, ``precision``, ``recall``, ``f1``: each ``{"value", "low", "high"}``,
        None where it is not defined. The bootstrap knows no uncertainty where all texts of a code
        are right, or all wrong: there the interval of precision and recall is Wilson's.
    """
    texts = np.bincount(found.truth, minlength=len(found.codes))
    expected = np.zeros(len(found.codes))
    expected[: found.known] = found.probabilities
    measured = {
        "bias": figures.bias,
        "relative_bias": figures.relative_bias,
        "precision": figures.precision,
        "recall": figures.recall,
        "f1": figures.f1,
    }
    cells = {}
    for name, figure in measured.items():
        value = figure(point, prefix)
        low, high = bounds(value, figure(drawn, prefix))
        if not name.endswith("bias"):
            low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        cells[name] = (value, low, high)
    answers = np.bincount(found.first, minlength=len(found.codes))
    for name, sizes in (("precision", answers), ("recall", texts)):
        _widen(*cells[name], sizes)
    order = {code: i for i, code in enumerate(tree.nodes)}
    shown = [i for i in range(len(found.codes)) if texts[i] or answers[i]]
    shown.sort(key=lambda i: order[found.codes[i]])
    return [
        {
            "code": found.codes[i],
            "title": tree.title(found.codes[i]),
            "n": int(texts[i]),
            "true": float(point[f"{prefix}true"][i]),
            "given": float(point[f"{prefix}given"][i]),
            "expected": float(expected[i]),
            **{name: _cell(*(part[i] for part in parts)) for name, parts in cells.items()},
        }
        for i in shown
    ]


def _widen(value: Floats, low: Floats, high: Floats, sizes: NDArray[np.intp]) -> None:
    """Put Wilson's interval where all replicates agree."""
    for i in np.flatnonzero((low == high) & (sizes > 0) & ~np.isnan(value)):
        size = int(sizes[i])
        found = wilson(float(value[i]) * size, size)
        low[i], high[i] = found["low"], found["high"]


def _cell(value: float, low: float, high: float) -> dict[str, float] | None:
    if np.isnan(value):
        return None
    return {"value": float(value), "low": float(low), "high": float(high)}
