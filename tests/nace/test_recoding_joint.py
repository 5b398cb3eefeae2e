"""The arithmetic of pairs: nothing outside the table, nothing lost, nothing invented."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.nomenclature.tree import Node
from autonoe_nace.recoding import Correspondence, load_correspondence
from autonoe_nace.recoding.joint import NONE, PairSpace

OLD = [f"0{i}.11" for i in range(1, 7)]
NEW = [f"1{i}.11" for i in range(1, 6)]


def _tree(name: str, codes: list[str]) -> Nomenclature:
    return Nomenclature(name, language="und", nodes=[Node(code, 4, "", "") for code in codes])


def _table(links: list[tuple[str, str]]) -> Correspondence:
    return Correspondence("t", _tree("old", OLD), _tree("new", NEW), links)


links = st.lists(st.tuples(st.sampled_from(OLD), st.sampled_from(NEW)), min_size=1, max_size=30)
seeds = st.integers(0, 2**32 - 1)


def _random(seed: int, rows: int, columns: int) -> np.ndarray:
    values = np.random.default_rng(seed).dirichlet(np.full(columns, 0.3), size=rows)
    return np.asarray(values)


@given(links, seeds, st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_row_keeps_its_probability_within_the_table(
    pairs: list[tuple[str, str]], seed: int, both: bool
) -> None:
    table = _table(pairs)
    space = PairSpace(table, OLD)
    first = _random(seed, 4, len(OLD))
    first[3] = 0  # a text without a usable word
    second = _random(seed + 1, 4, len(space.targets)) if both else None
    joint = space.joint(first, second)
    assert joint.shape == (4, len(space.source_of))
    assert (joint >= 0).all()
    np.testing.assert_allclose(joint.sum(axis=1), [1, 1, 1, 0], atol=1e-9)
    allowed = set(table.links)
    for s, t in zip(space.source_of, space.target_of, strict=True):
        if t == NONE:
            assert not table.targets(OLD[s])
        else:
            assert (OLD[s], space.targets[t]) in allowed
    assert len(set(zip(space.source_of, space.target_of, strict=True))) == len(space.source_of)
    sources, targets = space.source_marginal(joint), space.target_marginal(joint)
    unmatched = joint[:, space.target_of == NONE].sum(axis=1)
    np.testing.assert_allclose(sources.sum(axis=1), joint.sum(axis=1))
    np.testing.assert_allclose(targets.sum(axis=1) + unmatched, joint.sum(axis=1), atol=1e-12)


@given(links, seeds)
@settings(max_examples=100, deadline=None)
def test_one_model_keeps_its_own_probabilities(pairs: list[tuple[str, str]], seed: int) -> None:
    space = PairSpace(_table(pairs), OLD)
    first = _random(seed, 3, len(OLD))
    np.testing.assert_allclose(space.source_marginal(space.joint(first)), first)


@given(links, seeds, st.floats(0.1, 1.0))
@settings(max_examples=100, deadline=None)
def test_the_candidates_of_a_known_code_share_one(
    pairs: list[tuple[str, str]], seed: int, sharpness: float
) -> None:
    space = PairSpace(_table(pairs), OLD)
    given_ = space.conditional(_random(seed, 3, len(space.targets)), sharpness=sharpness)
    for source in range(len(OLD)):
        places = space.pairs_of(source)
        np.testing.assert_allclose(given_[:, places.start : places.stop].sum(axis=1), 1)


def test_two_models_agree_on_the_pair_that_both_find_likely() -> None:
    table = _table([(OLD[0], NEW[0]), (OLD[0], NEW[1]), (OLD[1], NEW[1]), (OLD[2], NEW[2])])
    space = PairSpace(table, OLD[:3])
    first = np.array([[0.5, 0.4, 0.1]])
    second = space.of_targets([NEW[1], NEW[0], NEW[2]], np.array([[0.7, 0.1, 0.2]]))
    joint = space.joint(first, second)[0]
    expected = np.sqrt([0.5 * 0.1, 0.5 * 0.7, 0.4 * 0.7, 0.1 * 0.2])
    np.testing.assert_allclose(joint, expected / expected.sum(), rtol=1e-6)


def test_shares_of_a_bridging_table_replace_equal_ones() -> None:
    table = _table([(OLD[0], NEW[0]), (OLD[0], NEW[1]), (OLD[1], NEW[0]), (OLD[1], NEW[1])])
    space = PairSpace(table, OLD[:2], {(OLD[0], NEW[0]): 30, (OLD[0], NEW[1]): 10})
    np.testing.assert_allclose(space.prior, [0.75, 0.25, 0.5, 0.5])
    with pytest.raises(InvalidInputError, match="not all numbers"):
        PairSpace(table, OLD[:2], {(OLD[0], NEW[0]): -1})


def test_the_new_class_without_a_predecessor_is_kept_and_goes_nowhere() -> None:
    table = load_correspondence("nace-rev2.1", "nace-rev2").at(4)
    codes = ["01.12", "46.89"]
    space = PairSpace(table, codes)
    joint = space.joint(np.array([[0.3, 0.7]]), np.array([[1.0]]))
    assert [int(t) for t in space.target_of] == [0, NONE]
    assert joint[0, 1] > joint[0, 0] > 0
