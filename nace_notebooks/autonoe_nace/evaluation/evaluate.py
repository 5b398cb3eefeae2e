"""The short evaluation: accuracy and calibration at each level, with Wilson's intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import figures
from autonoe_nace.evaluation.bootstrap import Columns, Counts
from autonoe_nace.evaluation.counts import add_level
from autonoe_nace.evaluation.measures import wilson
from autonoe_nace.evaluation.outcomes import TOP, LevelOutcomes, Outcomes, observe
from autonoe_nace.model import NaceModel


def evaluate(
    model: NaceModel,
    data: Dataset,
    *,
    weights: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return the accuracy of ``model`` on ``data`` at each level.

    A text whose code is broader than a level does not count there, so ``n`` can differ by level.
    A code that the model has never seen counts as wrong. :func:`autonoe_nace.evaluation.assess`
    tells more.

    Parameters
    ----------
    model : NaceModel
        The model to judge.
    data : Dataset
        Labelled texts that it did not learn from.
    weights : sequence of float, optional
        One per text: the inverse of its inclusion probability.

    Returns
    -------
    dict
        ``{"n", "model", "levels": {"4": {...}, ...}, "report"}``. A level holds ``n``, ``top1`` to
        ``top5`` (``{"value", "low", "high"}``, 95 % Wilson intervals), ``macro_f1``, ``ece`` and
        ``brier``.

    Raises
    ------
    InvalidInputError
        If there is no text to judge it on, or the weights do not fit.
    """
    found = observe(model, data, weights=weights)
    return {
        "n": found.n,
        "model": found.model,
        "levels": {str(level): summary(found, rows) for level, rows in found.levels.items()},
        "report": data.report.to_dict(),
    }


def summary(found: Outcomes, level: LevelOutcomes) -> dict[str, Any]:
    """Return the figures of one level."""
    columns = Columns(found.n)
    add_level(columns, level, found.weights)
    total = columns.matrix().sum(axis=0).A1
    counts: Counts = columns.named(total)
    size = effective_size(found, level)
    shares = [float(figures.top_k(counts, k)) for k in range(1, TOP + 1)]
    return {
        "n": len(level.rows),
        **{f"top{k}": wilson(share * size, size) for k, share in enumerate(shares, start=1)},
        "macro_f1": float(figures.macro(figures.f1(counts), counts)),
        "ece": float(figures.calibration(counts)),
        "brier": float(figures.brier(counts)),
    }


def effective_size(found: Outcomes, level: LevelOutcomes) -> float:
    """Return Kish's effective number of texts: as many equal ones would tell as much."""
    weights = found.weights[level.rows]
    return float(weights.sum() ** 2 / (weights**2).sum())
