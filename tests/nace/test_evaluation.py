"""Evaluation: known numbers for known inputs, and the shape that scripts rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset, ateco, examine
from autonoe_nace.evaluation import calibration_error, evaluate, macro_f1, wilson
from autonoe_nace.model import NaceModel


@pytest.fixture(scope="module")
def model(small_model: Path) -> NaceModel:
    return NaceModel.load(small_model, check=False)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return ateco().subset(range(5, 4_000, 40))


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe (1998), table I: 81 of 263.
    found = wilson(81, 263)
    assert found["value"] == pytest.approx(0.3080, abs=5e-5)
    assert found["low"] == pytest.approx(0.2553, abs=5e-5)
    assert found["high"] == pytest.approx(0.3662, abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 20), (20, 20)])
def test_wilson_stays_within_zero_and_one(hits: int, n: int) -> None:
    found = wilson(hits, n)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert found["low"] < found["high"]
    with pytest.raises(InvalidInputError):
        wilson(0, 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1))
def test_macro_f1_is_that_of_scikit_learn_over_the_true_codes(pairs: list[tuple[str, str]]) -> None:
    truth, predicted = [t for t, _ in pairs], [p for _, p in pairs]
    expected = f1_score(
        truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0
    )
    assert macro_f1(truth, predicted) == pytest.approx(expected)


def test_calibration_error_of_known_cases() -> None:
    assert calibration_error([1.0, 1.0], [True, True]) == 0
    assert calibration_error([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.4)


def test_the_document_has_the_promised_shape(model: NaceModel, data: Dataset) -> None:
    result = evaluate(model, data)
    assert result["n"] == len(data)
    assert list(result["levels"]) == ["1", "2", "3", "4"]
    for row in result["levels"].values():
        for name in ("top1", "top5"):
            assert set(row[name]) == {"value", "low", "high"}
            assert row[name]["low"] <= row[name]["value"] <= row[name]["high"]
        assert row["top1"]["value"] <= row["top5"]["value"]
        assert 0 <= row["macro_f1"] <= 1
        assert row["n"] == len(data)
    assert result["report"]["read"] >= result["report"]["used"]
    shares = [row["top1"]["value"] for row in result["levels"].values()]
    assert shares[0] > shares[-1], "sections are easier than classes"


def test_the_numbers_are_those_of_predict(model: NaceModel, data: Dataset) -> None:
    result = evaluate(model, data)
    for level in (2, 4):
        truth = [model.nomenclature.ancestor(code, level) for code in data.codes]
        found = model.predict(data.texts, k=5, level=level)
        first = [f.candidates[0].code == t for f, t in zip(found, truth, strict=True)]
        five = [t in {c.code for c in f.candidates} for f, t in zip(found, truth, strict=True)]
        row = result["levels"][str(level)]
        assert row["top1"]["value"] == pytest.approx(sum(first) / len(first))
        assert row["top5"]["value"] == pytest.approx(sum(five) / len(five))


def test_codes_the_model_never_saw_count_as_wrong(model: NaceModel) -> None:
    unseen = sorted(set(model.nomenclature.at_level(4)) - set(model.codes))[:5]
    assert unseen
    data = examine(["qualunque cosa"] * len(unseen), unseen, model.nomenclature)
    row = evaluate(model, data)["levels"]["4"]
    assert (row["n"], row["top1"]["value"], row["top5"]["value"]) == (len(unseen), 0, 0)


def test_broader_codes_are_judged_where_they_can_be(model: NaceModel) -> None:
    data = examine(["riso", "riso"], ["01.1", "01.12"], model.nomenclature)
    levels = evaluate(model, data)["levels"]
    assert {level: row["n"] for level, row in levels.items()} == {"1": 2, "2": 2, "3": 2, "4": 1}


def test_no_text_to_judge_is_an_error(model: NaceModel, data: Dataset) -> None:
    with pytest.raises(InvalidInputError):
        evaluate(model, data.subset([]))
