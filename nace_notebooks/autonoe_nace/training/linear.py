"""Fit what the full preset adds: a linear support-vector classifier and the table of neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from autonoe_nace.model.parts import Linear, Neighbours
from autonoe_nace.model.vectors import Vectors
from autonoe_nace.training.params import TrainingParams

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

MOST_FEATURES = 200_000
"""Most frequent words, pairs of words and n-grams that get a weight."""

_SMALL = 0.02
"""Weights of the linear part below this are left out: six of ten, for .0004 of top-1 accuracy."""

_COMMON, _COMMON_SHARE = 500, 0.01
"""Features of more training texts than this, or than this share of them, tell no neighbours apart.
Without them the neighbours take 40 instead of 350 microseconds a text."""


def fit_parts(
    samples: Sequence[tuple[str, str]],
    labels: Sequence[str],
    params: TrainingParams,
    folder: Path,
    report: Callable[[float], None],
) -> None:
    """Write the parts that ``params`` asks for into ``folder``.

    Parameters
    ----------
    samples : sequence of (str, str)
        Prepared text and code. Of more than ``params.most_texts`` an even choice is taken.
    labels : sequence of str
        Codes in the order of the score columns; each sample's code is among them.
    params : TrainingParams
        How to train.
    folder : Path
        Where to write.
    report : callable
        Gets the share done, in [0, 1].
    """
    chosen = _evenly(samples, params.most_texts)
    texts = [text for text, _ in chosen]
    place = {label: i for i, label in enumerate(labels)}
    truth = np.array([place[code] for _, code in chosen], dtype=np.int32)
    vectors = Vectors.learn(texts, most=MOST_FEATURES)
    rows = vectors(texts)
    vectors.save(folder)
    if params.with_neighbours:
        _neighbours(rows, truth, len(labels)).save(folder)
    if params.with_linear:
        _linear(rows, truth, len(labels), params, report).save(folder)
    report(1.0)


def _evenly(samples: Sequence[tuple[str, str]], most: int) -> Sequence[tuple[str, str]]:
    if len(samples) <= most:
        return samples
    return [samples[i] for i in np.linspace(0, len(samples) - 1, most).astype(int)]


def _neighbours(rows: Any, truth: Ids, size: int) -> Neighbours:
    counts = np.bincount(rows.indices, minlength=rows.shape[1])
    common = max(_COMMON, _COMMON_SHARE * rows.shape[0])
    kept = rows.copy()
    # Both blocks of a vector have the norm 1: with half of each product a text is 1 to itself.
    kept.data = np.where(counts[rows.indices] <= common, rows.data / 2, 0).astype(np.float32)
    kept.eliminate_zeros()
    return Neighbours(kept.T.tocsr(), truth, size)


def _linear(
    rows: Any, truth: Ids, size: int, params: TrainingParams, report: Callable[[float], None]
) -> Linear:
    """Part each label from all others; one at a time, so that a person can interrupt it."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    matrix = sparse.csr_matrix(rows)
    columns, bias = [], np.full(size, -1.0, dtype=np.float32)
    for label in range(size):
        own = truth == label
        weights = np.zeros(rows.shape[1])
        if own.any():
            machine = LinearSVC(C=params.linear_c, dual=True, random_state=params.seed)
            with warnings.catch_warnings():
                # the last digits of a weight do not matter, and it is the same each time
                warnings.simplefilter("ignore", ConvergenceWarning)
                machine.fit(matrix, own)
            weights, bias[label] = machine.coef_[0], machine.intercept_[0]
        kept = np.flatnonzero(np.abs(weights) >= _SMALL)
        columns.append((kept, weights[kept].astype(np.float32)))
        report(0.99 * (label + 1) / size)
    starts = np.cumsum([0, *(len(kept) for kept, _ in columns)])
    turned = sparse.csr_array(
        (
            np.concatenate([values for _, values in columns]),
            np.concatenate([kept for kept, _ in columns]),
            starts,
        ),
        shape=(size, rows.shape[1]),
    )
    return Linear(turned.T.tocsr(), bias)
