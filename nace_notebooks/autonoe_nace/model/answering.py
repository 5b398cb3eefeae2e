"""From probabilities to answers: ranking, fallback and sets, for many texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.model.answers import Candidate, Prediction

if TYPE_CHECKING:
    from autonoe_nace.model.first_stage import Stage
    from autonoe_nace.model.nace_model import NaceModel

Floats = NDArray[np.float32]

NOTHING = Prediction((), 0.0, "")
"""The answer to a text without a usable word."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted of each text.

    Attributes
    ----------
    k : int
        Candidates.
    level : int
        Their level.
    fallback_at : float or None
        Confidence that a fallback must reach.
    least : array, codes, or None
        Probability from which a code of the model's own level joins the set.
    """

    k: int
    level: int
    fallback_at: float | None = None
    least: Floats | None = None


def answer(
    model: NaceModel,
    probabilities: Floats,
    prepared: Sequence[str],
    asked: Asked,
    stages: Sequence[Stage] | None = None,
) -> list[Prediction]:
    """Return the answers for ``probabilities`` (texts x codes) of the texts ``prepared``."""
    codes, rolled = model.roll_up(probabilities, asked.level)
    order, values = _ranked(rolled, max(asked.k, 2))
    confidences = _confidence(values).tolist()
    titles, level, k = model.titles(asked.level), asked.level, asked.k
    candidates = [
        tuple(
            [Candidate(codes[j], titles[j], p, level) for j, p in zip(row[:k], given, strict=False)]
        )
        for row, given in zip(order.tolist(), values.tolist(), strict=True)
    ]
    if asked.fallback_at is None and asked.least is None and stages is None:
        return list(map(Prediction, candidates, confidences, prepared))
    size = len(prepared)
    sets: Sequence[tuple[str, ...] | None] = [None] * size
    if asked.least is not None:
        sets = _sets(model, probabilities, asked.least, asked.level)
    fallbacks: Sequence[Candidate | None] = [None] * size
    if asked.fallback_at is not None:
        fallbacks = _fallbacks(model, probabilities, asked, candidates, confidences)
    if stages is None:
        return list(map(Prediction, candidates, confidences, prepared, fallbacks, sets))
    return list(map(Prediction, candidates, confidences, prepared, fallbacks, sets, stages))


def best(probabilities: Floats, k: int) -> NDArray[np.intp]:
    """Return the columns of the ``k`` largest values of each row, the largest first.

    Ties go to the first code in alphabetical order, so that equal scores give equal answers.
    """
    return _ranked(probabilities, k)[0]


def _ranked(probabilities: Floats, k: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the columns of the ``k`` largest values of each row, and the values."""
    k = min(k, probabilities.shape[1])
    if k < probabilities.shape[1]:
        few = np.argpartition(-probabilities, k - 1, axis=1)[:, :k]
        few.sort(axis=1)
    else:
        few = np.broadcast_to(np.arange(k), probabilities.shape).copy()
    # plain indices: numpy's take_along_axis spends longer on its checks than on one text
    rows = np.arange(len(probabilities))[:, None]
    values = probabilities[rows, few]
    order = np.argsort(-values, axis=1, kind="stable")
    return few[rows, order], values[rows, order]


def _confidence(values: Floats) -> NDArray[np.float64]:
    """Return the first minus the second of ranked ``values``; the first where there is no other."""
    exact = values.astype(np.float64)
    found: NDArray[np.float64] = exact[:, 0] - exact[:, 1] if exact.shape[1] > 1 else exact[:, 0]
    return found


def _sets(
    model: NaceModel, probabilities: Floats, least: Floats, level: int
) -> list[tuple[str, ...]]:
    """Return the codes that reach their least probability; the best code where none does.

    At a broader level the set holds what the codes lie under: it covers at least as often.
    """
    inside = probabilities >= least
    inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
    codes: Sequence[str] = model.codes
    if level != model.manifest.level:
        above = (model.nomenclature.ancestor(code, level) for code in codes)
        codes = [code or own for code, own in zip(above, codes, strict=True)]
    out = []
    for row, given in zip(inside, probabilities, strict=True):
        columns = np.flatnonzero(row)
        ordered = columns[np.argsort(-given[columns], kind="stable")]
        out.append(tuple(dict.fromkeys(codes[j] for j in ordered.tolist())))
    return out


def _fallbacks(
    model: NaceModel,
    probabilities: Floats,
    asked: Asked,
    first: Sequence[tuple[Candidate, ...]],
    confidences: Sequence[float],
) -> list[Candidate | None]:
    """Return for each row the best code of the deepest level whose confidence is high enough.

    At the level that was asked for that is the first candidate, ranked already.
    """
    wanted = asked.fallback_at
    assert wanted is not None  # noqa: S101  the caller checked
    out = [
        found[0] if confidence >= wanted else None
        for found, confidence in zip(first, confidences, strict=True)
    ]
    rows = [place for place, found in enumerate(out) if found is None]
    above = model.levels_above(asked.level)
    if not rows or not above.levels:
        return out
    there = probabilities if len(rows) == len(out) else probabilities[rows]
    places, sums, leads = above.best(there)
    title = model.nomenclature.title
    # plain numbers: a numpy one costs as much to look at as a row of these
    for row, columns, given, ahead in zip(
        rows, places.tolist(), sums.tolist(), leads.tolist(), strict=True
    ):
        for level, column, p, lead in zip(above.levels, columns, given, ahead, strict=True):
            if lead >= wanted:
                code = above.codes[column]
                out[row] = Candidate(code, title(code), p, level)
                break
    return out
