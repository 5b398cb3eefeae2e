"""The temperature that turns scores into probabilities.

It is chosen by the Brier score, which also counts texts whose code the model has never seen: the
log-likelihood cannot, and would leave the model too sure of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.model.scores import softmax

Floats = NDArray[np.float32]

_LOW, _HIGH = 0.1, 10.0
_STEPS = 40


def choose_temperature(
    logits: Floats,
    to_codes: Callable[[Floats], Floats],
    truth: Sequence[int | None],
) -> float:
    """Return the temperature with the smallest Brier score.

    Parameters
    ----------
    logits : array, texts x labels
        Exact logits of texts that the model did not learn from.
    to_codes : callable
        From probabilities of labels to those of codes.
    truth : sequence of int or None
        Column of each text's code; None when the model does not know the code.
    """
    rows = np.array([i for i, column in enumerate(truth) if column is not None], dtype=np.intp)
    columns = np.array([column for column in truth if column is not None], dtype=np.intp)

    def brier(log_temperature: float) -> float:
        values = to_codes(softmax(logits, float(np.exp(log_temperature))))
        return float((values**2).sum() - 2 * values[rows, columns].sum())

    low, high = np.log(_LOW), np.log(_HIGH)
    ratio = (np.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = brier(left), brier(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = brier(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = brier(right)
    return round(float(np.exp((low + high) / 2)), 4)
