"""Splits that keep near-duplicates together."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe_nace.data import read_table
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.splitting import compared_by, folds, hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, load_rules

GROUPS = [0, 0, 0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]


def test_same_words_in_any_order_and_close_spellings_share_a_group() -> None:
    found = near_duplicate_groups(
        [
            "paint retail",
            "retail paint",
            "manufactur of concret block",
            "manufactur of concret blocks",
            "grow rice",
            "insur broker",
        ]
    )
    assert found == [0, 0, 1, 1, 2, 3]


def test_chains_of_near_duplicates_are_one_group() -> None:
    texts = [
        "repair of agricultur machin and tractor",
        "repair of agricultur machin and tractor in shop",
        "repair of agricultur machin and tractor in shop hall",
    ]
    assert set(near_duplicate_groups(texts)) == {0}
    assert len(set(near_duplicate_groups(texts, similarity=1))) == 3


def test_the_search_finds_exactly_the_pairs_of_a_full_comparison(shared_data: Path) -> None:
    from sklearn.metrics.pairwise import linear_kernel

    from autonoe_nace import splitting

    data = read_table(
        str(shared_data / "data/labelled/uksic2007_en_train.parquet"),
        nomenclature=load_nomenclature("uksic2007"),
    )
    texts = sorted(set(Preparation(load_rules("en")).all(data.texts[:1_500])))
    vectors = splitting._vectors(texts)
    full = linear_kernel(vectors)
    wanted = {
        (i, j)
        for i, j in zip(*(full >= 0.75).nonzero(), strict=True)
        if i != j and abs(full[i, j] - 0.75) > 1e-5
    }
    found = set(splitting._similar_pairs(texts, 0.75))
    assert len(wanted) > 100
    assert wanted <= found
    assert all(full[i, j] >= 0.75 - 1e-5 for i, j in found)


def test_twenty_thousand_texts_take_less_than_ten_seconds(shared_data: Path) -> None:
    tree = load_nomenclature("uksic2007")
    folder = shared_data / "data" / "labelled"
    texts = [
        text
        for name in ("uksic2007_en_train", "nace_rev2_notes_en_fr_de_train")
        for text in read_table(str(folder / f"{name}.parquet"), nomenclature=tree).texts
    ][:20_000]
    prepared = Preparation(load_rules("en")).all(texts)
    start = time.process_time()
    groups = near_duplicate_groups(prepared)
    assert time.process_time() - start < 10
    assert len(texts) == len(groups) == 20_000


def test_more_texts_than_the_limit_are_grouped_by_their_words_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    texts = ["concret block", "concret blocks", "block concret", "rice", "wheat"]
    monkeypatch.setattr("autonoe_nace.splitting.MOST_COMPARED", 4)
    assert near_duplicate_groups(texts) == [0, 0, 0, 1, 2]
    assert compared_by(texts) == "characters"
    assert not caplog.records
    monkeypatch.setattr("autonoe_nace.splitting.MOST_COMPARED", 3)
    assert near_duplicate_groups(texts) == [0, 1, 0, 2, 3]
    assert compared_by(texts) == "words"
    (said,) = caplog.messages
    assert said.startswith("4 different texts, more than 3: near-duplicates are those with the")
    near_duplicate_groups(texts, similarity=1)
    assert len(caplog.records) == 1, "only words were asked for"


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_hold_out_keeps_groups_whole_and_is_the_same_each_time(seed: int) -> None:
    kept, held = hold_out(GROUPS, share=0.3, seed=seed)
    assert sorted(kept + held) == list(range(len(GROUPS)))
    assert not {GROUPS[i] for i in kept} & {GROUPS[i] for i in held}
    assert held
    assert kept
    assert (kept, held) == hold_out(GROUPS, share=0.3, seed=seed)


def test_hold_out_follows_the_seed() -> None:
    assert len({tuple(hold_out(GROUPS, share=0.3, seed=s)[1]) for s in range(10)}) > 1


@pytest.mark.parametrize(("groups", "share"), [(GROUPS, 0.0), (GROUPS, 1.0), ([0, 0], 0.5)])
def test_hold_out_refuses_what_leaves_one_side_empty(groups: list[int], share: float) -> None:
    with pytest.raises(InvalidInputError):
        hold_out(groups, share=share)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=20, max_size=200), st.integers(2, 5))
def test_folds_keep_groups_whole_and_are_balanced(groups: list[int], k: int) -> None:
    if len(set(groups)) < k:
        with pytest.raises(InvalidInputError):
            folds(groups, k=k)
        return
    found = folds(groups, k=k)
    assert len({(g, f) for g, f in zip(groups, found, strict=True)}) == len(set(groups))
    sizes = Counter(found)
    assert set(sizes) == set(range(k))
    assert max(sizes.values()) - min(sizes.values()) <= max(Counter(groups).values())
