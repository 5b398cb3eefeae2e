"""Drift: known distances, no alarm without a change at any size, an alarm with one."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.log_rows import FIRST, Rows, write_year
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autonoe.cli import main
from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.monitoring import Logs, Window, distances, drift
from autonoe_nace.monitoring.drift.baseline import bootstrap, yearly

DAYS = 70
BEFORE = Window(FIRST, FIRST + timedelta(days=34))
# within the first version's time: the next one is more certain
EARLY = Window(FIRST, FIRST + timedelta(days=9))
QUIET = Window(FIRST + timedelta(days=10), FIRST + timedelta(days=16))
SHIFTED = Window(FIRST + timedelta(days=DAYS - 28), FIRST + timedelta(days=DAYS - 1))


def test_distances_of_a_known_case() -> None:
    found = distances({"a": 36, "b": 48, "c": 40}, {"a": 30, "b": 50, "c": 20})
    p, q = np.array([36, 48, 40]) / 124, np.array([30, 50, 20]) / 100
    overlap = np.sqrt(p * q).sum()
    assert found["hellinger"] == pytest.approx(math.sqrt(1 - overlap))
    assert found["bhattacharyya"] == pytest.approx(-math.log(overlap))
    table = np.array([[36, 48, 40], [30, 50, 20]])
    exact = stats.chi2_contingency(table, correction=False)
    assert found["chi_squared"] == pytest.approx(exact.statistic)
    assert found["cramers_v"] == pytest.approx(stats.contingency.association(table))
    smooth = [(np.array(row) + 0.5) / (sum(row) + 1.5) for row in table.tolist()]
    assert found["kullback_leibler"] == pytest.approx(stats.entropy(smooth[1], smooth[0]))
    assert "ks" not in found
    assert "p" not in found
    assert "p_value" not in found


def test_kolmogorov_smirnov_agrees_with_scipy() -> None:
    random = np.random.default_rng(1)
    a, b = random.integers(0, 50, 400), random.integers(5, 60, 300)
    counted = [dict(zip(*np.unique(x, return_counts=True), strict=True)) for x in (a, b)]
    found = distances(*counted, ordered=True)
    assert found["ks"] == pytest.approx(stats.ks_2samp(a, b).statistic)


@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 10**7), min_size=1),
    st.dictionaries(st.integers(0, 9), st.integers(0, 10**7), min_size=1),
)
def test_distances_keep_their_bounds(a: dict[int, int], b: dict[int, int]) -> None:
    if not sum(a.values()) or not sum(b.values()):
        with pytest.raises(InvalidInputError):
            distances(a, b, ordered=True)
        return
    found = distances(a, b, ordered=True)
    for name in ("hellinger", "cramers_v", "ks"):
        assert -1e-9 <= found[name] <= 1 + 1e-9, name
    assert found["bhattacharyya"] >= 0
    assert found["kullback_leibler"] >= -1e-12
    back = distances(b, a, ordered=True)
    assert found["hellinger"] == pytest.approx(back["hellinger"], abs=1e-9)
    same = distances(a, {key: 3 * n for key, n in a.items()}, ordered=True)
    assert same["hellinger"] == pytest.approx(0, abs=1e-6)
    assert same["cramers_v"] == pytest.approx(0, abs=1e-6)


def test_an_effect_does_not_grow_with_the_number_of_rows() -> None:
    small = distances({"a": 60, "b": 40}, {"a": 50, "b": 50})
    large = distances({"a": 6_000_000, "b": 4_000_000}, {"a": 5_000_000, "b": 5_000_000})
    assert large["chi_squared"] > 90_000 * small["chi_squared"]
    assert large["cramers_v"] == pytest.approx(small["cramers_v"])
    assert large["hellinger"] == pytest.approx(small["hellinger"])


def _days(n: int, *, start: date = date(2026, 1, 5)) -> list[date]:
    return [start + timedelta(days=number) for number in range(n)]


@pytest.mark.parametrize("rows", [1_000, 1_000_000])
def test_what_is_usual_holds_whatever_the_number_of_rows(rows: int) -> None:
    """Days differ, weekends most; a week without a change is called unusual once in twenty."""
    random = np.random.default_rng(2)
    alarms, rounds = 0, 400
    for _ in range(rounds):
        days = _days(42)
        weekend = np.array([day.weekday() >= 5 for day in days])
        share = 0.5 + 0.1 * weekend + random.normal(0, 0.02, len(days))
        counts = random.multinomial(rows, np.column_stack([share, 1 - share])).astype(float)
        before, after = counts[:35], counts[35:]
        drawn, usual = bootstrap(
            before, days[:35], days[35:], ordered=False, replicates=60, random=random, n_after=1
        )
        assert drawn == "days"
        found = distances(*(dict(enumerate(c.sum(axis=0))) for c in (before, after)))
        alarms += found["hellinger"] > np.quantile(usual["hellinger"], 0.95)
    assert alarms / rounds < 0.1


def test_few_days_are_compared_by_their_rows() -> None:
    random = np.random.default_rng(3)
    counts = random.multinomial(500, [0.2, 0.8], size=2).astype(float)
    drawn, usual = bootstrap(
        counts, _days(2), _days(1), ordered=True, replicates=50, random=random, n_after=500
    )
    assert drawn == "rows"
    assert 0 < np.quantile(usual["hellinger"], 0.95) < 0.1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("drift") / "logs"
    write_year(place, 20_000, days=DAYS)
    return place


@pytest.fixture(scope="module")
def logs(folder: Path) -> Logs:
    return Logs(str(folder))


def test_an_injected_shift_is_found_and_nothing_else(logs: Logs) -> None:
    found = drift(logs, BEFORE, SHIFTED)
    verdicts = {row["name"]: row["verdict"] for row in found["variables"]}
    assert verdicts["confidence"] == verdicts["probability"] == "changed"
    for name in ("code", "stage", "characters", "words", "feature:nature"):
        assert verdicts[name] != "changed", name
    by_name = {row["name"]: row for row in found["variables"]}
    assert by_name["confidence"]["kind"] == "output"
    assert by_name["words"]["kind"] == by_name["feature:nature"]["kind"] == "input"
    assert by_name["confidence"]["baseline"]["drawn"] == "days"
    assert by_name["confidence"]["season"] is None
    quiet = drift(logs, EARLY, QUIET, details=False)
    assert {row["verdict"] for row in quiet["variables"]} <= {"as usual", "unusual but small"}


def two_years(place: Path, shifts: tuple[float, float], *, seed: int) -> Logs:
    """Write 28 days of each year whose second half is ``shifts`` less certain, 150 rows a day."""
    for year, shifted in enumerate(shifts):
        # the same classes are common and hard in both years; the draws are others
        rows = Rows(seed=seed, shifted=shifted)
        rows.day(0, 1 + year, 1)
        for number in range(28):
            folder = place / f"date={FIRST + timedelta(days=364 * year + number)}"
            folder.mkdir(parents=True)
            day = rows.day(0, 150, 1 if number >= 14 else 100)  # the last 30 of them are shifted
            pq.write_table(day, folder / "predictions.parquet")
    return Logs(str(place))


LAST_YEAR = FIRST + timedelta(days=364)
TWO_WEEKS = Window(LAST_YEAR, LAST_YEAR + timedelta(days=13))
NEXT_TWO = Window(LAST_YEAR + timedelta(days=14), LAST_YEAR + timedelta(days=27))


@pytest.mark.parametrize("rows", [150, 100_000])
def test_a_change_of_every_year_is_called_unusual_once_in_twenty(rows: int) -> None:
    random = np.random.default_rng(5)

    def year() -> tuple[np.ndarray, np.ndarray]:
        first = np.linspace(1, 2, 10)
        second = first * np.where(np.arange(10) == 9, 2.0, 1.0)
        shares = np.repeat([first, second], 28, axis=0) * np.exp(random.normal(0, 0.1, (56, 10)))
        counts = random.multinomial(rows, shares / shares.sum(axis=1, keepdims=True))
        return counts[:28].astype(float), counts[28:].astype(float)

    alarms = above = 0
    days, rounds = _days(56), 300
    for _ in range(rounds):
        now, then = (year() for _ in range(2))
        value, point = (
            distances(*(dict(enumerate(part.sum(axis=0))) for part in pair))["hellinger"]
            for pair in (now, then)
        )
        bar = yearly(
            *(then[0], days[:28], then[1], days[28:]), ordered=False, replicates=100, random=random
        )
        alarms += value > bar["hellinger"]
        above += value > point
    assert alarms / rounds < 0.1
    assert above / rounds > 0.4, "last year's distance alone would be no bar"


def test_what_happens_every_year_is_as_usual_in_twenty_of_twenty(tmp_path: Path) -> None:
    """January brings as many other texts as the last one; a bar at its distance fails half."""
    beyond = 0
    for seed in range(20):
        logs = two_years(tmp_path / str(seed), (0.1, 0.1), seed=seed)
        found = drift(logs, TWO_WEEKS, NEXT_TWO, details=False, variables=["confidence"], seed=seed)
        (row,) = found["variables"]
        assert row["distances"]["hellinger"] > row["baseline"]["hellinger"], "not without last year"
        assert row["season_usual"]["hellinger"] > row["season"]["hellinger"]
        assert row["verdict"] == "as usual", seed
        beyond += row["distances"]["hellinger"] > row["season"]["hellinger"]
        logs.close()
    assert 4 <= beyond <= 16, "last year's distance alone is crossed about every second time"


def test_a_change_beyond_last_years_is_found(tmp_path: Path) -> None:
    for seed in range(5):
        logs = two_years(tmp_path / str(seed), (0.1, 0.2), seed=100 + seed)
        asked = {"details": False, "variables": ["confidence"]}
        (row,) = drift(logs, TWO_WEEKS, NEXT_TWO, **asked)["variables"]
        assert row["verdict"] == "changed", seed
        alone = Logs(logs.uri, window=Window(LAST_YEAR, NEXT_TWO.last))
        (row,) = drift(alone, TWO_WEEKS, NEXT_TWO, **asked)["variables"]
        assert (row["verdict"], row["season"], row["season_usual"]) == ("changed", None, None)
        logs.close()
        alone.close()


def test_pseudonyms_have_no_words(tmp_path: Path) -> None:
    maker = Rows()
    for number in range(12):
        rows = maker.day(0, 60, 1)
        place = rows.schema.get_field_index("text")
        hidden = pa.array([f"hmac-sha256:{n}" for n in range(60)])
        folder = tmp_path / f"date={FIRST + timedelta(days=number)}"
        folder.mkdir()
        pq.write_table(rows.set_column(place, "text", hidden), folder / "predictions.parquet")
    logs = Logs(str(tmp_path))
    window = Window(FIRST, FIRST + timedelta(days=5))
    found = drift(logs, window, Window(FIRST + timedelta(days=6), FIRST + timedelta(days=11)))
    names = {row["name"] for row in found["variables"]}
    assert "words" not in names
    assert {"characters", "feature:nature"} <= names


def test_an_empty_window_is_refused(logs: Logs) -> None:
    with pytest.raises(NotFoundError, match="no predictions"):
        drift(logs, BEFORE, Window(date(2020, 1, 1), date(2020, 1, 2)))


def test_the_command_says_what_moved(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--from", str(folder), "--before", str(BEFORE), "--after", str(SHIFTED)]
    with pytest.raises(SystemExit) as done:
        main(["nace", "drift", *options, "--json"])
    assert done.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["variables"][0]["verdict"] == "changed"
    with pytest.raises(SystemExit):
        main(["nace", "drift", *options, "--variable", "confidence"])
    said = capsys.readouterr().out
    assert "Confidence index" in said
    assert "changed" in said
    with pytest.raises(SystemExit) as refused:
        main(["nace", "drift", "--from", str(folder), "--before", "x", "--json"])
    assert refused.value.code == 2
