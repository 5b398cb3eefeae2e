"""How far a count can be from its expectation: a sum of independent units of unlike weights.

A normal interval would do for many units of like weight. A code has often a handful, or one large
firm among small ones, and then two standard deviations hold the truth too rarely. So the units
that matter most are drawn one by one, and only the rest is taken for a binomial sum of equal units.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SINGLE = 50
"""Units of a count that are drawn one by one: those that add most to its variance."""

_DRAWS = 4_000
_SEED = 1
_TAIL = 0.025
_LIKE_NORMAL = 1e9
"""Equal units from which their sum is drawn as a normal one: numpy cannot count further."""


@dataclass
class Count:
    """A count in the making: the sum of the weights of the units that have a code.

    Attributes
    ----------
    n : float
        Expectation: sum of weight times chance.
    variance : float
        Sum of squared weight times chance times its complement.
    mixed : float
        Sum of weight times chance times its complement.
    open : float
        The part of ``n`` that is not certain.
    largest : list of (float, float)
        Weight and chance of the uncertain units that add most to the variance.
    """

    n: float = 0.0
    variance: float = 0.0
    mixed: float = 0.0
    open: float = 0.0
    largest: list[tuple[float, float]] = field(default_factory=list)

    def add(
        self,
        n: float,
        variance: float = 0.0,
        mixed: float = 0.0,
        uncertain: float = 0.0,
        largest: Iterable[tuple[float, float]] = (),
    ) -> None:
        """Add what another register holds of the same code and period."""
        self.n += n
        self.variance += variance
        self.mixed += mixed
        self.open += uncertain
        self.largest = sorted([*self.largest, *largest], key=_spread, reverse=True)[:SINGLE]

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the count; both ends are ``n`` where nothing is uncertain.

        The same count has the same interval each time.
        """
        if self.variance <= 0 or not self.largest:
            return self.n, self.n
        weights, chances = (np.array(column) for column in zip(*self.largest, strict=True))
        drawn = (_UNIFORM[:, : len(weights)] < chances) @ weights
        expected = float(weights @ chances)
        mixed = float(weights @ (chances * (1 - chances)))
        variance = float(weights**2 @ (chances * (1 - chances)))
        rest = (self.open - expected, self.mixed - mixed, self.variance - variance)
        total = self.n - self.open + drawn + _drawn(*rest)
        low, high = np.quantile(total, [_TAIL, 1 - _TAIL], method="inverted_cdf")
        return min(float(low), self.n), max(float(high), self.n)


def _spread(unit: tuple[float, float]) -> float:
    weight, chance = unit
    return weight * weight * chance * (1 - chance)


def _drawn(expected: float, mixed: float, variance: float) -> Floats:
    """Return draws of a sum with this expectation and variance, as if of equal units."""
    if min(expected, mixed, variance) <= 1e-9:
        return np.full(_DRAWS, max(0.0, expected))
    weight = variance / mixed
    chance = min(1.0, max(1e-12, 1 - mixed / expected))
    units = max(1.0, round(expected / weight / chance))
    rng = np.random.default_rng(_SEED)
    if units > _LIKE_NORMAL:
        like_normal: Floats = expected + np.sqrt(variance) * rng.standard_normal(_DRAWS)
        return like_normal
    chance = min(1.0, expected / weight / units)
    return np.asarray(weight * rng.binomial(int(units), chance, _DRAWS), dtype=float)


_UNIFORM = np.random.default_rng(_SEED + 1).random((_DRAWS, SINGLE))
