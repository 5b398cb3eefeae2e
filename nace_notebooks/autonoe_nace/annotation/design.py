"""How a sample is spread over strata: how many of each, and so with which probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError

OTHER = "other"
"""Sections of one band that are too small for a stratum of their own."""
_LEAST = 2
"""Texts of a stratum at least: of one alone no variance can be estimated."""
_LEAST_SPREAD = 0.05
"""Smallest standard deviation of "right or wrong" that Neyman allocation assumes in a stratum."""


@dataclass(frozen=True)
class Design:
    """What is asked for.

    Attributes
    ----------
    size : int
        Texts to code: the budget.
    edges : tuple of float
        Where the bands of the confidence index begin, from 0, ascending, below 1.
    factors : tuple of float
        How much likelier a text of each band is drawn than its share says, for ``oversample``.
    allocation : {"oversample", "neyman", "proportional"}
        ``neyman`` spends most where calibrated probabilities say that right and wrong mix most.
    seed : int
        Equal seeds draw equal texts from equal logs, in whatever files these lie.
    """

    size: int
    edges: tuple[float, ...] = (0.0, 0.2, 0.5, 0.8)
    factors: tuple[float, ...] = (4.0, 3.0, 2.0, 1.0)
    allocation: Literal["oversample", "neyman", "proportional"] = "oversample"
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        edges = self.edges
        if not edges or edges[0] != 0 or list(edges) != sorted(set(edges)) or edges[-1] >= 1:
            raise InvalidInputError(
                "The bands of confidence begin at 0 and rise to below 1.",
                hint="For example 0, 0.2, 0.5, 0.8.",
            )
        if len(self.factors) != len(edges) or not all(0 < f < 1e6 for f in self.factors):
            raise InvalidInputError(
                f"There are {len(edges)} bands and {len(self.factors)} factors.",
                hint="Give one factor above 0 for each band.",
            )
        if self.size < _LEAST * len(edges):
            raise InvalidInputError(
                f"A sample of {self.size} is too small for {len(edges)} bands.",
                hint=f"Take {_LEAST * len(edges)} texts at least, or fewer bands.",
            )

    def band(self, number: int) -> str:
        """Return the name of a band, such as ``0.20-0.50``."""
        top = (*self.edges, 1.0)[number + 1]
        return f"{self.edges[number]:.2f}-{top:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return the design as a plain document."""
        return {
            "size": self.size,
            "edges": list(self.edges),
            "factors": list(self.factors),
            "allocation": self.allocation,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Stratum:
    """Texts of one band and one or more sections.

    Attributes
    ----------
    band : int
        Number of the band, from 0.
    sections : frozenset of str
        Sections of the model's first code; empty string: no code.
    population : int
        Texts of the logs.
    spread : float
        Expected standard deviation of "right or wrong", from the model's own probabilities.
    sample : int
        Texts to draw.
    """

    band: int
    sections: frozenset[str]
    population: int
    spread: float = 0.5
    sample: int = 0
    pooled: bool = field(default=False, compare=False)

    def name(self, design: Design) -> str:
        """Return ``band/section``, as it goes with each text and each label."""
        section = OTHER if self.pooled else next(iter(self.sections)) or "none"
        return f"{design.band(self.band)}/{section}"

    @property
    def probability(self) -> float:
        """Inclusion probability of each of its texts."""
        return self.sample / self.population

    def merged(self, other: Stratum) -> Stratum:
        """Return the union of two strata of one band."""
        together = self.population + other.population
        variance = (
            self.population * self.spread**2 + other.population * other.spread**2
        ) / together
        return Stratum(
            self.band,
            self.sections | other.sections,
            together,
            float(np.sqrt(variance)),
            pooled=True,
        )


def strata(
    counts: Mapping[tuple[int, str], tuple[int, float]], design: Design
) -> tuple[Stratum, ...]:
    """Return the strata with their sample sizes, which add up to the budget (or to everything).

    Parameters
    ----------
    counts : mapping
        Of each (band, section): number of texts, and mean of p (1 - p) of the first code.
    design : Design
        What is asked for.

    Raises
    ------
    InvalidInputError
        If there is no text at all.
    """
    found = [
        Stratum(band, frozenset({section}), n, float(np.sqrt(max(0.0, variance))))
        for (band, section), (n, variance) in sorted(counts.items())
        if n > 0
    ]
    if not found:
        raise InvalidInputError(
            "There is no prediction to draw from.", hint="Take more months, or run the ETL first."
        )
    found = _pool(found, design.size)
    sizes = allocate(
        [_weight(stratum, design) for stratum in found],
        [stratum.population for stratum in found],
        design.size,
    )
    return tuple(
        Stratum(s.band, s.sections, s.population, s.spread, int(n), s.pooled)
        for s, n in zip(found, sizes, strict=True)
    )


def allocate(weights: Sequence[float], population: Sequence[int], size: int) -> NDArray[np.int64]:
    """Spread ``size`` over strata in proportion to ``weights``: 2 each at least, all at most."""
    upper = np.asarray(population, dtype=np.float64)
    lower = np.minimum(_LEAST, upper)
    if upper.sum() <= size:
        return upper.astype(np.int64)
    w = np.asarray(weights, dtype=np.float64)
    low, high = 0.0, float(size / w.min()) + 1.0
    for _ in range(200):  # the sum grows with the factor: halving finds the one that fits
        middle = (low + high) / 2
        if np.clip(middle * w, lower, upper).sum() > size:
            high = middle
        else:
            low = middle
    exact = np.clip(low * w, lower, upper)
    sizes = np.floor(exact + 1e-9)
    left = round(size - sizes.sum())
    order = np.argsort(-(exact - sizes), kind="stable")
    for index in order[sizes[order] < upper[order]][: max(0, left)]:
        sizes[index] += 1
    return sizes.astype(np.int64)


def _weight(stratum: Stratum, design: Design) -> float:
    if design.allocation == "neyman":
        return stratum.population * max(_LEAST_SPREAD, stratum.spread)
    if design.allocation == "oversample":
        return stratum.population * design.factors[stratum.band]
    return float(stratum.population)


def _pool(found: list[Stratum], size: int) -> list[Stratum]:
    """Merge the smallest strata of a band until each can have two texts within the budget."""
    while True:
        crowded = _LEAST * len(found) > size
        by_band: dict[int, list[Stratum]] = {}
        for stratum in found:
            by_band.setdefault(stratum.band, []).append(stratum)
        mergeable = [s for s in found if len(by_band[s.band]) > 1]
        if not crowded:
            mergeable = [s for s in mergeable if s.population < _LEAST]
        if not mergeable:
            return found
        first = min(mergeable, key=lambda s: (s.population, s.band, sorted(s.sections)))
        partners = [s for s in by_band[first.band] if s is not first]
        second = min(partners, key=lambda s: (not s.pooled, s.population, sorted(s.sections)))
        found = [s for s in found if s is not first and s is not second]
        found.append(first.merged(second))
        found.sort(key=lambda s: (s.band, sorted(s.sections)))
