"""From probabilities of labels to probabilities of codes, at the model's level and above.

Labels can lie at several levels: subclasses from declarations, classes from explanatory notes. A
class's probability is shared among its subclasses in proportion to what the text gives them, so
that candidates are all of one level.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.nomenclature import Nomenclature

Floats = NDArray[np.float32]
Places = NDArray[np.intp]
Groups = tuple[tuple[str, ...], Places | None, Places]
"""Codes of a level, the columns in their order (None: they are in order), and where each begins."""

_FLOOR = np.float32(1e-6)
"""Keeps the shares defined where a text gives all subclasses of a class nothing."""


class LevelsAbove:
    """The codes of several levels as one row of sums, the deepest level first.

    Parameters
    ----------
    groups : dict of int to Groups
        By level, the deepest first.
    size : int
        Codes of the candidates.

    Attributes
    ----------
    levels : tuple of int
        Those that have a code.
    codes : tuple of str
        Codes of all the levels.
    """

    def __init__(self, groups: dict[int, Groups], size: int) -> None:
        kept = {level: found for level, found in groups.items() if found[0]}
        self.levels = tuple(kept)
        self.codes = tuple(code for codes, _, _ in kept.values() for code in codes)
        parts: list[Places] = []
        starts: list[Places] = []
        at = 0
        for _, order, begins in kept.values():
            parts.append(np.arange(size, dtype=np.intp) if order is None else order)
            starts.append(begins + at)
            at += len(parts[-1])
        self._columns = np.concatenate(parts) if parts else np.empty(0, dtype=np.intp)
        self._starts = np.concatenate(starts) if starts else np.empty(0, dtype=np.intp)
        self._sizes = np.array([len(codes) for codes, _, _ in kept.values()], dtype=np.intp)
        self._firsts = np.cumsum(self._sizes) - self._sizes
        self._backwards = np.arange(len(self.codes), 0, -1, dtype=np.int32)

    def best(self, candidates: Floats) -> tuple[Places, Floats, NDArray[np.float64]]:
        """Return for each row and level the place of the best code, its sum, and its lead.

        The place is one in :attr:`codes`; of equal sums the first counts. The lead is over the next
        largest sum, and the sum itself where a level has but one code.
        """
        sums = np.add.reduceat(candidates.take(self._columns, axis=1), self._starts, axis=1)
        tops = np.maximum.reduceat(sums, self._firsts, axis=1)
        is_top = sums == tops.repeat(self._sizes, axis=1)
        found = np.maximum.reduceat(is_top * self._backwards, self._firsts, axis=1)
        first = sums.shape[1] - found
        rows = np.arange(len(sums))[:, None]
        sums[rows, first] = 0
        seconds = np.maximum.reduceat(sums, self._firsts, axis=1)
        return first.astype(np.intp), tops, tops.astype(np.float64) - seconds


class Hierarchy:
    """The mapping from a model's labels to codes.

    Parameters
    ----------
    labels : sequence of str
        Codes of the labels, in the order of the score columns.
    nomenclature : Nomenclature
        How they nest.
    level : int
        Level of the candidates.

    Attributes
    ----------
    codes : tuple of str
        Codes of the candidates: of ``level``, or broader where the nomenclature ends earlier.
    """

    def __init__(self, labels: Sequence[str], nomenclature: Nomenclature, level: int) -> None:
        self.level = level
        self.nomenclature = nomenclature
        direct: dict[int, str] = {}
        shared: dict[int, tuple[str, ...]] = {}
        own = [nomenclature.ancestor(label, level) for label in labels]
        seen = {code for code in own if code is not None}
        for column, (label, code) in enumerate(zip(labels, own, strict=True)):
            if code is not None:
                direct[column] = code
                continue
            below = nomenclature.descendants(label, level)
            targets = tuple(c for c in below if c in seen) or below
            if len(targets) > 1:
                shared[column] = targets
            else:
                direct[column] = targets[0] if targets else label
        self.codes = tuple(
            sorted(set(direct.values()) | {code for codes in shared.values() for code in codes})
        )
        place = {code: i for i, code in enumerate(self.codes)}
        # Columns in the order of their codes, so that a code's labels are neighbours to sum.
        ordered = sorted(direct, key=lambda column: (place[direct[column]], column))
        self._columns = np.array(ordered, dtype=np.intp)
        places = [place[direct[column]] for column in ordered]
        self._places, self._starts = np.unique(np.array(places, dtype=np.intp), return_index=True)
        self._shared = np.array(list(shared), dtype=np.intp)
        self._counts = np.array([len(codes) for codes in shared.values()], dtype=np.intp)
        self._shares_from = np.concatenate([[0], np.cumsum(self._counts)[:-1]]).astype(np.intp)
        self._targets = np.array([place[x] for c in shared.values() for x in c], dtype=np.intp)
        self._rounds = _without_repetition(self._targets)
        # each code has one label of its own: to sort them is all there is to do
        self._one_each = len(self._places) == len(ordered) == len(self.codes)
        self._above: dict[int, Groups] = {}
        self._ladders: dict[int, LevelsAbove] = {}

    def candidates(self, probabilities: Floats) -> Floats:
        """Return the probabilities of :attr:`codes` from those of the labels, row by row."""
        if self._one_each:
            # take() rather than an index: a twelfth of the time for one text
            out: Floats = probabilities.take(self._columns, axis=1)
        else:
            out = np.zeros((len(probabilities), len(self.codes)), dtype=np.float32)
            if len(self._columns):
                ordered = probabilities.take(self._columns, axis=1)
                out[:, self._places] = np.add.reduceat(ordered, self._starts, axis=1)
        if len(self._shared):
            there = out.take(self._targets, axis=1)
            weights = there + _FLOOR
            sums = np.add.reduceat(weights, self._shares_from, axis=1)
            shares = probabilities.take(self._shared, axis=1) / sums
            weights *= shares.repeat(self._counts, axis=1)
            if len(self._rounds) == 1:  # no code gets twice, so that nothing is to be read again
                out[:, self._targets] = there + weights
                return out
            for places, targets in self._rounds:
                out[:, targets] += weights[:, places]
        return out

    def roll_up(self, candidates: Floats, level: int) -> tuple[tuple[str, ...], Floats]:
        """Return the codes of ``level`` and their probabilities: sums over what lies under them.

        Codes that have no ancestor there (a nomenclature file without sections) are left out.
        """
        if level not in self._above:
            self._above[level] = self._groups(level)
        codes, order, starts = self._above[level]
        if not codes:
            return codes, candidates[:, :0]
        # sums of neighbours: twenty times fewer products than with a matrix of ones and zeros
        ordered = candidates if order is None else candidates.take(order, axis=1)
        return codes, np.add.reduceat(ordered, starts, axis=1)

    def levels_above(self, level: int) -> LevelsAbove:
        """Return the sums of all levels above ``level`` in one step; made once a level."""
        if level not in self._ladders:
            self._ladders[level] = LevelsAbove(
                {
                    n: self._above.setdefault(n, self._groups(n))
                    for n in sorted(self.nomenclature.levels, reverse=True)
                    if n < level
                },
                len(self.codes),
            )
        return self._ladders[level]

    def _groups(self, level: int) -> Groups:
        """Return the codes of ``level``, the columns in their order, and where each code begins.

        No order is given where the columns lie in it already.
        """
        above = [self.nomenclature.ancestor(code, level) for code in self.codes]
        codes = tuple(sorted({code for code in above if code is not None}))
        place = {code: i for i, code in enumerate(codes)}
        columns = [i for i, code in enumerate(above) if code is not None]
        order = np.array(sorted(columns, key=lambda i: (place[str(above[i])], i)), dtype=np.intp)
        places = np.array([place[str(above[i])] for i in order], dtype=np.intp)
        starts = np.searchsorted(places, np.arange(len(codes))).astype(np.intp)
        in_order = len(order) == len(above) and bool(np.all(np.diff(order) == 1))
        return codes, None if in_order else order, starts


def _without_repetition(targets: Places) -> list[tuple[Places, Places]]:
    """Return (places in ``targets``, targets) in rounds that hold no target twice.

    A subclass can get shares from its class and from its group: numpy adds only once to an index
    that comes twice, and its ``add.at``, which adds each time, takes five times as long.
    """
    rounds: list[tuple[list[int], list[int]]] = []
    seen: dict[int, int] = {}
    for place, target in enumerate(targets.tolist()):
        number = seen.get(target, 0)
        seen[target] = number + 1
        if number == len(rounds):
            rounds.append(([], []))
        rounds[number][0].append(place)
        rounds[number][1].append(target)
    return [(np.array(a, dtype=np.intp), np.array(b, dtype=np.intp)) for a, b in rounds]
