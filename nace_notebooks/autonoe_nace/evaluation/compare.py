"""Two models on the same texts: what differs, and whether that can be chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import figures
from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, Counts, bounds
from autonoe_nace.evaluation.counts import add_level
from autonoe_nace.evaluation.outcomes import TOP, LevelOutcomes, Outcomes, observe
from autonoe_nace.model import NaceModel

Floats = NDArray[np.float64]
Figure = Callable[[Counts, str], Floats]


def compare(
    model_a: NaceModel,
    model_b: NaceModel,
    data: Dataset,
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[int] | None = None,
    replicates: int = 1_000,
    seed: int = 1,
) -> dict[str, Any]:
    """Return how two models differ on the same texts, at each level that both answer.

    Parameters
    ----------
    model_a, model_b : NaceModel
        Differences are those of B minus A.
    data : Dataset
        Labelled texts that neither learned from.
    weights : sequence of float, optional
        One per text: the inverse of its inclusion probability.
    clusters : sequence of int, optional
        Texts with the same number are drawn together.
    replicates, seed : int
        Of the bootstrap: the same texts are drawn for both models.

    Returns
    -------
    dict
        ``{"n", "a", "b", "levels": {"4": {"n", "top1": {"a", "b", "difference", "low", "high"},
        ..., "top5", "macro_f1", "brier", "ece", "pairs": {"both", "only_a", "only_b", "neither",
        "p_value"}}}}``. ``low`` and ``high`` bound the difference with 95 %; ``pairs`` counts texts
        by who is right, and ``p_value`` is McNemar's, exact and unweighted.

    Raises
    ------
    InvalidInputError
        If the nomenclatures differ, there is no text, or weights or clusters do not fit.
    """
    names = {model.nomenclature.name for model in (model_a, model_b)}
    if len(names) > 1:
        raise InvalidInputError(
            f"The models code to different nomenclatures: {', '.join(sorted(names))}.",
            hint="Compare models of the same nomenclature.",
        )
    found = [observe(model, data, weights=weights) for model in (model_a, model_b)]
    draws = Bootstrap(len(data), replicates=replicates, seed=seed, clusters=clusters)
    shared = sorted(set(found[0].levels) & set(found[1].levels))
    return {
        "n": len(data),
        "a": model_a.id,
        "b": model_b.id,
        "levels": {str(level): _differences(found, level, draws) for level in shared},
        "report": data.report.to_dict(),
    }


def _differences(found: Sequence[Outcomes], level: int, draws: Bootstrap) -> dict[str, Any]:
    columns = Columns(found[0].n)
    for prefix, outcomes in zip("ab", found, strict=True):
        add_level(columns, outcomes.levels[level], outcomes.weights, f"{prefix}.")
    point, drawn = draws.totals(columns)
    measured: dict[str, Figure] = {
        **{f"top{k}": _top(k) for k in range(1, TOP + 1)},
        "macro_f1": lambda counts, p: figures.macro(figures.f1(counts, p), counts, p),
        "brier": figures.brier,
        "ece": figures.calibration,
    }
    rows = {name: _difference(figure, point, drawn) for name, figure in measured.items()}
    a, b = (outcomes.levels[level] for outcomes in found)
    return {"n": len(a.rows), **rows, "pairs": _pairs(a, b)}


def _top(k: int) -> Figure:
    return lambda counts, prefix: figures.top_k(counts, k, prefix)


def _difference(figure: Figure, point: Counts, drawn: Counts) -> dict[str, float]:
    a, b = (float(figure(point, f"{name}.")) for name in "ab")
    replicates = figure(drawn, "b.") - figure(drawn, "a.")
    low, high = bounds(np.array([b - a]), replicates.reshape(-1, 1))
    return {"a": a, "b": b, "difference": b - a, "low": float(low[0]), "high": float(high[0])}


def _pairs(a: LevelOutcomes, b: LevelOutcomes) -> dict[str, float]:
    """Count texts by who is right; McNemar's test asks whether the odd ones split evenly."""
    from scipy.stats import binomtest

    by_a, by_b = a.right, b.right
    only_a, only_b = int((by_a & ~by_b).sum()), int((by_b & ~by_a).sum())
    odd = only_a + only_b
    return {
        "both": int((by_a & by_b).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~by_a & ~by_b).sum()),
        "p_value": float(binomtest(only_a, odd).pvalue) if odd else 1.0,
    }
