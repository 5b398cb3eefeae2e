"""The weights of the parts and the temperature that turn scores into probabilities.

The weights maximise the likelihood of the right labels. The temperature is chosen by the Brier
score, which also counts texts whose code the model has never seen: the likelihood cannot, and would
leave the model too sure of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from autonoe_nace.model.scores import softmax
from autonoe_nace.training.held_out import Round

Floats = NDArray[np.float32]

_LOW, _HIGH = 0.1, 10.0
_STEPS = 40
_SHRINK = 1e-4
_DIGITS = 4


def choose_weights(rounds: Sequence[Round]) -> dict[str, float]:
    """Return the weight of each part, at least 0; nothing to choose for a single part."""
    names = list(rounds[0].scores)
    if len(names) == 1:
        return {}
    stacks, columns = [], []
    for part in rounds:
        place = {label: i for i, label in enumerate(part.labels)}
        known = [i for i, code in enumerate(part.truth) if code in place]
        stack = np.stack([part.scores[name][known] for name in names])
        stacks.append(stack - stack.max(axis=2, keepdims=True))
        columns.append(np.array([place[part.truth[i]] for i in known], dtype=np.intp))
    count = max(1, sum(map(len, columns)))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = _SHRINK * float(weights @ weights), 2 * _SHRINK * weights
        for stack, right in zip(stacks, columns, strict=True):
            logits = np.tensordot(weights.astype(np.float32), stack, 1)
            logits -= logits.max(axis=1, keepdims=True)
            odds = np.exp(logits)
            sums = odds.sum(axis=1, keepdims=True)
            rows = np.arange(len(right))
            total += float((np.log(sums[:, 0]) - logits[rows, right]).sum()) / count
            expected = np.einsum("pij,ij->p", stack, odds / sums, dtype=np.float64)
            slope = slope + (expected - stack[:, rows, right].sum(axis=1)) / count
        return total, slope

    start = np.full(len(names), 0.5)
    found = minimize(loss, start, jac=True, bounds=[(0, None)] * len(names), method="L-BFGS-B")
    return {name: round(float(x), _DIGITS) for name, x in zip(names, found.x, strict=True)}


def choose_temperature(rounds: Sequence[Round], weights: Mapping[str, float]) -> float:
    """Return the temperature with the smallest Brier score over all texts of ``rounds``."""
    prepared = []
    for part in rounds:
        place = {code: i for i, code in enumerate(part.hierarchy.codes)}
        rows = np.array([i for i, c in enumerate(part.truth) if c in place], dtype=np.intp)
        columns = np.array([place[c] for c in part.truth if c in place], dtype=np.intp)
        prepared.append((part, rows, columns, part.logits(weights)))

    def brier(log_temperature: float) -> float:
        total = 0.0
        for part, rows, columns, logits in prepared:
            values = part.hierarchy.candidates(softmax(logits, float(np.exp(log_temperature))))
            total += float((values**2).sum() - 2 * values[rows, columns].sum())
        return total

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
    return round(float(np.exp((low + high) / 2)), _DIGITS)
