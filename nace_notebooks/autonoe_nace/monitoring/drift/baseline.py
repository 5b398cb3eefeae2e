"""What is usual: how far two windows are apart when nothing has changed.

Days differ from one another, whatever the number of rows; so days, not rows, are what is drawn
anew. A baseline from rows would shrink with their number, and at a register's size every change
would be "significant".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

import numpy as np

from autonoe_nace.monitoring.drift.distances import between

USUAL = 0.95
"""Share of pairs of windows without a change that are no further apart than what is usual."""
ENOUGH_DAYS = 5
"""Days from which on days can be drawn; of fewer, rows are drawn, and the report says so."""
_TWO_WEEKS = 14


def bootstrap(
    reference: np.ndarray,
    reference_days: Sequence[date],
    after_days: Sequence[date],
    *,
    ordered: bool,
    replicates: int,
    random: np.random.Generator,
    n_after: float,
) -> tuple[str, dict[str, np.ndarray]]:
    """Return distances between pairs of windows that are both drawn from the reference.

    Parameters
    ----------
    reference : array of float, days x classes
        Counts of the reference window.
    reference_days, after_days : sequence of date
        Days of both windows; each drawn day has the weekday of the one that it stands for when
        the reference is two weeks long.
    ordered : bool
        Whether the classes are in the order of a number.
    replicates : int
        Pairs to draw.
    random : numpy.random.Generator
        Source of the draws.
    n_after : float
        Rows of the other window.

    Returns
    -------
    str
        ``days`` or ``rows``: what was drawn.
    dict of array
        As :func:`~autonoe_nace.monitoring.drift.distances.between` returns it.
    """
    if len(reference) < ENOUGH_DAYS:
        total = reference.sum(axis=0)
        share = total / total.sum()
        first = random.multinomial(int(total.sum()), share, size=replicates)
        second = random.multinomial(max(1, int(n_after)), share, size=replicates)
        return "rows", between(first.astype(float), second.astype(float), ordered=ordered)
    first = _drawn(reference, reference_days, reference_days, replicates, random)
    second = _drawn(reference, reference_days, after_days, replicates, random)
    return "days", between(first, second, ordered=ordered)


def yearly(
    first: np.ndarray,
    first_days: Sequence[date],
    second: np.ndarray,
    second_days: Sequence[date],
    *,
    ordered: bool,
    replicates: int,
    random: np.random.Generator,
) -> dict[str, float]:
    """Return how far two windows get apart in 95 of 100 years that change as this one did.

    Parameters
    ----------
    first, second : array of float, days x classes
        Counts of the two windows, with rows in each.
    first_days, second_days : sequence of date
        Their days.
    ordered : bool
        Whether the classes are in the order of a number.
    replicates : int
        Pairs to draw.
    random : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    dict of float
        As :func:`~autonoe_nace.monitoring.drift.distances.between` names them.
    """
    pairs = ((first, first_days), (second, second_days))
    if min(len(first), len(second)) < ENOUGH_DAYS:
        drawn = [
            random.multinomial(int(c.sum()), c.sum(axis=0) / c.sum(), size=replicates).astype(float)
            for c, _ in pairs
        ]
    else:
        drawn = [_drawn(counts, days, days, replicates, random) for counts, days in pairs]
    around = between(*drawn, ordered=ordered)
    seen = between(*(c.sum(axis=0)[None, :] for c, _ in pairs), ordered=ordered)
    bars = {}
    for name, values in around.items():
        point = float(seen[name][0])
        # that year's distance is a draw itself, and so is this year's: their difference spreads
        # √2 times as far as one of them does
        bars[name] = point + math.sqrt(2) * max(0.0, float(np.quantile(values, USUAL)) - point)
    return bars


def _drawn(
    reference: np.ndarray,
    known: Sequence[date],
    wanted: Sequence[date],
    replicates: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Return the summed counts of ``replicates`` windows with as many days as ``wanted``."""
    by_weekday: dict[int, list[int]] = defaultdict(list)
    for place, day in enumerate(known):
        by_weekday[day.weekday()].append(place)
    everything = list(range(len(known)))
    total = np.zeros((replicates, reference.shape[1]))
    for day in wanted:
        same = by_weekday.get(day.weekday(), [])
        # one Sunday alone would be drawn again and again, and look as if Sundays never differed
        pool = same if len(known) >= _TWO_WEEKS and len(same) > 1 else everything
        days = reference[pool]
        # of m days those drawn spread less than days do, by (m - 1) / m (Rao and Wu, 1988)
        wider = math.sqrt(len(pool) / (len(pool) - 1))
        middle = days.mean(axis=0)
        total += middle + wider * (days[random.choice(len(pool), size=replicates)] - middle)
    return np.maximum(total, 0.0)
