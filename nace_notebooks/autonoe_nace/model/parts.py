"""What the full preset adds to fastText: a linear classifier and the nearest training texts.

Both read the same TF-IDF vectors. fastText learns vectors from few texts and shares them among
codes; the linear classifier weighs each n-gram for each code by itself; the neighbours know the
single text that says it all. Their errors differ, which is why the three together err less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.model.arrays import (
    load_array,
    load_sparse,
    save_array,
    save_sparse,
    sparse_files,
    unreadable,
)

Floats = NDArray[np.float32]

LINEAR = "linear"
NEIGHBOURS = "neighbours"
_BIAS_FILE = "linear-bias.npy"
_LABELS_FILE = "neighbours-labels.npy"

POWER = 5
"""Similarities count with this power: a text at .9 weighs five times one at .65."""

LEAST = np.float32(1e-4)
"""Added to the sum of a label before its logarithm, so that no neighbour is no certainty."""


class Linear:
    """One weight for each feature and label, and a constant for each label.

    Parameters
    ----------
    weights : CSR matrix, features x labels
        Small weights left out.
    bias : array, labels
        The constants.
    """

    files = (*sparse_files(LINEAR), _BIAS_FILE)

    def __init__(self, weights: Any, bias: Floats) -> None:
        self.weights, self.bias = weights, bias

    @classmethod
    def load(cls, folder: Path, features: int, labels: int) -> Linear:
        """Return what :meth:`save` wrote."""
        bias = load_array(folder / _BIAS_FILE, np.dtype(np.float32))
        if bias.shape != (labels,):
            raise unreadable(_BIAS_FILE)
        return cls(load_sparse(folder, LINEAR, (features, labels)), bias)

    def save(self, folder: Path) -> None:
        """Write weights and constants into ``folder``."""
        save_sparse(folder, LINEAR, self.weights)
        save_array(folder / _BIAS_FILE, self.bias)

    def scores(self, vectors: Any) -> Floats:
        """Return the distances from the planes that part the labels, texts x labels."""
        out: Floats = (vectors @ self.weights).toarray()
        out += self.bias
        return out


class Neighbours:
    """The training texts as vectors, with their labels.

    Parameters
    ----------
    texts : CSR matrix, features x texts
        Vectors without the commonest features, turned so that a product reads few of them.
    labels : int32 array, texts
        Column of each text's label.
    size : int
        Number of labels.
    """

    files = (*sparse_files(NEIGHBOURS), _LABELS_FILE)

    def __init__(self, texts: Any, labels: NDArray[np.int32], size: int) -> None:
        self.texts, self.labels, self.size = texts, labels, size

    @classmethod
    def load(cls, folder: Path, features: int, size: int) -> Neighbours:
        """Return what :meth:`save` wrote."""
        labels = load_array(folder / _LABELS_FILE, np.dtype(np.int32))
        if labels.ndim != 1 or not len(labels) or labels.min() < 0 or labels.max() >= size:
            raise unreadable(_LABELS_FILE)
        return cls(load_sparse(folder, NEIGHBOURS, (features, len(labels))), labels, size)

    def save(self, folder: Path) -> None:
        """Write vectors and labels into ``folder``."""
        save_sparse(folder, NEIGHBOURS, self.texts)
        save_array(folder / _LABELS_FILE, self.labels)

    def scores(self, vectors: Any) -> Floats:
        """Return the logarithm of what each label's texts weigh together, texts x labels."""
        found = vectors @ self.texts
        weights = found.data * found.data
        weights *= weights
        weights *= found.data  # five multiplications, POWER
        rows = np.repeat(np.arange(found.shape[0]) * self.size, np.diff(found.indptr))
        sums = np.bincount(
            rows + self.labels[found.indices],
            weights=weights,
            minlength=found.shape[0] * self.size,
        ).astype(np.float32)
        sums += LEAST
        out: Floats = np.log(sums, out=sums).reshape(found.shape[0], self.size)
        return out
