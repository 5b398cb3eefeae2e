"""The parts of a model and their weighted sum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.model.manifest import MODEL_FILE
from autonoe_nace.model.parts import LINEAR, NEIGHBOURS, Linear, Neighbours
from autonoe_nace.model.scores import Scorer
from autonoe_nace.model.vectors import VOCABULARY_FILE, WEIGHTS_FILE, Vectors

Floats = NDArray[np.float32]

FASTTEXT = "fasttext"
VECTOR_FILES = (VOCABULARY_FILE, WEIGHTS_FILE)


class Ensemble:
    """fastText and what the preset adds to it.

    Parameters
    ----------
    folder : Path
        Where the files lie.
    files : iterable of str
        Names of the model's files; they tell which parts there are.

    Attributes
    ----------
    fasttext : Scorer
        The core: exact logits.
    linear : Linear or None
    neighbours : Neighbours or None
    vectors : Vectors or None
        What those two read.
    """

    def __init__(self, folder: Path, files: Iterable[str]) -> None:
        names = set(files)
        self.fasttext = Scorer(folder / MODEL_FILE)
        self.labels = self.fasttext.labels
        size = len(self.labels)
        self.vectors = Vectors.load(folder) if names.issuperset(VECTOR_FILES) else None
        self.linear: Linear | None = None
        self.neighbours: Neighbours | None = None
        if self.vectors is not None and names.issuperset(Linear.files):
            self.linear = Linear.load(folder, len(self.vectors), size)
        if self.vectors is not None and names.issuperset(Neighbours.files):
            self.neighbours = Neighbours.load(folder, len(self.vectors), size)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts, fastText first."""
        there = {LINEAR: self.linear, NEIGHBOURS: self.neighbours}
        return (FASTTEXT, *(name for name, part in there.items() if part is not None))

    def scores(self, prepared: Sequence[str]) -> dict[str, Floats]:
        """Return the scores of each part, by its name, texts x labels."""
        found = {FASTTEXT: self.fasttext.logits(prepared)}
        if self.vectors is None:
            return found
        vectors = self.vectors(prepared)
        if self.linear is not None:
            found[LINEAR] = self.linear.scores(vectors)
        if self.neighbours is not None:
            found[NEIGHBOURS] = self.neighbours.scores(vectors)
        return found

    def logits(self, prepared: Sequence[str], weights: Mapping[str, float]) -> Floats:
        """Return the sum of the parts' scores times ``weights``; 1 for a part without weight."""
        total: Floats | None = None
        for name, scores in self.scores(prepared).items():
            weight = weights.get(name, 1.0)
            if weight != 1.0:
                scores *= np.float32(weight)
            total = scores if total is None else np.add(total, scores, out=total)
        assert total is not None  # noqa: S101  fastText is always there
        return total
