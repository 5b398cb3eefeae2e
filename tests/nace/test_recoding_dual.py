"""Dual coding of real texts: consistent, better than two models apart, honest on ambiguity."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace.model import Candidate, Prediction
from autonoe_nace.recoding import Correspondence, DualCoder, dual_predict, load_correspondence
from support.doubly_coded import DoublyCoded


def _both_right(doubly: DoublyCoded, new: list[str | None], old: list[str | None]) -> float:
    pairs = zip(new, doubly.new, old, doubly.old, strict=True)
    return sum(a == b and c == d for a, b, c, d in pairs) / len(doubly.texts)


def test_the_texts_are_real_doubly_coded_ones(doubly: DoublyCoded, forward: Correspondence) -> None:
    pairs = list(zip(doubly.old, doubly.new, strict=True))
    assert len(pairs) > 300
    outside = [pair for pair in pairs if pair not in forward.at(4).links]
    assert len(outside) <= 0.01 * len(pairs)


def test_two_models_within_the_table_beat_two_models_apart(doubly: DoublyCoded) -> None:
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    answers = dual_predict(doubly.new_model, doubly.texts, back, second=doubly.old_model)
    together = _both_right(
        doubly,
        [a.pair.source if a.pair else None for a in answers],
        [a.pair.target if a.pair else None for a in answers],
    )
    one = dual_predict(doubly.new_model, doubly.texts, back)
    alone = _both_right(
        doubly,
        [a.pair.source if a.pair else None for a in one],
        [a.pair.target if a.pair else None for a in one],
    )
    new, old = (
        [p.candidates[0].code if p.candidates else None for p in model.predict(doubly.texts, 1)]
        for model in (doubly.new_model, doubly.old_model)
    )
    apart = _both_right(doubly, new, old)
    assert together > alone + 0.04 > apart + 0.04
    allowed = set(back.links)
    contradicted = sum(pair not in allowed for pair in zip(new, old, strict=True))
    assert contradicted > 0.3 * len(new), "coded apart, versions contradict the table"
    for answer in [*answers, *one]:
        for pair in answer.pairs:
            assert pair.target is None or (pair.source, pair.target) in allowed
    # of one model the answer in its own version stays what it was
    assert [a.pair.source if a.pair else None for a in one] == new


def test_an_ambiguous_answer_lists_its_candidates_and_says_why(doubly: DoublyCoded) -> None:
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    given = [Prediction((Candidate("95.10", "", 0.9, 4),), 0.9, "repair")]
    other = [Prediction((Candidate("95.11", "", 0.6, 4), Candidate("95.12", "", 0.2, 4)), 0.4, "")]
    for second, basis in ((None, "equal"), (doubly.old_model, "second model")):
        coder = DualCoder(doubly.new_model, back, second=second)
        answer = coder.answer(given, other if second else None)[0]
        assert answer.pair is not None
        assert answer.pair.source == "95.10"
        assert answer.ambiguity is not None
        assert {c.code for c in answer.ambiguity.candidates} == {"95.11", "95.12"}
        assert sum(c.probability for c in answer.ambiguity.candidates) == pytest.approx(1)
        assert answer.ambiguity.basis == basis
        assert "95.10 corresponds to 2 codes (one-to-many)" in answer.ambiguity.why
        assert answer.to_dict()["ambiguity"]["why"] == answer.ambiguity.why
    shared = {c.code: c.probability for c in answer.ambiguity.candidates}
    assert shared["95.11"] == pytest.approx(3**0.5 / (1 + 3**0.5))
    assert answer.ambiguity.candidates[0].title
    rice = [Prediction((Candidate("01.12", "", 0.9, 4),), 0.9, "rice")]
    assert DualCoder(doubly.new_model, back).answer(rice)[0].ambiguity is None
    nothing = coder.predict(["???"])[0]
    assert (nothing.pair, nothing.source, nothing.target_confidence) == (None, (), 0.0)


def test_single_answers_of_a_server_become_dual_ones(doubly: DoublyCoded) -> None:
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    texts = [*doubly.texts[:40], "???"]
    for second in (None, doubly.old_model):
        coder = DualCoder(doubly.new_model, back, second=second)
        whole = coder.predict(texts)
        everything = len(doubly.new_model.codes)
        predicted = doubly.new_model.predict(texts, everything)
        other = second.predict(texts, everything) if second else None
        for a, b in zip(coder.answer(predicted, other), whole, strict=True):
            assert (a.pair and (a.pair.source, a.pair.target)) == (
                b.pair and (b.pair.source, b.pair.target)
            )
            assert a.target_confidence == pytest.approx(b.target_confidence, abs=1e-5)
    with pytest.raises(InvalidInputError, match="level"):
        coder.answer(doubly.new_model.predict(texts, 3, level=2))


def test_a_model_of_another_version_is_refused(
    doubly: DoublyCoded, small_model: Path, forward: Correspondence
) -> None:
    other = load_correspondence("naf-rev2", "naf-rev2", table=str(_french_table(small_model)))
    with pytest.raises(InvalidInputError) as refused:
        DualCoder(doubly.new_model, other)
    assert refused.value.code in {"other_version", "invalid_input"}


def _french_table(model: Path) -> Path:
    file = model.parent / "french.csv"
    file.write_text("a,b\n01.11Z,01.11Z\n01.12Z,01.12Z\n", encoding="utf-8")
    return file
