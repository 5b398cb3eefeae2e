"""Distances between two distributions that were counted by class.

All are effect sizes: they do not grow with the number of rows, as a test statistic does. With 10
million rows every test is significant; whether a change is large is another question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autonoe.errors import InvalidInputError

_PRIOR = 0.5
"""Added to each class before logarithms are taken (Jeffreys): a class may be empty once."""


def distances(
    before: Mapping[Any, float], after: Mapping[Any, float], *, ordered: bool = False
) -> dict[str, float]:
    """Return how far two counted distributions are apart.

    Parameters
    ----------
    before, after : mapping of class to count
        Classes that one of them lacks count as 0 there.
    ordered : bool
        Whether the classes are numbers; then ``ks`` is given too.

    Returns
    -------
    dict
        As :func:`between` has it, with ``n_before`` and ``n_after``.

    Raises
    ------
    InvalidInputError
        If one of them is empty.

    Examples
    --------
    >>> same = distances({"a": 10, "b": 10}, {"a": 1, "b": 1})
    >>> same["hellinger"], same["cramers_v"]
    (0.0, 0.0)
    """
    values: list[Any] = list({**before, **after})
    values.sort(key=None if ordered else str)
    first = np.array([before.get(value, 0) for value in values], dtype=float)
    second = np.array([after.get(value, 0) for value in values], dtype=float)
    if not first.sum() or not second.sum():
        raise InvalidInputError("A distribution without any row has no distance to another.")
    found = between(first[None, :], second[None, :], ordered=ordered)
    sizes = {"n_before": float(first.sum()), "n_after": float(second.sum())}
    return {name: float(value[0]) for name, value in found.items()} | sizes


def between(first: np.ndarray, second: np.ndarray, *, ordered: bool) -> dict[str, np.ndarray]:
    """Return the distances of many pairs at once.

    Parameters
    ----------
    first, second : array of float, pairs x classes
        Counts; no row is all 0.
    ordered : bool
        Whether the classes are in the order of a number.

    Returns
    -------
    dict of array of float, one a pair
        ``hellinger`` in [0, 1]; ``bhattacharyya`` from 0, infinite without a common class;
        ``kullback_leibler`` of ``second`` from ``first`` in nats, with half a row added to each
        class; ``chi_squared`` of the table of 2 rows, and ``cramers_v`` in [0, 1], which is that
        without the number of rows; ``ks`` in [0, 1] for ordered classes.
    """
    p = first / first.sum(axis=1, keepdims=True)
    q = second / second.sum(axis=1, keepdims=True)
    overlap = np.minimum(1.0, np.sqrt(p * q).sum(axis=1))
    # rounding can leave a hair of distance between equal distributions
    overlap = np.where(np.isclose(overlap, 1.0, rtol=0, atol=1e-12), 1.0, overlap)
    with np.errstate(divide="ignore"):
        bhattacharyya = np.abs(-np.log(overlap))
    used = (first + second).sum(axis=0) > 0
    smooth_p, smooth_q = _smoothed(first[:, used]), _smoothed(second[:, used])
    total = first + second
    n = total.sum(axis=1, keepdims=True)
    chi_squared = np.zeros(len(first))
    for part in (first, second):
        expected = total * part.sum(axis=1, keepdims=True) / n
        gap = np.divide((part - expected) ** 2, expected, out=np.zeros_like(p), where=expected > 0)
        chi_squared += gap.sum(axis=1)
    found = {
        "hellinger": np.sqrt(1.0 - overlap),
        "bhattacharyya": bhattacharyya,
        "kullback_leibler": (smooth_q * np.log(smooth_q / smooth_p)).sum(axis=1),
        "chi_squared": chi_squared,
        "cramers_v": np.sqrt(chi_squared / n[:, 0]),
    }
    if ordered:
        found["ks"] = np.abs(np.cumsum(p, axis=1) - np.cumsum(q, axis=1)).max(axis=1)
    return found


def _smoothed(counts: np.ndarray) -> np.ndarray:
    smooth: np.ndarray = counts + _PRIOR
    shares: np.ndarray = smooth / smooth.sum(axis=1, keepdims=True)
    return shares
