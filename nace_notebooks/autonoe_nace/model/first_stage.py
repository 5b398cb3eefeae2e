"""The rules engine before the model: where it is sure, its code comes first.

Its answer is no certainty either. How often it was right on texts held out is its probability; what
is left is shared among the other codes as the model would, so that confidence, fallbacks and sets
mean the same at both stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import AutonoeError
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.model.manifest import damaged

Floats = NDArray[np.float32]
Stage = Literal["lookup", "model"]


class FirstStage:
    """A rules engine with what its answers are worth.

    Parameters
    ----------
    index : LookupIndex
        Answers at the level of ``codes``.
    worth : float
        Share of its answers that were right on texts held out, in (0, 1).
    codes : sequence of str
        Codes of the columns of the model's probabilities.
    """

    def __init__(self, index: LookupIndex, worth: float, codes: Sequence[str]) -> None:
        self.index = index
        self.worth = worth
        self._place = {code: i for i, code in enumerate(codes)}

    @classmethod
    def load(cls, path: Path, worth: float, codes: Sequence[str], level: int) -> FirstStage:
        """Return the first stage whose index lies at ``path``.

        Raises
        ------
        AutonoeError
            If the index is damaged or answers at another level than the model.
        """
        try:
            index = LookupIndex.load(path)
        except AutonoeError as error:
            raise damaged(f"{path.name} cannot be read") from error
        if index.level != level:
            raise damaged(f"{path.name} answers at level {index.level}, the model at {level}")
        return cls(index, worth, codes)

    def decide(
        self,
        probabilities: Floats,
        texts: Sequence[str],
        features: Sequence[Mapping[str, str]] | None,
    ) -> list[Stage]:
        """Put the codes of sure answers first in ``probabilities`` and say who decided where.

        Parameters
        ----------
        probabilities : array, texts x codes
            Changed in place; the rows still add up to 1.
        texts : sequence of str
            As typed.
        features : sequence of mapping, optional
            Their side variables.
        """
        answers = [answer.code for answer in self.index.code_all(texts, features)]
        return put_first(probabilities, answers, self._place, self.worth)


def put_first(
    probabilities: Floats, answers: Sequence[str | None], place: Mapping[str, int], worth: float
) -> list[Stage]:
    """Put the engine's ``answers`` first in ``probabilities`` and say who decided where.

    Parameters
    ----------
    probabilities : array, texts x codes
        Changed in place; the rows still add up to 1.
    answers : sequence of str or None
        The code that the engine is sure of, by text.
    place : mapping of str to int
        The column of each code.
    worth : float
        Probability of an answer; the model's own where that is larger.
    """
    stages: list[Stage] = ["model"] * len(answers)
    for row, code in enumerate(answers):
        column = place.get(code) if code is not None else None
        if column is None:
            continue
        values = probabilities[row]
        own = float(values[column])
        given = max(own, worth)
        values *= np.float32((1 - given) / max(1 - own, 1e-9))
        values[column] = given
        if values.argmax() == column:
            stages[row] = "lookup"
    return stages
