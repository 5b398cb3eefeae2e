"""The weights of the parts and the temperature that turn scores into probabilities.

The weights maximise the likelihood of the right labels. The temperature, and how it adapts to the
text, are chosen by the Brier score, which also counts texts whose code the model has never seen:
the likelihood cannot, and would leave the model too sure of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from autonoe_nace.model.scores import softmax
from autonoe_nace.training.held_out import Round, Scale

Floats = NDArray[np.float32]

_TEMPERATURES = (0.1, 10.0)
_ADAPT = (-1.0, 2.0)
_START = np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
_PULL = 0.5
"""Keeps the adaptation near 0 where few texts speak for it, in units of one text's Brier score."""

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


def choose_temperature(rounds: Sequence[Round], weights: Mapping[str, float]) -> Scale:
    """Return temperature and adaptation with the smallest Brier score over all of ``rounds``."""
    prepared = []
    for part in rounds:
        place = {code: i for i, code in enumerate(part.hierarchy.codes)}
        rows = np.array([i for i, c in enumerate(part.truth) if c in place], dtype=np.intp)
        columns = np.array([place[c] for c in part.truth if c in place], dtype=np.intp)
        prepared.append((part, rows, columns, part.logits(weights)))

    def brier(chosen: NDArray[np.float64]) -> float:
        log_temperature, adapt = chosen.tolist()
        total = float(_PULL * adapt**2)
        for part, rows, columns, logits in prepared:
            values = softmax(logits, float(np.exp(log_temperature)), adapt)
            values = part.hierarchy.candidates(values)
            squares = np.einsum("ij,ij->", values, values, dtype=np.float64)
            total += float(squares - 2 * values[rows, columns].sum(dtype=np.float64))
        return total

    found = minimize(
        brier,
        np.zeros(2),
        method="Nelder-Mead",
        bounds=[tuple(np.log(_TEMPERATURES)), _ADAPT],
        options={
            "initial_simplex": _START,
            "xatol": 1e-4,
            "fatol": 1e-6 * sum(len(part.truth) for part in rounds),
            "maxfev": 200,
        },
    )
    temperature, adapt = (
        round(float(np.exp(found.x[0])), _DIGITS),
        round(float(found.x[1]), _DIGITS),
    )
    return Scale(dict(weights), temperature, adapt)
