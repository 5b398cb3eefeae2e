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


def softmax(logits: Floats, temperature: float, adapt: float = 0.0) -> Floats:
    """Return probabilities from ``logits``, row by row.

    Parameters
    ----------
    logits : array, texts x labels
        Scores on one scale.
    temperature : float
        They are divided by it; above 0.
    adapt : float
        How much softer the answer to an easy text is made than that to a hard one, see
        :func:`temperatures`; 0 treats all alike.
    """
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    if adapt:
        scaled /= _factors(scaled, adapt)[:, None]
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def temperatures(logits: Floats, temperature: float, adapt: float = 0.0) -> Floats:
    """Return the temperature of each row: what :func:`softmax` divides its logits by.

    It is ``temperature`` times ``exp(adapt * (p - 1/2))``, where p is the largest probability at
    ``temperature`` itself. Classifiers with many labels are too sure of what they know well and
    not sure enough of the rest, since the many labels without any evidence share much probability;
    no single temperature can mend both. The order of the labels stays as it is.
    """
    scaled = logits / np.float32(temperature)
    scaled -= scaled.max(axis=1, keepdims=True)
    return np.float32(temperature) * _factors(scaled, adapt)


def _factors(scaled: Floats, adapt: float) -> Floats:
    """Return exp(adapt (p - 1/2)) of logits whose largest in each row is 0."""
    largest = 1 / np.exp(scaled).sum(axis=1)
    found: Floats = np.exp(np.float32(adapt) * (largest - np.float32(0.5)))
    return found
