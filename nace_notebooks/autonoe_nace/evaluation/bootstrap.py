"""The bootstrap of sums: all figures of an evaluation are made of weighted counts.

Whatever is judged (615 classes, 15 bins, 101 thresholds) is first written as columns of a sparse
matrix, one row per text, so that one product with the numbers of times each text was drawn gives
every count of every replicate. Figures are then computed from counts, the same way for the data
and for the replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError

Floats = NDArray[np.float64]
Counts = Mapping[str, Floats]
"""Named blocks of counts; the last axis is the block's, an axis before it that of replicates."""

LOW, HIGH = 2.5, 97.5
_BLOCK = 50
"""Replicates drawn at once: bounds the memory for their numbers to a few MiB."""


class Columns:
    """Columns of counts in the making; each text has at most one entry in each block.

    Parameters
    ----------
    n : int
        Texts of the whole data set.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._rows: list[NDArray[np.intp]] = []
        self._places: list[NDArray[np.intp]] = []
        self._values: list[Floats] = []
        self._blocks: dict[str, slice] = {}
        self.width = 0

    def add(
        self,
        name: str,
        rows: NDArray[np.intp],
        values: Floats,
        places: NDArray[np.intp] | None = None,
        width: int = 1,
    ) -> None:
        """Add a block of ``width`` columns, to which text ``rows[i]`` gives ``values[i]``.

        Parameters
        ----------
        name : str
            How the block's counts are called later.
        rows, values : array, same length
            Texts and what each adds.
        places : array of int, optional
            The column within the block of each entry, 0 to ``width`` - 1; all 0 by default.
        width : int
            Number of columns.
        """
        self._blocks[name] = slice(self.width, self.width + width)
        self._rows.append(rows)
        self._places.append(np.zeros(len(rows), np.intp) if places is None else places)
        self._places[-1] = self._places[-1] + self.width
        self._values.append(np.asarray(values, dtype=float))
        self.width += width

    def matrix(self) -> Any:
        """Return the columns as a sparse matrix, texts x columns."""
        from scipy.sparse import csr_matrix

        entries = (np.concatenate(self._rows), np.concatenate(self._places))
        return csr_matrix((np.concatenate(self._values), entries), shape=(self.n, self.width))

    def named(self, counts: Floats) -> dict[str, Floats]:
        """Return ``counts`` (last axis: all columns) as named blocks."""
        return {name: counts[..., block] for name, block in self._blocks.items()}


class Bootstrap:
    """Draws texts with replacement, the same ones for the same seed.

    Parameters
    ----------
    n : int
        Texts.
    replicates : int
        Number of draws, at least 1; 1,000 give intervals whose ends move in the third digit.
    seed : int
        Of the random numbers.
    clusters : sequence of int, optional
        Texts with the same number are drawn together: near-duplicates, texts of one firm.
    strata : sequence of int, optional
        Draws are made within each stratum, as the sample was.

    Raises
    ------
    InvalidInputError
        If a length differs from ``n``, there is no replicate, or both kinds of groups are given.
    """

    def __init__(
        self,
        n: int,
        *,
        replicates: int = 1_000,
        seed: int = 1,
        clusters: Sequence[int] | None = None,
        strata: Sequence[int] | None = None,
    ) -> None:
        groups = clusters if clusters is not None else strata
        if replicates < 1 or (groups is not None and len(groups) != n):
            raise InvalidInputError(
                f"The bootstrap needs at least one replicate and a group for each of {n} texts.",
                hint="--replicates 1000 is usual.",
            )
        if clusters is not None and strata is not None:
            raise InvalidInputError(
                "Texts are drawn by cluster or by stratum, not both.", hint="Leave one out."
            )
        self.n, self.replicates, self.seed = n, replicates, seed
        self._cluster = None if clusters is None else _numbered(clusters)
        self._strata = np.zeros(n, np.intp) if strata is None else _numbered(strata)

    def totals(self, columns: Columns) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return the counts of the data, and those of all replicates (replicates x width)."""
        matrix = columns.matrix()
        point = np.asarray(matrix.sum(axis=0)).ravel()
        strata = self._strata
        if self._cluster is not None:
            from scipy.sparse import csr_matrix

            size = int(self._cluster.max()) + 1
            ones = np.ones(self.n)
            matrix = csr_matrix((ones, (self._cluster, np.arange(self.n))), (size, self.n)) @ matrix
            strata = np.zeros(size, np.intp)
        turned = matrix.T.tocsr()
        out = np.empty((self.replicates, columns.width))
        place = 0
        for drawn in self._draws(strata):
            out[place : place + len(drawn)] = (turned @ drawn.T).T
            place += len(drawn)
        return columns.named(point), columns.named(out)

    def _draws(self, strata: NDArray[np.intp]) -> Iterator[Floats]:
        """Yield how often each unit was drawn, replicates x units, in blocks."""
        rng = np.random.default_rng(self.seed)
        members = [np.flatnonzero(strata == s) for s in range(int(strata.max()) + 1)]
        units = len(strata)
        for start in range(0, self.replicates, _BLOCK):
            size = min(_BLOCK, self.replicates - start)
            drawn = np.zeros((size, units))
            for who in members:
                picked = rng.integers(0, len(who), size=(size, len(who)))
                picked += np.arange(size)[:, None] * len(who)
                times = np.bincount(picked.ravel(), minlength=size * len(who))
                drawn[:, who] = times.reshape(size, len(who))
            yield drawn


def _numbered(groups: Sequence[int]) -> NDArray[np.intp]:
    return np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.intp)


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return ``top / bottom``, NaN where nothing is divided by nothing."""
    out = np.full(np.broadcast_shapes(np.shape(top), np.shape(bottom)), np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out


def bounds(point: Floats, replicates: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each figure.

    Percentiles of the replicates, moved so that their mean is the figure itself: for shares that
    changes nothing, but macro-F1 falls and the calibration error grows when texts are drawn twice,
    and plain percentiles of those would miss the figure.

    Parameters
    ----------
    point : array, shape (k,)
        The figures of the data.
    replicates : array, shape (r, k)
        Those of the replicates; NaN where a replicate has no value.
    """
    blank = np.isnan(replicates).all(axis=0) | np.isnan(point)
    usable = np.where(blank, 0.0, replicates)
    if np.isnan(usable).any():
        low, high = np.nanpercentile(usable, [LOW, HIGH], axis=0)
        shift = point - np.nanmean(usable, axis=0)
    else:
        low, high = np.percentile(usable, [LOW, HIGH], axis=0)
        shift = point - usable.mean(axis=0)
    low, high = np.minimum(low + shift, point), np.maximum(high + shift, point)
    return np.where(blank, np.nan, low), np.where(blank, np.nan, high)


def estimate(
    figure: Callable[[Counts], Floats],
    point: Counts,
    replicates: Counts,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, float]:
    """Return one figure with its interval: ``{"value", "low", "high"}``.

    Parameters
    ----------
    figure : callable
        From counts to the figure; one number for the data, one per replicate.
    point, replicates : mapping of str to array
        From :meth:`Bootstrap.totals`.
    within : (float, float)
        What the figure cannot leave.
    """
    value = np.atleast_1d(figure(point))
    drawn = np.asarray(figure(replicates)).reshape(-1, 1)
    low, high = bounds(value, drawn)
    ends = np.clip([low[0], high[0]], *within)
    return {"value": float(value[0]), "low": float(ends[0]), "high": float(ends[1])}
