"""Probabilities of pairs of codes: what a model says, within what a correspondence allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.recoding.correspondence import Correspondence, Link

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

NONE = -1
"""Place of the target of a source code that no pair names."""

_FLOOR = 1e-9
"""Keeps the shares defined where the second model gives all candidates nothing."""


class PairSpace:
    """The pairs that a correspondence allows, as arrays over the codes of a model.

    Parameters
    ----------
    correspondence : Correspondence
        Between the level of the model's codes and that of the targets.
    sources : sequence of str
        Codes of the model, in the order of its probabilities.
    shares : mapping of (str, str) to float, optional
        How often each target follows a source code, any positive scale: of a bridging table, for
        example. Without them the targets of a code count equally.

    Attributes
    ----------
    sources, targets : tuple of str
        Codes of the two versions.
    source_of, target_of : array of int, length = number of pairs
        Places of each pair's codes; the target is :data:`NONE` for a source code without a pair.
    prior : array of float
        Share of the pair among those of its source code; they add up to 1 for each.

    Raises
    ------
    InvalidInputError
        If a share is negative or not a number.
    """

    def __init__(
        self,
        correspondence: Correspondence,
        sources: Sequence[str],
        shares: Mapping[Link, float] | None = None,
    ) -> None:
        self.correspondence = correspondence
        self.sources = tuple(sources)
        reached = {t for code in self.sources for t in correspondence.targets(code)}
        self.targets = tuple(sorted(reached))
        place = {code: i for i, code in enumerate(self.targets)}
        pairs = [
            (i, place[target])
            for i, code in enumerate(self.sources)
            for target in correspondence.targets(code)
        ]
        pairs += [(i, NONE) for i, c in enumerate(self.sources) if not correspondence.targets(c)]
        pairs.sort()
        self.source_of: Indices = np.array([pair[0] for pair in pairs], dtype=np.intp)
        self.target_of: Indices = np.array([pair[1] for pair in pairs], dtype=np.intp)
        # every source code has at least one pair, so that the starts of the runs are all places
        self._starts = np.searchsorted(self.source_of, np.arange(len(self.sources)))
        self._matched = np.flatnonzero(self.target_of != NONE)
        order = np.argsort(self.target_of[self._matched], kind="stable")
        self._by_target = self._matched[order]
        self._target_starts = np.searchsorted(
            self.target_of[self._by_target], np.arange(len(self.targets))
        )
        self.prior = self._prior(shares or {})

    def pairs_of(self, source: int) -> range:
        """Return the pairs of the source code at place ``source``."""
        after = source + 1
        end = self._starts[after] if after < len(self._starts) else len(self.source_of)
        return range(int(self._starts[source]), int(end))

    def joint(self, first: Floats, second: Floats | None = None) -> Floats:
        """Return the probability of each pair, one row per text.

        With one model, a source code's probability is shared among its targets by :attr:`prior`.
        With two, a pair counts as the geometric mean of what each model says of its code: both
        read the same text, so their product would count each word twice (ADR 0220).

        Parameters
        ----------
        first : array (texts, sources)
            Probabilities of the source codes.
        second : array (texts, targets), optional
            Probabilities of the target codes, of a model of that version.

        Returns
        -------
        array (texts, pairs)
            Each row adds up to that of ``first``.
        """
        forward = first[:, self.source_of]
        if second is None:
            return np.asarray(forward * self.prior)
        matched = self.target_of != NONE
        # a source code without a pair has one opinion only: its mean is that opinion
        pairs = np.sqrt(forward * np.where(matched, self._of_targets(second) + _FLOOR, forward))
        total = pairs.sum(axis=1, keepdims=True)
        wanted = first.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(pairs * wanted, total, out=pairs, where=total > 0))

    def conditional(self, second: Floats, *, sharpness: float = 1.0) -> Floats:
        """Return the probability of each pair's target among the candidates of its source code.

        Parameters
        ----------
        second : array (texts, targets)
            Probabilities of the target codes.
        sharpness : float
            Power that is taken of them first, in (0, 1] as a rule: see
            :func:`~autonoe_nace.recoding.sharpness.fit_sharpness`.
        """
        given = (self._of_targets(second) + _FLOOR * self.prior) ** sharpness
        given[:, self.target_of == NONE] = 1.0
        sums = np.add.reduceat(given, self._starts, axis=1)
        return np.asarray(given / sums[:, self.source_of])

    def of_targets(self, codes: Sequence[str], values: Floats) -> Floats:
        """Return probabilities of other ``codes`` in the order of :attr:`targets`, 0 if unknown."""
        column = {code: i for i, code in enumerate(codes)}
        out = np.zeros((len(values), len(self.targets)))
        known = [i for i, code in enumerate(self.targets) if code in column]
        out[:, known] = values[:, [column[self.targets[i]] for i in known]]
        return out

    def source_marginal(self, joint: Floats) -> Floats:
        """Return the probabilities of the source codes."""
        return np.asarray(np.add.reduceat(joint, self._starts, axis=1))

    def target_marginal(self, joint: Floats) -> Floats:
        """Return the probabilities of the target codes; pairs without a target are left out."""
        if not len(self.targets):
            return np.zeros((len(joint), 0))
        return np.asarray(np.add.reduceat(joint[:, self._by_target], self._target_starts, axis=1))

    def _of_targets(self, values: Floats) -> Floats:
        padded = np.concatenate([values, np.zeros((len(values), 1))], axis=1)
        return np.asarray(padded[:, self.target_of])  # NONE is the last column

    def _prior(self, shares: Mapping[Link, float]) -> Floats:
        values = np.ones(len(self.source_of))
        for source in range(len(self.sources)):
            places = self.pairs_of(source)
            given = [shares.get(self._codes(pair), 0.0) for pair in places]
            if not all(np.isfinite(share) and share >= 0 for share in given):
                raise InvalidInputError(
                    f"The shares of {self.sources[source]} are not all numbers from 0 upwards.",
                    hint="A share says how many units of a source code went to a target code.",
                )
            total = sum(given)
            for pair, share in zip(places, given, strict=True):
                values[pair] = share / total if total > 0 else 1 / len(places)
        return values

    def _codes(self, pair: int) -> Link:
        target = self.target_of[pair]
        return (self.sources[self.source_of[pair]], "" if target == NONE else self.targets[target])
