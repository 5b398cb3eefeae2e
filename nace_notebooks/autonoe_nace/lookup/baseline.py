"""What the rules engine is worth by itself, and beside a model on the same texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autonoe.errors import InvalidInputError
from autonoe_nace.lookup.entry import LookupAnswer
from autonoe_nace.lookup.index import RULES, LookupIndex

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.model import NaceModel
    from autonoe_nace.nomenclature import Nomenclature


def lookup_baseline(index: LookupIndex, dataset: Dataset) -> dict[str, Any]:
    """Return the auto-rate and accuracy of ``index`` on texts that it was not built from.

    Parameters
    ----------
    index : LookupIndex
        The rules engine.
    dataset : Dataset
        Coded texts. Those whose code is broader than the level of the index do not count.

    Returns
    -------
    dict
        ``n`` texts, ``n_auto`` answered, ``n_right`` of those; ``auto_rate`` and
        ``accuracy_auto`` in [0, 1], the latter None when nothing was answered; ``rules`` with
        ``n_auto`` and ``n_right`` by rule; ``ambiguous``, texts with an entry and no sure code;
        ``by_qualifiers``, answers that side variables had a say in; ``level`` and ``min_score``.

    Raises
    ------
    InvalidInputError
        If there is no text to judge it on.
    """
    truth = truth_at(dataset.codes, dataset.nomenclature, index.level)
    answers = index.code_all(dataset.texts, dataset.feature_rows())
    return summary(index, truth, answers)


def truth_at(codes: Sequence[str], nomenclature: Nomenclature, level: int) -> list[str | None]:
    """Return ``codes`` at ``level``; None where a code is unknown or broader."""
    parsed = (nomenclature.parse(code) for code in codes)
    return [nomenclature.ancestor(code, level) if code else None for code in parsed]


def summary(
    index: LookupIndex, truth: Sequence[str | None], answers: Sequence[LookupAnswer]
) -> dict[str, Any]:
    """Return the document of :func:`lookup_baseline` for answers already given."""
    judged = [(t, a) for t, a in zip(truth, answers, strict=True) if t is not None]
    if not judged:
        raise InvalidInputError(
            f"No text has a code at level {index.level}.", hint="Check the input report."
        )
    given: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for true, answer in judged:
        if answer.code is not None:
            given[answer.rule] += 1
            right[answer.rule] += answer.code == true
    n, n_auto, n_right = len(judged), given.total(), right.total()
    return {
        "n": n,
        "n_auto": n_auto,
        "n_right": n_right,
        "auto_rate": n_auto / n,
        "accuracy_auto": n_right / n_auto if n_auto else None,
        "rules": {rule: {"n_auto": given[rule], "n_right": right[rule]} for rule in RULES},
        "ambiguous": sum(1 for _, a in judged if a.code is None and a.rule),
        "by_qualifiers": sum(1 for _, a in judged if a.code is not None and a.qualifiers),
        "level": index.level,
        "min_score": index.min_score,
    }


def beside_model(index: LookupIndex, model: NaceModel, dataset: Dataset) -> dict[str, Any]:
    """Return the rules engine and a model on the same texts, and one after the other.

    Parameters
    ----------
    index : LookupIndex
        The rules engine.
    model : NaceModel
        A model of the same nomenclature; one with a first stage of its own would be judged with it.
    dataset : Dataset
        Coded texts that neither was made from.

    Returns
    -------
    dict
        ``lookup``: as :func:`lookup_baseline`. ``model``: ``accuracy`` on all texts,
        ``accuracy_same_rate`` on as many texts as the rules answer, those it is surest of, and
        ``accuracy_same_texts`` on the very texts that they answer (both None when there are none).
        ``together``: ``accuracy`` when the model answers what the rules leave. All in [0, 1].

    Raises
    ------
    InvalidInputError
        If there is no text to judge them on, or the model does not know the level of the index.
    """
    truth = truth_at(dataset.codes, dataset.nomenclature, index.level)
    rows = dataset.feature_rows()
    answers = index.code_all(dataset.texts, rows)
    found = summary(index, truth, answers)
    predictions = model.predict(dataset.texts, 1, level=index.level, features=rows)
    judged = [
        (true, answer.code, p.candidates[0].code if p.candidates else None, p.confidence)
        for true, answer, p in zip(truth, answers, predictions, strict=True)
        if true is not None
    ]
    surest = sorted(judged, key=lambda row: -row[3])[: found["n_auto"]]
    same = [row for row in judged if row[1] is not None]
    return {
        "lookup": found,
        "model": {
            "id": model.id,
            "accuracy": _share([given == true for true, _, given, _ in judged]),
            "accuracy_same_rate": _share([given == true for true, _, given, _ in surest]),
            "accuracy_same_texts": _share([given == true for true, _, given, _ in same]),
        },
        "together": {
            "accuracy": _share([(looked or given) == true for true, looked, given, _ in judged])
        },
    }


def _share(right: Sequence[bool]) -> float | None:
    return sum(right) / len(right) if right else None
