"""How good a model is, at each level, with intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.model import NaceModel
from autonoe_nace.model.nace_model import best

TOP = 5
_Z95 = 1.959963984540054
_BLOCK = 4_096
_BINS = 15

Floats = NDArray[np.float32]


def wilson(successes: int, n: int) -> dict[str, float]:
    """Return a proportion with its 95 % interval after Wilson: ``{"value", "low", "high"}``.

    Raises
    ------
    InvalidInputError
        If ``n`` is not positive.
    """
    if n <= 0:
        raise InvalidInputError("A proportion of no texts is not defined.", hint="Give texts.")
    p = successes / n
    centre = (p + _Z95**2 / (2 * n)) / (1 + _Z95**2 / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + _Z95**2 / (4 * n * n)) / (1 + _Z95**2 / n)
    return {"value": p, "low": max(0.0, centre - half), "high": min(1.0, centre + half)}


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean F1 over the codes that occur in ``truth``, every code weighing the same."""
    right = Counter(t for t, p in zip(truth, predicted, strict=True) if t == p)
    true, given = Counter(truth), Counter(predicted)
    scores = [2 * right[code] / (true[code] + given[code]) for code in true]
    return sum(scores) / len(scores)


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Return the expected calibration error over 15 equal-width bins, in [0, 1]."""
    values, hits = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((values * _BINS).astype(int), _BINS - 1)
    gaps = np.zeros(_BINS)
    np.add.at(gaps, bins, hits - values)
    return float(np.abs(gaps).sum() / len(values))


def evaluate(model: NaceModel, data: Dataset, *, prepared: bool = False) -> dict[str, Any]:
    """Return the accuracy of ``model`` on ``data`` at each level.

    A text whose code is broader than a level does not count there, so ``n`` can differ by level.
    A code that the model has never seen counts as wrong.

    Parameters
    ----------
    model : NaceModel
        The model to judge.
    data : Dataset
        Labelled texts that it did not learn from.
    prepared : bool
        Whether the texts went through the model's preparation already.

    Returns
    -------
    dict
        ``{"n", "model", "levels": {"4": {...}, ...}, "report"}``. A level holds ``n``, ``top1`` and
        ``top5`` (``{"value", "low", "high"}``, 95 % Wilson intervals), ``macro_f1`` and ``ece``.

    Raises
    ------
    InvalidInputError
        If there is no text to judge it on.
    """
    if not len(data):
        raise InvalidInputError("There is no text to evaluate on.", hint="Check the input report.")
    levels = [n for n in model.nomenclature.levels if n <= model.manifest.level]
    truth = {level: [_at(model, code, level) for code in data.codes] for level in levels}
    tallies = {level: _Tally() for level in levels}
    for start in range(0, len(data), _BLOCK):
        texts = data.texts[start : start + _BLOCK]
        probabilities = model.probabilities(texts if prepared else model.prepare.all(texts))
        for level in levels:
            codes, rolled = model.roll_up(probabilities, level)
            tallies[level].add(truth[level][start : start + _BLOCK], codes, rolled)
    return {
        "n": len(data),
        "model": model.id,
        "levels": {str(level): tally.result() for level, tally in tallies.items() if tally.truth},
        "report": data.report.to_dict(),
    }


def _at(model: NaceModel, code: str, level: int) -> str | None:
    known = model.nomenclature.parse(code)
    return model.nomenclature.ancestor(known, level) if known else None


class _Tally:
    """What is counted at one level."""

    def __init__(self) -> None:
        self.truth: list[str] = []
        self.first: list[str] = []
        self.confidence: list[float] = []
        self.among_top = 0

    def add(self, truth: Sequence[str | None], codes: Sequence[str], values: Floats) -> None:
        for true, columns, row in zip(truth, best(values, TOP), values, strict=True):
            if true is None:
                continue
            self.truth.append(true)
            self.first.append(codes[columns[0]])
            self.confidence.append(float(row[columns[0]]))
            self.among_top += any(codes[j] == true for j in columns)

    def result(self) -> dict[str, Any]:
        n = len(self.truth)
        right = [t == p for t, p in zip(self.truth, self.first, strict=True)]
        return {
            "n": n,
            "top1": wilson(sum(right), n),
            "top5": wilson(self.among_top, n),
            "macro_f1": macro_f1(self.truth, self.first),
            "ece": calibration_error(self.confidence, right),
        }
