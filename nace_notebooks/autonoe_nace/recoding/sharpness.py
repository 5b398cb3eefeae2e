"""How far a model's probabilities can be trusted among the few candidates of one code.

A model that is calibrated over all codes is too sure of itself between neighbours: given the old
code, what is left to decide is the hard part. One power, chosen on texts that the model did not
learn from, mends that. No doubly coded text is needed: for a text with a known new code, each old
code that the table allows is a question the model can be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.model import NaceModel
from autonoe_nace.recoding.correspondence import Correspondence
from autonoe_nace.recoding.dual import of_prepared
from autonoe_nace.recoding.joint import Floats, PairSpace

FEWEST = 30
"""Questions below which nothing is estimated."""

_FLOOR = 1e-9
_LIMITS = (0.05, 2.0)


@dataclass(frozen=True)
class Sharpness:
    """The power to take, and what it does.

    Attributes
    ----------
    value : float
        For :class:`~autonoe_nace.recoding.decide.Rules`.
    n : int
        Questions that it was chosen on.
    accuracy : float
        Share of them that the model answers rightly among the candidates.
    probability_before, probability_after : float
        Mean probability of its answers; it should be the accuracy.
    """

    value: float
    n: int
    accuracy: float
    probability_before: float
    probability_after: float


def fit_sharpness(model: NaceModel, correspondence: Correspondence, data: Dataset) -> Sharpness:
    """Return the power under which the right candidates of ``data`` are most probable.

    Parameters
    ----------
    model : NaceModel
        A model of the new version.
    correspondence : Correspondence
        From the old version to the new one.
    data : Dataset
        Texts with codes of the new version, which the model did not learn from.

    Raises
    ------
    InvalidInputError
        If fewer than 30 questions come of the texts.
    """
    table = correspondence.at(model.manifest.level)
    sources = tuple(dict.fromkeys(source for source, _ in table.links))
    space = PairSpace(table, sources)
    values = space.of_targets(model.codes, of_prepared(model, model.prepare.all(data.texts)))
    questions = _questions(space, data, values)
    if len(questions) < FEWEST:
        raise InvalidInputError(
            f"{len(questions)} questions come of {len(data)} texts; {FEWEST} are needed.",
            hint="Give more texts whose codes can come from an ambiguous old code.",
        )

    def loss(power: float) -> float:
        return float(-np.mean([np.log(_shares(v, power)[right]) for v, right in questions]))

    best = float(minimize_scalar(loss, bounds=_LIMITS, method="bounded").x)
    before, after = (
        float(np.mean([_shares(v, power).max() for v, _ in questions])) for power in (1.0, best)
    )
    accuracy = float(np.mean([int(v.argmax()) == right for v, right in questions]))
    return Sharpness(best, len(questions), accuracy, before, after)


def _questions(space: PairSpace, data: Dataset, values: Floats) -> list[tuple[Floats, int]]:
    """Return a question for each text and ambiguous old code of it: values, and the right place."""
    place = {code: i for i, code in enumerate(space.sources)}
    target_level = space.correspondence.target.level
    level = target_level(space.targets[0])
    found = []
    for code, row in zip(data.codes, values, strict=True):
        truth = space.correspondence.target.ancestor(code, level)
        if truth is None or not row.any():
            continue
        for source in space.correspondence.sources(truth):
            columns = [int(space.target_of[pair]) for pair in space.pairs_of(place[source])]
            if len(columns) > 1:
                right = [space.targets[c] for c in columns].index(truth)
                found.append((row[columns] + _FLOOR, right))
    return found


def _shares(values: Floats, power: float) -> Floats:
    powered = values**power
    return np.asarray(powered / powered.sum())
