"""Curves: what share can be coded how accurately, and whether probabilities come true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation.bootstrap import Counts, bounds, ratio
from autonoe_nace.evaluation.counts import THRESHOLDS, reaching
from autonoe_nace.evaluation.measures import BINS

Floats = NDArray[np.float64]
Row = dict[str, Any]

TARGETS = (0.80, 0.85, 0.90, 0.95, 0.98)


def risk_coverage(point: Counts, drawn: Counts) -> dict[str, Any]:
    """Return coverage and accuracy at every threshold, with intervals.

    Returns
    -------
    dict
        ``curve``: rows of ``threshold``, ``coverage`` and ``accuracy`` (``{"value", "low",
        "high"}``; None where no text reaches the threshold); ``area``: mean error over coverage,
        in [0, 1], the smaller the better; ``targets``: for some accuracies the largest coverage
        that keeps it, and its threshold (None when no threshold does).
    """
    auto, right = reaching(point["step_weight"]), reaching(point["step_hit"])
    drawn_auto, drawn_right = reaching(drawn["step_weight"]), reaching(drawn["step_hit"])
    coverage, accuracy = ratio(auto, auto[:1]), ratio(right, auto)
    ends = {
        "coverage": bounds(coverage, ratio(drawn_auto, drawn_auto[:, :1])),
        "accuracy": bounds(accuracy, ratio(drawn_right, drawn_auto)),
    }
    values = {"coverage": coverage, "accuracy": accuracy}
    curve: list[Row] = [
        {
            "threshold": float(threshold),
            **{name: _cell(values[name][i], low[i], high[i]) for name, (low, high) in ends.items()},
        }
        for i, threshold in enumerate(THRESHOLDS)
    ]
    seen = ~np.isnan(accuracy)
    # From nothing coded (where the error of the surest texts is taken) to all.
    shares = np.append(coverage[seen], 0.0)
    errors = np.append(1 - accuracy[seen], 1 - accuracy[seen][-1])
    area = float(np.trapezoid(errors[::-1], shares[::-1]))
    return {"curve": curve, "area": area, "targets": [_target(t, curve) for t in TARGETS]}


def reliability(point: Counts, drawn: Counts, prefix: str = "") -> list[Row]:
    """Return the bins of probability that hold texts.

    Returns
    -------
    list of dict
        ``from`` and ``to`` (edges), ``n`` (weighted texts), ``probability`` (mean of the first
        code) and ``accuracy`` (``{"value", "low", "high"}``).
    """
    weight, hits = (point[f"{prefix}bin_{name}"] for name in ("weight", "hit"))
    accuracy = ratio(hits, weight)
    found = ratio(drawn[f"{prefix}bin_hit"], drawn[f"{prefix}bin_weight"])
    low, high = bounds(accuracy, found)
    mean = ratio(point[f"{prefix}bin_sum"], weight)
    return [
        {
            "from": i / BINS,
            "to": (i + 1) / BINS,
            "n": float(weight[i]),
            "probability": float(mean[i]),
            "accuracy": _cell(accuracy[i], low[i], high[i]),
        }
        for i in range(BINS)
        if weight[i] > 0
    ]


def _target(wanted: float, curve: list[Row]) -> Row:
    for row in curve:  # the lowest threshold that does codes most
        if row["accuracy"] and row["accuracy"]["value"] >= wanted:
            return {
                "accuracy": wanted,
                "threshold": row["threshold"],
                "coverage": row["coverage"],
            }
    return {"accuracy": wanted, "threshold": None, "coverage": None}


def _cell(value: float, low: float, high: float) -> dict[str, float] | None:
    if np.isnan(value):
        return None
    ends = np.clip([low, high], 0, 1)
    return {"value": float(value), "low": float(ends[0]), "high": float(ends[1])}
