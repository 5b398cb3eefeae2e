"""The sample: known probabilities, the same for equal seeds, and estimates that are not biased."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe.errors import AutonoeError, InvalidInputError, NotFoundError
from autonoe_nace.annotation import design as plan
from autonoe_nace.annotation.design import Design
from autonoe_nace.annotation.estimation import share, total
from autonoe_nace.annotation.sampling import draw, months_before
from support.annotated import LAST, TREE, population, store


def accuracy(rows: pa.Table) -> np.ndarray:  # type: ignore[type-arg]
    return np.array([stage == "right" for stage in rows["stage"].to_pylist()])


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> str:
    return store(tmp_path_factory.mktemp("logs"), population(4_000))


def test_every_text_has_the_probability_that_its_stratum_says(logs: str) -> None:
    sample = draw(logs, TREE, Design(300), until=LAST)
    assert sample.rows.num_rows == 300
    assert sample.population == 4_000
    by_name = {s.name(sample.design): s for s in sample.strata}
    assert len(by_name) > 4
    names = sample.rows["stratum"].to_pylist()
    for name, stratum in by_name.items():
        assert names.count(name) == stratum.sample >= 2
    for name, p, weight in zip(
        names,
        sample.rows["inclusion_probability"].to_pylist(),
        sample.rows["weight"].to_pylist(),
        strict=True,
    ):
        assert p == pytest.approx(by_name[name].probability)
        assert p * weight == pytest.approx(1)
    low = [s for s in sample.strata if s.band == 0]
    high = [s for s in sample.strata if s.band == 3]
    assert min(s.probability for s in low) > 2 * max(s.probability for s in high)


def test_equal_seeds_draw_equal_texts_whatever_the_files(logs: str, tmp_path: Path) -> None:
    first = draw(logs, TREE, Design(100, seed=3), until=LAST)
    shuffled = population(4_000).take(np.random.default_rng(1).permutation(4_000))
    one = tmp_path / "date=2026-11-20"
    one.mkdir()
    pq.write_table(shuffled, one / "other.parquet")
    again = draw(str(tmp_path), TREE, Design(100, seed=3), until=LAST)
    other = draw(logs, TREE, Design(100, seed=4), until=LAST)
    names = [s.rows["request_id"].to_pylist() for s in (first, again, other)]
    assert names[0] == names[1]
    assert set(names[0]) != set(names[2])


def test_only_the_window_counts_and_both_its_ends_belong_to_it(logs: str) -> None:
    sample = draw(logs, TREE, Design(10_000), months=1, until=LAST)
    days = {moment.date() for moment in sample.rows["time"].to_pylist()}
    assert (min(days), max(days)) == (date(2026, 10, 21), LAST)
    assert sample.rows.num_rows == sample.population < 4_000
    assert set(sample.rows["weight"].to_pylist()) == {1.0}


@pytest.mark.parametrize(
    ("last", "months", "first"),
    [
        (date(2026, 3, 31), 1, date(2026, 3, 1)),
        (date(2026, 11, 22), 3, date(2026, 8, 23)),
        (date(2028, 3, 30), 1, date(2028, 2, 29)),
        (date(2026, 1, 15), 12, date(2025, 1, 16)),
    ],
)
def test_months_are_those_of_the_calendar(last: date, months: int, first: date) -> None:
    assert months_before(last, months) == first


@pytest.mark.parametrize("allocation", ["oversample", "neyman", "proportional"])
def test_weighted_estimates_are_unbiased_and_their_intervals_hold(
    allocation: str, logs: str
) -> None:
    """60 samples: each estimator's mean is the truth, a plain mean is not, intervals cover."""
    truth = accuracy(population(4_000)).mean()
    wrong = 4_000 * (1 - truth)
    weighted, plain, totals, covered = [], [], [], 0
    for seed in range(60):
        design = Design(240, allocation=allocation, seed=seed)  # type: ignore[arg-type]
        rows = draw(logs, TREE, design, until=LAST).rows
        right, weights = accuracy(rows), rows["weight"].to_numpy()
        strata = rows["stratum"].to_pylist()
        found = share(right, weights, strata)
        weighted.append(found.value)
        plain.append(right.mean())
        totals.append(total(~right, weights, strata).value)
        covered += found.low <= truth <= found.high
    error = np.std(weighted) / np.sqrt(60)
    assert abs(np.mean(weighted) - truth) < 3.5 * error
    assert abs(np.mean(totals) - wrong) < 3.5 * 4_000 * error
    if allocation != "proportional":
        assert abs(np.mean(plain) - truth) > 5 * error, "the sample is what it should not be"
    # 95 % of 60 is 57, with a standard deviation of 1.7
    assert 51 <= covered <= 60


