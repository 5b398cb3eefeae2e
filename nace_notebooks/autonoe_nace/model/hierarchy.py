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
        self._columns = np.fromiter(direct.keys(), dtype=np.intp, count=len(direct))
        self._sum = _one_hot([place[code] for code in direct.values()], len(self.codes))
        self._shared = [(c, np.array([place[x] for x in codes])) for c, codes in shared.items()]
        self._above: dict[int, tuple[tuple[str, ...], Floats]] = {}

    def candidates(self, probabilities: Floats) -> Floats:
        """Return the probabilities of :attr:`codes` from those of the labels, row by row."""
        out: Floats = probabilities[:, self._columns] @ self._sum
        if self._shared:
            weights = out + _FLOOR
            for column, places in self._shared:
                part = weights[:, places]
                part /= part.sum(axis=1, keepdims=True)
                out[:, places] += probabilities[:, [column]] * part
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


def _one_hot(places: Sequence[int], width: int) -> Floats:
    matrix = np.zeros((len(places), width), dtype=np.float32)
    matrix[np.arange(len(places)), places] = 1
    return matrix
