"""What a look-up by rules does with the same texts: the floor for any model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autonoe_nace.data import Dataset
from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, Counts, Floats, estimate, ratio
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.lookup.baseline import summary, truth_at

_SHARES = {
    "auto_rate": ("coded", "weight"),
    "accuracy": ("right", "coded"),
    "right": ("right", "weight"),
}


def lookup_figures(
    index: LookupIndex, data: Dataset, weights: Floats, draws: Bootstrap
) -> dict[str, Any]:
    """Return the share of texts that the rules code, and how well, with intervals.

    Parameters
    ----------
    index : LookupIndex
        The rules engine, built from what the model was trained on.
    data : Dataset
        The labelled texts that the model is judged on.
    weights : array, one per text
        The weights that the model is judged with.
    draws : Bootstrap
        The draws that the model is judged with.

    Returns
    -------
    dict
        That of :func:`autonoe_nace.lookup.lookup_baseline` (unweighted counts), with ``auto_rate``
        (share that gets a code), ``accuracy`` (of those) and ``right`` (share of all texts that
        get the right code), each weighted ``{"value", "low", "high"}``.

    Raises
    ------
    InvalidInputError
        If no text has a code at the level of the index.
    """
    truth = truth_at(data.codes, data.nomenclature, index.level)
    answers = index.code_all(data.texts, data.feature_rows())
    rows = np.array([i for i, code in enumerate(truth) if code is not None], dtype=np.intp)
    coded = np.array([answers[i].code is not None for i in rows], dtype=float)
    right = np.array([answers[i].code == truth[i] for i in rows], dtype=float)
    columns = Columns(len(data))
    columns.add("weight", rows, weights[rows])
    columns.add("coded", rows, weights[rows] * coded)
    columns.add("right", rows, weights[rows] * right)
    point, drawn = draws.totals(columns)
    shares: dict[str, Any] = {
        name: estimate(_share(*pair), point, drawn, within=(0, 1)) for name, pair in _SHARES.items()
    }
    if not coded.any():
        shares["accuracy"] = {"value": None, "low": None, "high": None}
    return {**summary(index, truth, answers), **shares}


def _share(top: str, bottom: str) -> Callable[[Counts], Floats]:
    return lambda counts: ratio(counts[top][..., 0], counts[bottom][..., 0])