def test_the_standard_error_is_that_of_repeated_samples(logs: str) -> None:
    found = []
    for seed in range(50):
        rows = draw(logs, TREE, Design(240, seed=seed), until=LAST).rows
        auto = rows["auto"].to_numpy(zero_copy_only=False)
        strata = rows["stratum"].to_pylist()
        found.append(share(accuracy(rows), rows["weight"].to_numpy(), strata, domain=auto))
    spread = np.std([estimate.value for estimate in found])
    assert np.mean([estimate.se for estimate in found]) == pytest.approx(spread, rel=0.35)


def test_a_stratum_taken_whole_leaves_no_doubt_and_a_lone_text_much() -> None:
    whole = share([1, 0, 1, 1], [1, 1, 1, 1], ["a"] * 4)
    assert (whole.value, whole.se) == (0.75, 0)
    lone = total([1], [10], ["a"])
    assert lone.low < 0 < 10 < lone.high
    assert share([], [], []).high == 1
    nothing = share([1, 1], [5, 5], ["a", "a"], domain=[False, False])
    assert (nothing.n, nothing.low, nothing.high) == (0, 0, 1)


def test_all_right_is_not_certain() -> None:
    estimate = share([1] * 30, [10] * 30, ["a"] * 30)
    assert (estimate.value, estimate.high) == (1, pytest.approx(1))
    assert 0.85 < estimate.low < 0.95


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("ABCDEFG"), st.integers(1, 500)),
        min_size=1,
        max_size=28,
    ),
    st.integers(8, 400),
    st.sampled_from(["oversample", "neyman", "proportional"]),
)
def test_any_population_gets_its_budget(
    cells: list[tuple[int, str, int]], size: int, allocation: str
) -> None:
    counts = {(band, section): (n, 0.2) for band, section, n in cells}
    found = plan.strata(counts, Design(size, allocation=allocation))  # type: ignore[arg-type]
    everything = sum(n for n, _ in counts.values())
    assert sum(s.population for s in found) == everything
    assert sum(s.sample for s in found) == min(size, everything)
    for stratum in found:
        assert min(2, stratum.population) <= stratum.sample <= stratum.population


def test_what_cannot_be_drawn_is_said(logs: str, tmp_path: Path) -> None:
    for wrong in ({"size": 7}, {"edges": (0.1, 0.5)}, {"factors": (1.0,)}, {"edges": (0.0, 1.0)}):
        with pytest.raises(InvalidInputError):
            Design(**{"size": 100, **wrong})  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        draw(str(tmp_path), TREE, Design(100))
    with pytest.raises(InvalidInputError, match="no prediction"):
        draw(logs, TREE, Design(100), until=date(2020, 1, 1))
    with pytest.raises(AutonoeError):
        draw(logs, TREE, Design(100), months=0)
    rows = population(50)
    hidden = pa.array([f"hmac-sha256:{i:064x}" for i in range(50)])
    place = rows.column_names.index("text")
    secret = store(tmp_path / "secret", rows.set_column(place, "text", hidden))
    with pytest.raises(InvalidInputError, match="pseudonyms"):
        draw(secret, TREE, Design(20), until=LAST)
