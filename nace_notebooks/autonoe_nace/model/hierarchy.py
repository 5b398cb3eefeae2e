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

_FLOOR = np.float32(1e-6)
"""Keeps the shares defined where a text gives all subclasses of a class nothing."""


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
        self._above: dict[int, tuple[tuple[str, ...], Floats]] = {}

    def candidates(self, probabilities: Floats) -> Floats:
        """Return the probabilities of :attr:`codes` from those of the labels, row by row."""
        out = np.zeros((len(probabilities), len(self.codes)), dtype=np.float32)
        if len(self._columns):
            ordered = probabilities[:, self._columns]
            out[:, self._places] = np.add.reduceat(ordered, self._starts, axis=1)
        if len(self._shared):
            weights = out[:, self._targets] + _FLOOR
            sums = np.add.reduceat(weights, self._shares_from, axis=1)
            factors = np.repeat(probabilities[:, self._shared] / sums, self._counts, axis=1)
            # A subclass can get shares from its class and from its group: add.at adds both.
            np.add.at(out.T, self._targets, (weights * factors).T)
        return out

    def roll_up(self, candidates: Floats, level: int) -> tuple[tuple[str, ...], Floats]:
        """Return the codes of ``level`` and their probabilities: sums over what lies under them.

        Codes that have no ancestor there (a nomenclature file without sections) are left out.
        """
        if level not in self._above:
            above = [self.nomenclature.ancestor(code, level) for code in self.codes]
            codes = tuple(sorted({code for code in above if code is not None}))
            place = {code: i for i, code in enumerate(codes)}
            matrix = np.zeros((len(self.codes), len(codes)), dtype=np.float32)
            for i, code in enumerate(above):
                if code is not None:
                    matrix[i, place[code]] = 1
            self._above[level] = (codes, matrix)
        codes, matrix = self._above[level]
        return codes, candidates @ matrix
