"""The 95 % interval of a count of units of unlike weights, against laws that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import binom, poisson

from autonoe_nace.recoding.spread import SINGLE, Count

Units = Sequence[tuple[float, float]]


def counted(units: Units) -> Count:
    """Return the count of units given as (weight, chance), as a query would sum them up."""
    found = Count()
    uncertain = [(w, p) for w, p in units if p < 1]
    found.add(
        sum(w * p for w, p in units),
        sum(w * w * p * (1 - p) for w, p in units),
        sum(w * p * (1 - p) for w, p in units),
        sum(w * p for w, p in uncertain),
        sorted(uncertain, key=lambda unit: -(unit[0] ** 2) * unit[1] * (1 - unit[1]))[:SINGLE],
    )
    return found


@pytest.mark.parametrize(
    ("units", "interval"),
    [
        ([], (0, 0)),
        ([(3, 1.0), (4, 1.0)], (7, 7)),
        # one unit that is or is not: both can be, unless one has less than 2.5 %
        ([(5, 0.15)], (0, 5)),
        ([(5, 0.85)], (0, 5)),
        ([(5, 0.01)], (0, 0.05)),
        ([(5, 0.99)], (4.95, 5)),
        ([(2, 1.0), (5, 0.15)], (2, 7)),
    ],
)
def test_few_units_have_what_can_be(units: Units, interval: tuple[float, float]) -> None:
    assert counted(units).interval() == pytest.approx(interval)


@pytest.mark.parametrize(
    ("units", "law", "weight"),
    [
        ([(2.0, 0.3)] * 30, binom(30, 0.3), 2.0),
        ([(2.0, 0.3)] * 200, binom(200, 0.3), 2.0),
        ([(1.0, 0.9)] * 5_000, binom(5_000, 0.9), 1.0),
        ([(1.0, 1e-5)] * 100_000, poisson(1), 1.0),
        ([(3.0, 1e-4)] * 100_000, poisson(10), 3.0),
    ],
)
def test_units_alike_are_binomial(
    units: Units,
    law: object,
    weight: float,
) -> None:
    ends = np.array(counted(units).interval())
    exact = weight * np.asarray(law.ppf([0.025, 0.975]))  # type: ignore[attr-defined]
    assert np.abs(ends - exact).max() <= max(weight, 0.002 * exact[1]), (ends, exact)


def test_one_large_unit_among_small_ones_is_seen() -> None:
    units = [(100.0, 0.1), *[(1.0, 0.5)] * 1_000]
    count = counted(units)
    low, high = count.interval()
    rng = np.random.default_rng(7)
    truth = 100 * (rng.random(20_000) < 0.1) + rng.binomial(1_000, 0.5, 20_000)
    held = ((low <= truth) & (truth <= high)).mean()
    assert held == pytest.approx(0.95, abs=0.01)
    half = 1.96 * count.variance**0.5
    normal = (np.abs(truth - count.n) <= half).mean()
    assert normal < 0.93, "two standard deviations hold too few"


def test_two_registers_add_up() -> None:
    units = [(1 + i / 10, 0.1 + (i * 37 % 120) / 150) for i in range(120)]
    both = counted(units[:60])
    other = counted(units[60:])
    both.add(other.n, other.variance, other.mixed, other.open, other.largest)
    whole = counted(units)
    assert sorted(both.largest) == sorted(whole.largest)
    assert both.interval() == pytest.approx(whole.interval())
