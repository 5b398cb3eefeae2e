"""Texts held out for calibration: who they are, what calibrating models say, how good that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation import calibration_error, macro_f1, wilson
from autonoe_nace.model.answering import best
from autonoe_nace.model.ensemble import Ensemble
from autonoe_nace.model.first_stage import put_first
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.scores import softmax
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.splitting import hold_out

Floats = NDArray[np.float32]

MOST_HELD = 20_000
"""Texts held out in a round, at most: more would tell no more."""

MOST_TUNING = 2_000
"""Texts of a round for temperature and weights, at most; the others are for conformal sets."""

_TOP = 5


@dataclass(frozen=True)
class Scale:
    """How scores become probabilities: weights of the parts, temperature, and how it adapts.

    ``lookup`` is the worth of the rules engine that answers first; None when none does.
    """

    weights: dict[str, float]
    temperature: float = 1.0
    adapt: float = 0.0
    lookup: float | None = None


@dataclass(frozen=True)
class Round:
    """One calibrating model's scores of texts that it did not learn from.

    Attributes
    ----------
    scores : dict of str to array
        By part, texts x labels.
    labels : tuple of str
        Codes of the columns.
    hierarchy : Hierarchy
        From labels to codes.
    truth : tuple of str
        Right code of each text.
    looked_up : tuple of (str or None)
        What a rules engine of the round's other texts is sure of; empty where none can be made.
    """

    scores: dict[str, Floats]
    labels: tuple[str, ...]
    hierarchy: Hierarchy
    truth: tuple[str, ...]
    looked_up: tuple[str | None, ...] = ()

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        hierarchy: Hierarchy,
        samples: Sequence[tuple[str, str]],
        looked_up: tuple[str | None, ...] = (),
    ) -> Round:
        """Return what ``ensemble`` says of ``samples`` (prepared text, code)."""
        scores = ensemble.scores([text for text, _ in samples])
        truth = tuple(code for _, code in samples)
        return cls(scores, ensemble.labels, hierarchy, truth, looked_up)

    def logits(self, weights: Mapping[str, float]) -> Floats:
        """Return the weighted sum of the parts' scores."""
        parts = [
            scores * np.float32(weights.get(name, 1.0)) for name, scores in self.scores.items()
        ]
        total: Floats = np.sum(parts, axis=0, dtype=np.float32)
        return total

    def probabilities(self, scale: Scale) -> Floats:
        """Return the probabilities of the hierarchy's codes, as the model's answers have them."""
        logits = self.logits(scale.weights)
        found = self.hierarchy.candidates(softmax(logits, scale.temperature, scale.adapt))
        if scale.lookup is not None:
            place = {code: i for i, code in enumerate(self.hierarchy.codes)}
            put_first(found, self.looked_up, place, scale.lookup)
        return found


def split(
    groups: Sequence[int], *, share: float, rounds: int, seed: int
) -> list[tuple[list[int], list[int]]]:
    """Return for each round the positions (for tuning, for conformal sets) to hold out.

    No group is held out twice, and none is in both lists of a round.
    """
    left = list(range(len(groups)))
    share = min(share, MOST_HELD / len(groups))
    found = []
    for number in range(rounds):
        own = [groups[i] for i in left]
        _, places = hold_out(own, share=share * len(groups) / len(left), seed=seed + number)
        held = [left[i] for i in places]
        tuning_share = min(0.5, MOST_TUNING / len(held))
        inner = [groups[i] for i in held]
        rest, tuning = hold_out(inner, share=tuning_share, seed=seed + number)
        found.append(([held[i] for i in tuning], [held[i] for i in rest]))
        gone = set(held)
        left = [i for i in left if i not in gone]
    return found


def judge(rounds: Sequence[Round], scale: Scale, nomenclature: Nomenclature) -> dict[str, Any]:
    """Return by level the accuracy on the rounds' texts, as ``evaluate`` gives it for a model."""
    found: dict[int, _Tally] = {}
    for part in rounds:
        probabilities = part.probabilities(scale)
        for level in (n for n in nomenclature.levels if n <= part.hierarchy.level):
            codes, rolled = part.hierarchy.codes, probabilities
            if level != part.hierarchy.level:
                codes, rolled = part.hierarchy.roll_up(probabilities, level)
            if codes:
                truth = [nomenclature.ancestor(code, level) for code in part.truth]
                found.setdefault(level, _Tally()).add(truth, codes, rolled)
    return {str(level): tally.result() for level, tally in sorted(found.items()) if tally.truth}


class _Tally:
    """What is counted at one level."""

    def __init__(self) -> None:
        self.truth: list[str] = []
        self.first: list[str] = []
        self.given: list[float] = []
        self.among_top = 0

    def add(self, truth: Sequence[str | None], codes: Sequence[str], values: Floats) -> None:
        for true, columns, row in zip(truth, best(values, _TOP), values, strict=True):
            if true is None:
                continue
            self.truth.append(true)
            self.first.append(codes[columns[0]])
            self.given.append(float(row[columns[0]]))
            self.among_top += any(codes[j] == true for j in columns)

    def result(self) -> dict[str, Any]:
        n = len(self.truth)
        right = [t == p for t, p in zip(self.truth, self.first, strict=True)]
        return {
            "n": n,
            "top1": wilson(sum(right), n),
            "top5": wilson(self.among_top, n),
            "macro_f1": macro_f1(self.truth, self.first),
            "ece": calibration_error(self.given, right),
        }
