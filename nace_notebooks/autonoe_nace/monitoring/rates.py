"""A share with its interval."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

_Z = 1.959963984540054


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % Wilson interval."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, successes: float, n: float) -> Rate:
        """Return the share ``successes / n``; 0 with the interval 0 to 1 when ``n`` is 0."""
        if n <= 0:
            return cls(0.0, 0.0, 1.0, 0)
        p = successes / n
        centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return cls(p, max(0.0, centre - half), min(1.0, centre + half), round(n))

    def as_dict(self) -> dict[str, float]:
        """Return value, low, high and n."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it as people read it: ``63.2 % (61.0 to 65.3 %)``."""
        value, low, high = (100 * part for part in (self.value, self.low, self.high))
        return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"


def difference(a: Rate, b: Rate) -> dict[str, float]:
    """Return ``b - a`` with its 95 % interval by Newcombe's hybrid of Wilson's intervals.

    Returns
    -------
    dict
        ``value``, ``low``, ``high``, in shares.
    """
    value = b.value - a.value
    low = value - math.hypot(b.value - b.low, a.high - a.value)
    high = value + math.hypot(b.high - b.value, a.value - a.low)
    return {"value": value, "low": max(-1.0, low), "high": min(1.0, high)}
