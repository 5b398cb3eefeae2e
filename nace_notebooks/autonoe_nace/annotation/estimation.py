"""Estimates from a stratified sample with known probabilities, each with its interval.

A plain mean over a sample that took low confidence more often says what the sample is like, not
what the production is like. Here each text counts for as many as it was drawn for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from autonoe.errors import InvalidInputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """An estimate of the population that the sample was drawn from.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Bounds of the interval at the asked-for level (95 %).
    se : float
        Standard error.
    n : int
        Texts behind it.
    n_effective : float
        Size of a simple random sample that would be as precise.
    """

    value: float
    low: float
    high: float
    se: float
    n: int
    n_effective: float

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as a plain document."""
        return asdict(self)


def share(
    values: ArrayLike,
    weights: ArrayLike,
    strata: Sequence[str],
    *,
    domain: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate a share of the population: Hájek's ratio with Wilson's interval.

    Parameters
    ----------
    values : array of bool or 0/1, length n
        Whether each sampled text has the property.
    weights : array of float, length n
        Texts of the population that each stands for: 1 / inclusion probability.
    strata : sequence of str, length n
        From which stratum each was drawn; the weights of one add up to its population.
    domain : array of bool, optional
        Estimate among these only, for example what was coded automatically.
    level : float
        Confidence level of the interval.

    Returns
    -------
    Estimate
        Without any text in the domain: 0 with the interval 0 to 1.

    Raises
    ------
    InvalidInputError
        If lengths differ, or a weight is below 1.
    """
    y, w, labels, d = _checked(values, weights, strata, domain)
    size = float((w * d).sum())
    n = int(d.sum())
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, 0.0, 0, 0.0)
    p = float((w * d * y).sum()) / size
    variance = stratified_variance(w * d * (y - p), w, labels) / size**2
    kish = float((w * d).sum() ** 2 / (w**2 * d).sum())
    # at 0 or 1 the residuals vanish and with them the variance: then the weights alone decide
    effective = p * (1 - p) / variance if variance > 0 else kish
    low, high = _wilson(p, max(effective, 1.0), level)
    return Estimate(p, low, high, math.sqrt(variance), n, effective)


def total(
    values: ArrayLike, weights: ArrayLike, strata: Sequence[str], *, level: float = 0.95
) -> Estimate:
    """Estimate the sum of ``values`` over the population: Horvitz and Thompson's estimator.

    Parameters
    ----------
    values : array of float, length n
        What is added up, for example 1 for each text of a class.
    weights, strata, level
        As for :func:`share`.

    Raises
    ------
    InvalidInputError
        If lengths differ, or a weight is below 1.
    """
    y, w, labels, _ = _checked(values, weights, strata, None)
    value = float((w * y).sum())
    se = math.sqrt(stratified_variance(w * y, w, labels))
    half = float(norm.ppf(0.5 + level / 2)) * se
    kish = float(w.sum() ** 2 / (w**2).sum()) if len(w) else 0.0
    return Estimate(value, value - half, value + half, se, len(y), kish)


def stratified_variance(z: Floats, weights: Floats, strata: NDArray[np.str_]) -> float:
    """Return the variance of the sum of ``z`` over simple random samples within strata.

    ``z`` holds each sampled text's weighted value (or residual). The finite population counts: a
    stratum that was taken whole adds nothing. A stratum with one text and more behind it is
    compared with zero, which errs to the wide side.
    """
    variance = 0.0
    for label in np.unique(strata):
        rows = strata == label
        n, population = int(rows.sum()), float(weights[rows].sum())
        left_out = max(0.0, 1 - n / population)
        part = z[rows]
        if n == 1:
            variance += left_out * float(part[0] ** 2)
        else:
            variance += left_out * n / (n - 1) * float(((part - part.mean()) ** 2).sum())
    return variance


def _checked(
    values: ArrayLike, weights: ArrayLike, strata: Sequence[str], domain: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.str_], Floats]:
    y = np.asarray(values, dtype=np.float64)
    w = np.asarray(weights, dtype=np.float64)
    labels = np.asarray(strata, dtype=np.str_)
    d = np.ones_like(y) if domain is None else np.asarray(domain, dtype=np.float64)
    if not len(y) == len(w) == len(labels) == len(d):
        raise InvalidInputError(
            f"{len(y)} values, {len(w)} weights, {len(labels)} strata, {len(d)} in or out.",
            hint="Give one of each for every text.",
        )
    if len(w) and not (np.isfinite(w).all() and w.min() > 1 - 1e-9):
        raise InvalidInputError(
            "A weight is below 1: a text stands for itself at least.",
            hint="Weights are 1 / inclusion probability.",
        )
    return y, w, labels, d


def _wilson(p: float, n: float, level: float) -> tuple[float, float]:
    z = float(norm.ppf(0.5 + level / 2))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)
