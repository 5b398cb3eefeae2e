"""Exact class scores of a fastText model.

fastText's own ``predict`` goes through a table of logarithms and one text at a time; the hidden
vector times the output matrix gives the exact logits of the softmax, many texts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import fasttext
import numpy as np
from numpy.typing import NDArray

from autonoe.errors import AutonoeError

PREFIX = "__label__"

Floats = NDArray[np.float32]


class Scorer:
    """A loaded fastText file.

    Parameters
    ----------
    path : Path
        ``model.bin``.

    Attributes
    ----------
    labels : tuple of str
        Codes, in the order of the columns of :meth:`logits`.
    network : fastText's object
        For its words and n-grams.
    output : array, labels x dimensions
        The output matrix.

    Raises
    ------
    AutonoeError
        If the file is no supervised softmax model.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.network = fasttext.load_model(str(path))
            self.labels = tuple(label.removeprefix(PREFIX) for label in self.network.get_labels())
            self.output: Floats = np.ascontiguousarray(
                self.network.get_output_matrix(), dtype=np.float32
            )
        except (ValueError, RuntimeError, MemoryError) as error:
            raise AutonoeError(
                "The file model.bin is no fastText model, or is damaged.",
                hint="Fetch or train the model again.",
                code="model_damaged",
            ) from error
        if self.output.shape[0] != len(self.labels):
            raise AutonoeError(
                "The fastText model was not trained as a softmax classifier.",
                hint="Train it with autonoe nace train.",
                code="model_damaged",
            )

    def logits(self, prepared: Sequence[str]) -> Floats:
        """Return the logits, one row per prepared text and one column per label."""
        hidden = np.empty((len(prepared), self.output.shape[1]), dtype=np.float32)
        for i, text in enumerate(prepared):
            hidden[i] = self.network.get_sentence_vector(text)
        return hidden @ self.output.T


def softmax(logits: Floats, temperature: float) -> Floats:
    """Return probabilities from ``logits`` divided by ``temperature`` (> 0), row by row."""
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled
