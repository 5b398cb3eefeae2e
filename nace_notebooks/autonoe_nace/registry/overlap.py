"""Gold texts that a model learned: found among the texts that the model carries.

A model carries no hashes of single texts. What it carries for other ends tells all the same: the
texts that its explanations show, and the entries of its rules engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.data import Dataset
from autonoe_nace.evaluation.outcomes import check_weights
from autonoe_nace.model import NaceModel
from autonoe_nace.model.explain_texts import TEXTS_FILE, read_texts


@dataclass(frozen=True)
class Overlap:
    """Which gold texts each of the two models learned, as far as its own texts tell.

    Attributes
    ----------
    challenger, champion : array of bool, shape (n,), or None
        By gold text; None for a model that carries no texts, and for a champion that is missing.
    n : int
        Gold texts.
    """

    challenger: NDArray[np.bool_] | None
    champion: NDArray[np.bool_] | None
    n: int

    @classmethod
    def of(cls, challenger: NaceModel, champion: NaceModel | None, gold: Dataset) -> Overlap:
        """Compare ``gold`` with the texts that the models carry."""
        return cls(
            learned(challenger, gold.texts),
            learned(champion, gold.texts) if champion is not None else None,
            len(gold),
        )

    @property
    def either(self) -> NDArray[np.bool_]:
        """Whether one of the models learned the text, shape (n,)."""
        out = np.zeros(self.n, bool)
        for found in (self.challenger, self.champion):
            if found is not None:
                out |= found
        return out

    @property
    def counts(self) -> tuple[int | None, int | None]:
        """Gold texts that challenger and champion learned; None where that is not known."""
        challenger, champion = (
            None if found is None else int(found.sum())
            for found in (self.challenger, self.champion)
        )
        return challenger, champion

    def without(
        self, gold: Dataset, weights: Sequence[float] | None
    ) -> tuple[Dataset, list[float] | None]:
        """Return the texts that neither model learned, with their weights.

        Raises
        ------
        InvalidInputError
            If there is not one positive weight for each text of ``gold``.
        """
        given = None if weights is None else check_weights(weights, len(gold))
        fresh = np.flatnonzero(~self.either)
        kept = gold if len(fresh) == len(gold) else gold.subset(fresh.tolist())
        return kept, None if given is None else given[fresh].tolist()


def learned(model: NaceModel, texts: Sequence[str]) -> NDArray[np.bool_] | None:
    """Return which ``texts`` are, once prepared, one that ``model`` carries and learned from.

    Codes and side variables are not compared: a text that was learned with another code is learned.

    Returns
    -------
    array of bool, shape (n,), or None
        None for a model that carries no text. A model may carry fewer texts than it learned from
        (published ones, titles), so that False says "none of those that it carries".

    Raises
    ------
    AutonoeError
        ``model_damaged`` if the model's texts cannot be read.
    """
    carried: set[str] = set()
    if TEXTS_FILE in model.manifest.files:
        carried.update(read_texts(model.folder)[0])
    if model.lookup is not None:
        carried.update(model.lookup.entries["exact"])
    if not carried:
        return None
    known = set(model.prepare.all(carried)) - {""}
    return np.array([text in known for text in model.prepare.all(texts)], dtype=bool)
