"""What a threshold costs, and which one costs least.

A text below the threshold takes a person's time. A text above it costs nothing now, and what a
wrong code costs when it is wrong. The recommended threshold makes the sum smallest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import InvalidInputError
from autonoe.validation import mistakes
from autonoe_nace.evaluation.bootstrap import HIGH, LOW, Counts, bounds, ratio
from autonoe_nace.evaluation.counts import THRESHOLDS, reaching
from autonoe_nace.nomenclature import Nomenclature

Floats = NDArray[np.float64]

FEWEST = 200
"""Texts of a section from which on it gets a threshold of its own."""


class Costs(BaseModel):
    """What coding costs; the currency is yours, the same in all fields.

    Attributes
    ----------
    minutes_per_review : float
        Minutes that a person needs to code one text.
    hourly_wage : float
        What an hour of that person costs the office.
    wrong_code : float
        What one wrong code in the register costs: corrections, letters, biased figures.
    review_error : float
        Share of texts that the person codes wrongly too, in [0, 1).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes_per_review: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    hourly_wage: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    wrong_code: float = Field(default=5.0, ge=0, allow_inf_nan=False)
    review_error: float = Field(default=0.0, ge=0, lt=1)

    @classmethod
    def of(cls, **values: Any) -> Costs:
        """Return the costs with ``values``, the rest being defaults.

        Raises
        ------
        InvalidInputError
            If a name is unknown or a value out of range.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            raise InvalidInputError(
                f"The costs are not usable: {mistakes(error, whole='together')}.",
                hint=f"Known: {', '.join(cls.model_fields)}.",
            ) from error

    @property
    def of_review(self) -> float:
        """Cost of coding one text by a person, wrong codes included."""
        return self.minutes_per_review / 60 * self.hourly_wage + self.review_error * self.wrong_code

    def per_text(self, weight: Floats, hits: Floats) -> Floats:
        """Return the mean cost of a text at each threshold.

        Parameters
        ----------
        weight, hits : array, last axis: steps of confidence
            Weighted texts, and those coded rightly, at each step.
        """
        auto, right = reaching(weight), reaching(hits)
        total = auto[..., :1]
        return ratio((auto - right) * self.wrong_code + (total - auto) * self.of_review, total)


def cheapest(cost: Floats) -> NDArray[np.intp]:
    """Return the position of the smallest cost; of equal ones the highest threshold.

    The higher of two equally dear thresholds lets fewer wrong codes through.
    """
    last = cost.shape[-1] - 1
    rounded = np.flip(np.round(np.nan_to_num(cost, nan=np.inf), 12), axis=-1)
    return np.asarray(last - rounded.argmin(axis=-1), dtype=np.intp)


def recommend(costs: Costs, point: Counts, drawn: Counts, prefix: str = "") -> dict[str, Any]:
    """Return the threshold that costs least, what it brings, and the interval of each.

    Returns
    -------
    dict
        ``threshold`` (``{"value", "low", "high"}``), ``coverage`` (share coded automatically),
        ``accuracy`` (of those), ``cost_per_1000``, ``all_by_hand_per_1000``,
        ``hours_saved_per_1000`` and ``curve``: cost per 1,000 texts at every threshold with its
        interval. The intervals beside the threshold's own are those at the recommended threshold.
    """
    names = [f"{prefix}step_weight", f"{prefix}step_hit"]
    weight, hits = (point[name] for name in names)
    drawn_weight, drawn_hits = (drawn[name] for name in names)
    cost, costs_drawn = costs.per_text(weight, hits), costs.per_text(drawn_weight, drawn_hits)
    low, high = bounds(cost, costs_drawn)
    at = int(cheapest(cost))
    found = np.percentile(THRESHOLDS[cheapest(costs_drawn)], [LOW, HIGH])
    value = float(THRESHOLDS[at])
    shares = {
        "coverage": (_coverage(weight), _coverage(drawn_weight)),
        "accuracy": (_accuracy(weight, hits), _accuracy(drawn_weight, drawn_hits)),
    }
    rows = {name: _at(at, *pair) for name, pair in shares.items()}
    coverage = rows["coverage"]["value"] or 0.0
    return {
        "threshold": {
            "value": value,
            "low": min(float(found[0]), value),
            "high": max(float(found[1]), value),
        },
        **rows,
        "cost_per_1000": _scaled(cost[at], low[at], high[at]),
        "all_by_hand_per_1000": costs.of_review * 1000,
        "hours_saved_per_1000": coverage * costs.minutes_per_review / 60 * 1000,
        "curve": [
            {"threshold": float(t), **_scaled(cost[i], low[i], high[i])}
            for i, t in enumerate(THRESHOLDS)
        ],
    }


def by_section(
    costs: Costs,
    point: Counts,
    drawn: Counts,
    texts: dict[str, int],
    tree: Nomenclature,
    overall: float,
    fewest: int = FEWEST,
) -> list[dict[str, Any]]:
    """Return a threshold for each section that was answered; the overall one where n is small.

    Parameters
    ----------
    costs : Costs
        What coding costs.
    point, drawn : mapping of str to array
        With ``section_step_weight`` and ``section_step_hit``, sections after each other.
    texts : dict of str to int
        Texts answered with a code of each section, in the order of the columns.
    tree : Nomenclature
        For the titles.
    overall : float
        Threshold of the sections with fewer than ``fewest`` texts.
    fewest : int
        Texts from which on a section gets a threshold of its own.
    """
    rows = []
    for i, (section, n) in enumerate(texts.items()):
        if not n:
            continue
        row: dict[str, Any] = {"section": section, "title": tree.title(section), "n": n}
        part = slice(i * len(THRESHOLDS), (i + 1) * len(THRESHOLDS))
        blocks = {"step_weight": "section_step_weight", "step_hit": "section_step_hit"}
        mine = {name: point[block][..., part] for name, block in blocks.items()}
        theirs = {name: drawn[block][..., part] for name, block in blocks.items()}
        if n < fewest:
            threshold = {"value": overall, "low": None, "high": None}
            at = int(np.searchsorted(THRESHOLDS, overall))
            coverage = _at(at, _coverage(mine["step_weight"]), _coverage(theirs["step_weight"]))
            rows.append({**row, "own": False, "threshold": threshold, "coverage": coverage})
            continue
        found = recommend(costs, mine, theirs)
        del found["curve"]
        rows.append({**row, "own": True, **found})
    return rows


def _coverage(weight: Floats) -> Floats:
    auto = reaching(weight)
    return ratio(auto, auto[..., :1])


def _accuracy(weight: Floats, hits: Floats) -> Floats:
    return ratio(reaching(hits), reaching(weight))


def _at(at: int, point: Floats, drawn: Floats) -> dict[str, float | None]:
    low, high = bounds(point[at : at + 1], drawn[:, at : at + 1])
    if np.isnan(point[at]):
        return {"value": None, "low": None, "high": None}
    ends = np.clip([low[0], high[0]], 0, 1)
    return {"value": float(point[at]), "low": float(ends[0]), "high": float(ends[1])}


def _scaled(value: float, low: float, high: float) -> dict[str, float]:
    return {name: float(x) * 1000 for name, x in (("value", value), ("low", low), ("high", high))}
