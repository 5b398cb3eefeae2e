"""Single figures from plain sequences: a proportion's interval, macro-F1, calibration error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from autonoe.errors import InvalidInputError

BINS = 15
"""Bins of equal width in which probabilities are compared with what came true."""

_Z95 = 1.959963984540054


def wilson(successes: float, n: float) -> dict[str, float]:
    """Return a proportion with its 95 % interval after Wilson: ``{"value", "low", "high"}``.

    Parameters
    ----------
    successes, n : float
        Counts; with weights, the effective number of texts and the part of it that is right.

    Raises
    ------
    InvalidInputError
        If ``n`` is not positive.
    """
    if n <= 0:
        raise InvalidInputError("A proportion of no texts is not defined.", hint="Give texts.")
    p = successes / n
    centre = (p + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + _Z95**2 / (4 * n * n)) / (1 + _Z95**2 / n)
    # Rounding must not put the value itself outside its interval.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"value": p, "low": min(low, p), "high": max(high, p)}


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean F1 over the codes that occur in ``truth``, every code weighing the same."""
    right = Counter(t for t, p in zip(truth, predicted, strict=True) if t == p)
    true, given = Counter(truth), Counter(predicted)
    scores = [2 * right[code] / (true[code] + given[code]) for code in true]
    return sum(scores) / len(scores)


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error over 15 equal-width bins, in [0, 1]."""
    values, hits = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((values * BINS).astype(int), BINS - 1)
    gaps = np.zeros(BINS)
    np.add.at(gaps, bins, hits - values)
    return float(np.abs(gaps).sum() / len(values))
