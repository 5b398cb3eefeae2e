"""Conformal sets: they hold the right code as often as promised, in each section where n allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.model.conformal import Conformal, has_own_limit
from autonoe_nace.nomenclature import Nomenclature, load_nomenclature

CODES = ("01.11", "10.71", "47.24", "62.01")
SHARES = (0.05, 0.55, 0.35, 0.05)
HARDNESS = (0.3, 1.0, 2.0, 0.6)
"""How clear a text of each code is: sections differ, which is why one limit does not do."""


@pytest.fixture(scope="module")
def tree() -> Nomenclature:
    return load_nomenclature("nace-rev2")


def _texts(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(CODES), size=n, p=SHARES)
    logits = rng.normal(size=(n, len(CODES)))
    logits[np.arange(n), truth] += np.array(HARDNESS)[truth]
    odds = np.exp(logits)
    values = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return values, [CODES[i] for i in truth]


def _covered(values: np.ndarray, truth: Sequence[str], least: np.ndarray) -> np.ndarray:
    columns = [CODES.index(code) for code in truth]
    return values[np.arange(len(values)), columns] >= least[columns]


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.95])
def test_sets_cover_as_often_as_asked_in_each_section(tree: Nomenclature, coverage: float) -> None:
    known, right = _texts(3_000, 1)
    sets = Conformal.learn([(known, CODES, right)], tree)
    least = sets.least_probabilities(CODES, coverage)
    values, truth = _texts(40_000, 2)
    covered = _covered(values, truth, least)
    assert covered.mean() == pytest.approx(coverage, abs=0.01)
    for code in CODES:
        own = covered[[t == code for t in truth]]
        assert own.mean() == pytest.approx(coverage, abs=0.04), code


def test_one_limit_for_all_would_cover_rare_hard_sections_less(tree: Nomenclature) -> None:
    values, truth = _texts(20_000, 1)
    alike = Conformal({"99.00": Conformal.learn([(values, CODES, truth)], tree)._all}, tree)
    test_values, test_truth = _texts(40_000, 2)
    covered = _covered(test_values, test_truth, alike.least_probabilities(CODES, 0.9))
    assert covered.mean() == pytest.approx(0.9, abs=0.01)
    assert covered[[t == "01.11" for t in test_truth]].mean() < 0.87


def test_a_code_falls_back_to_its_section_and_then_to_all(tree: Nomenclature) -> None:
    scores = {
        "10.71": [0.10] * 40,  # enough of its own
        "10.11": [0.30] * 6,  # its section has 46 texts, of which the 43rd decides
        "62.01": [0.90] * 5,  # neither it nor its section has enough
    }
    least = Conformal(scores, tree).least_probabilities(["10.71", "10.11", "62.01", "01.11"], 0.9)
    assert least[0] == pytest.approx(0.90, abs=1e-3)
    assert least[1] == pytest.approx(0.70, abs=1e-3)
    everywhere = 1 - sorted([s for values in scores.values() for s in values])[46]
    assert least[2:].tolist() == pytest.approx([everywhere] * 2, abs=1e-3)


def test_codes_that_the_model_does_not_know_make_the_sets_larger(tree: Nomenclature) -> None:
    values, truth = _texts(2_000, 1)
    unknown = ["55.10" if i % 8 == 0 else code for i, code in enumerate(truth)]
    known, with_unknown = (
        Conformal.learn([(values, CODES, t)], tree)._all for t in (truth, unknown)
    )
    assert sum(s == 1 for s in with_unknown) == 250
    assert np.mean(with_unknown) > np.mean(known)


def test_too_few_texts_are_no_ground_for_a_set(tree: Nomenclature) -> None:
    few = Conformal({"10.71": [0.1] * 8}, tree)
    with pytest.raises(InvalidInputError, match="8 texts") as caught:
        few.least_probabilities(CODES, 0.9)
    assert caught.value.code == "coverage_unknown"
    assert few.least_probabilities(CODES, 0.5).shape == (4,)


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5])
def test_a_coverage_lies_between_0_and_1(tree: Nomenclature, coverage: float) -> None:
    with pytest.raises(InvalidInputError, match="coverage"):
        Conformal({"10.71": [0.1] * 99}, tree).least_probabilities(CODES, coverage)


def test_scores_travel_as_a_plain_document(tree: Nomenclature) -> None:
    values, truth = _texts(500, 1)
    sets = Conformal.learn([(values, CODES, truth)], tree)
    again = Conformal.from_dict(sets.to_dict(), tree)
    assert again.n == sets.n == 500
    assert (
        again.least_probabilities(CODES, 0.9).tolist()
        == sets.least_probabilities(CODES, 0.9).tolist()
    )
    for broken in ({}, {"scores": 3}, {"scores": {"10.71": ["x"]}}, []):
        with pytest.raises(AutonoeError) as caught:
            Conformal.from_dict(broken, tree)
        assert caught.value.code == "model_damaged"


def test_a_section_has_a_limit_of_its_own_from_as_many_texts_as_the_coverage_asks_for(
    tree: Nomenclature,
) -> None:
    sets = Conformal({"01.11": [0.1] * 30, "10.71": [0.5] * 29, "10.89": [0.5] * 40}, tree)
    assert sets.sections() == {"A": 30, "C": 69}
    assert has_own_limit(30, 0.9)
    assert not has_own_limit(29, 0.9)
    assert not has_own_limit(30, 0.95)
