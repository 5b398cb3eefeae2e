"""Two answers to the same texts: the difference in accuracy and what chance could make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 250
"""Replicates drawn at once: bounds the memory at 10,000 texts to 20 MB."""


@dataclass(frozen=True)
class Estimate:
    """A share, or a difference of two, with its bootstrap interval."""

    value: float
    low: float
    high: float


def paired_bootstrap(
    values: Floats,
    weights: Floats,
    *,
    confidence: float = 0.95,
    replicates: int = 4_000,
    seed: int = 1,
) -> list[Estimate]:
    """Return the weighted mean of each column of ``values`` with its percentile interval.

    All columns are resampled together, text by text: that is what makes differences paired.

    Parameters
    ----------
    values : array, texts x columns
        What was observed of each text, such as right or wrong by each model and the difference.
    weights : array, one per text
        Positive; inverse inclusion probabilities of a sample, or ones.
    confidence : float
        Of the interval, in (0, 1).
    replicates : int
        Bootstrap samples.
    seed : int
        Of the random numbers: the same data give the same interval.
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    weighted = values * weights[:, None]
    means = []
    for start in range(0, replicates, _BLOCK):
        size = min(_BLOCK, replicates - start)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        means.append((counts @ weighted) / (counts @ weights)[:, None])
    drawn = np.concatenate(means)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    found = weighted.sum(axis=0) / weights.sum()
    return [Estimate(*map(float, row)) for row in zip(found, low, high, strict=True)]
