"""The monitoring's numbers, against the same numbers counted by hand with pandas."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from benchmarks.log_rows import FIRST, write_year

from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.logs.record import table
from autonoe_nace.monitoring import (
    Logs,
    Selection,
    Window,
    compare,
    daily,
    drill,
    hardest,
    nomenclature_of,
    operations,
    rarest,
)
from autonoe_nace.monitoring.gold import chosen, metrics, read_gold, weighted_share
from autonoe_nace.monitoring.rates import Rate, difference
from autonoe_nace.nomenclature import load_nomenclature
from nace.log_parts import RECORD, logged
from support.gold_standard import gold_rows

ROWS, DAYS = 20_000, 70


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("monitoring") / "logs"
    write_year(place, ROWS, days=DAYS)
    return place


@pytest.fixture(scope="module")
def logs(folder: Path) -> Logs:
    return Logs(str(folder))


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    columns = ["position", "time", "code", "confidence", "latency_ms", "error", "model_version"]
    rows = pd.concat(
        pq.ParquetFile(path).read(columns=columns).to_pandas()
        for path in sorted(folder.glob("*/*.parquet"))
    )
    rows["date"] = rows["time"].dt.date
    return rows


def test_days_agree_with_pandas(logs: Logs, frame: pd.DataFrame) -> None:
    days = daily.per_day(logs)
    assert len(days) == DAYS
    for day in days:
        rows = frame[frame["date"] == day["date"]]
        assert day["predictions"] == len(rows)
        assert day["requests"] == (rows["position"] == 0).sum()
        assert day["errors"] == (rows["error"] != "").sum()
        latency = rows.loc[rows["position"] == 0, "latency_ms"]
        exact = latency.quantile(0.5, interpolation="lower")
        assert day["latency_p50_ms"] == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("threshold", [0.0, 0.29, 0.7, 0.8, 1.0])
def test_what_we_would_have_had_agrees_with_pandas(
    logs: Logs, frame: pd.DataFrame, threshold: float
) -> None:
    answered = frame[frame["error"] == ""]
    expected = (answered["confidence"] >= threshold - 1e-9).groupby(answered["date"]).mean()
    found = {row["date"]: row["rate"] for row in daily.automatic_per_day(logs, threshold)}
    assert found == pytest.approx(expected.to_dict())
    share = daily.automatic(logs, threshold)
    assert share.value == pytest.approx((answered["confidence"] >= threshold - 1e-9).mean())
    slider = pd.DataFrame(daily.by_hundredth(logs))
    chosen = slider.loc[slider["hundredth"] >= round(100 * threshold), "n"].sum()
    assert chosen / slider["n"].sum() == share.value


def test_a_selection_narrows_every_question(logs: Logs, frame: pd.DataFrame) -> None:
    window = Window(FIRST + timedelta(days=10), FIRST + timedelta(days=20))
    inside = frame[(frame["date"] >= window.first) & (frame["date"] <= window.last)]
    chosen = Selection(window=window)
    assert sum(row["predictions"] for row in daily.per_day(logs, chosen)) == len(inside)
    assert logs.span(chosen) == window
    version = inside["model_version"].iloc[0]
    both = Selection(window=window, version=version)
    n = int(((inside["model_version"] == version) & (inside["error"] == "")).sum())
    assert daily.automatic(logs, 0.5, both).n == n
    assert daily.automatic(logs, 0.5, Selection(deployment="' OR true --")).n == 0


def test_errors_latency_and_versions(logs: Logs, frame: pd.DataFrame) -> None:
    (error,) = operations.errors(logs)
    assert (error["error"], error["n"]) == ("no_usable_word", (frame["error"] != "").sum())
    found = operations.latency(logs)
    exact = frame.loc[frame["position"] == 0, "latency_ms"].quantile([0.5, 0.9, 0.99])
    for name, value in zip(("p50", "p90", "p99"), exact, strict=True):
        assert found[name] == pytest.approx(value, rel=0.05)
    versions = operations.versions(logs, 0.7)
    assert [row["version"] for row in versions] == ["1", "2", "3", "4"]
    assert sum(row["predictions"] for row in versions) == ROWS
    assert versions[0]["first"] == FIRST


def test_drilling_down_loses_nothing(logs: Logs, frame: pd.DataFrame) -> None:
    tree = nomenclature_of(logs)
    assert tree is not None
    assert tree.name == "ateco2025"
    sections = drill(logs, tree, threshold=0.5)
    answered = frame[frame["error"] == ""]
    assert sum(row["n"] for row in sections) == len(answered)
    assert sum(row["share"] for row in sections) == pytest.approx(1)
    assert [row["n"] for row in sections] == sorted((r["n"] for r in sections), reverse=True)
    top = sections[0]
    assert (top["level"], bool(top["title"])) == (1, True)
    below = drill(logs, tree, under=top["code"], threshold=0.5)
    assert sum(row["n"] for row in below) == top["n"]
    assert {row["level"] for row in below} == {2}
    deepest = below[0]
    while deepest["level"] < 4:
        parts = drill(logs, tree, under=deepest["code"], threshold=0.5)
        assert sum(part["n"] for part in parts) == deepest["n"]
        deepest = parts[0]
    assert deepest["n"] == Counter(answered["code"])[deepest["code"]] > 0


def test_drilling_down_reaches_the_subclass_and_its_parts(tmp_path: Path) -> None:
    """A model that codes down to the sixth level, and now and then stops at the fifth."""
    tree = load_nomenclature("ateco2025")
    subclasses = [c for c in tree.at_level(5) if len(tree.descendants(c, 6)) > 1][:2]
    finest = [code for parent in subclasses for code in tree.descendants(parent, 6)]
    # the code at place p is given p + 1 times, once surely
    given = [code for place, code in enumerate(finest) for _ in range(place + 1)] + subclasses
    records = [
        logged(
            request_id=f"r{number}",
            codes=[code],
            confidence=0.1 if code in given[:number] else 0.9,
        )
        for number, code in enumerate(given)
    ]
    day = tmp_path / "date=2026-01-01"
    day.mkdir()
    pq.write_table(table(records), day / "predictions.parquet")
    logs = Logs(str(tmp_path))
    for leaf in finest:
        under, total = "", len(given)
        for level in range(1, 7):
            rows = {r["code"]: r for r in drill(logs, tree, under=under, threshold=0.5)}
            assert sum(row["n"] for row in rows.values()) == total, (leaf, level)
            code = tree.ancestor(leaf, level)
            assert code is not None
            inside = [c for c in given if tree.ancestor(c, level) == code]
            assert (rows[code]["level"], rows[code]["n"]) == (level, len(inside)), (leaf, level)
            sure = len(set(inside)) / len(inside)
            assert rows[code]["automatic"]["value"] == pytest.approx(sure)
            under, total = code, len(inside)
        parent = str(tree.ancestor(leaf, 5))
        own = {row["code"]: row["n"] for row in drill(logs, tree, under=parent)}
        assert own[parent] == 1, "what stops there stands for itself"
        (same,) = drill(logs, tree, under=leaf)
        assert (same["code"], same["share"]) == (leaf, 1.0)


def test_hard_and_rare_classes(logs: Logs, frame: pd.DataFrame) -> None:
    tree = load_nomenclature("ateco2025")
    hard = hardest(logs, tree, threshold=0.5, n=5, at_least=40)
    assert all(row["n"] >= 40 for row in hard)
    answered = frame[frame["error"] == ""]
    rates = (answered["confidence"] >= 0.5).groupby(answered["code"]).agg(["mean", "size"])
    enough = rates[rates["size"] >= 40]
    for row in hard:
        assert row["automatic"]["value"] == pytest.approx(enough.loc[row["code"], "mean"])
    assert hard[0]["automatic"]["value"] <= enough["mean"].quantile(0.1)
    rare = rarest(logs, tree, n=5)
    assert [row["n"] for row in rare] == sorted(Counter(answered["code"]).values())[:5]
    one_day = Selection(window=Window(FIRST, FIRST))
    assert {row["n"] for row in rarest(logs, tree, selection=one_day)} == {0}, "of the whole tree"


def test_two_windows_side_by_side(logs: Logs) -> None:
    first = Window(FIRST, FIRST + timedelta(days=20))
    last = Window(FIRST + timedelta(days=DAYS - 21), FIRST + timedelta(days=DAYS - 1))
    found = compare(logs, first, last, threshold=0.7, tree=load_nomenclature("ateco2025"))
    change = found["automatic"]
    assert change["high"] < 0, "the last month was made worse"
    both = [found[part]["automatic"]["value"] for part in ("before", "after")]
    assert change["value"] == pytest.approx(both[1] - both[0])
    assert found["index"]["ks"] > 0.1 > found["codes"]["cramers_v"] / 4
    assert sum(row["after"] for row in found["sections"]) == pytest.approx(1)
    with pytest.raises(NotFoundError, match="no predictions"):
        compare(logs, first, first.same_season())


def test_new_and_late_rows_are_seen_at_the_next_look(folder: Path, tmp_path: Path) -> None:
    write_year(tmp_path / "logs", 300, days=3)
    logs = Logs(str(tmp_path / "logs"))
    assert logs.refresh() == []
    day = tmp_path / "logs" / f"date={FIRST}"
    write_year(tmp_path / "more", 90, days=3, seed=2)
    more = tmp_path / "more" / f"date={FIRST}" / "predictions.parquet"
    more.rename(day / "predictions-other.parquet")
    before = daily.per_day(logs)
    assert logs.refresh() == [FIRST]
    after = daily.per_day(logs)
    assert after[0]["predictions"] > before[0]["predictions"]
    assert after[1:] == before[1:]
    newer = tmp_path / "logs" / f"date={FIRST + timedelta(days=9)}"
    newer.mkdir()
    (tmp_path / "more" / f"date={FIRST + timedelta(days=1)}" / "predictions.parquet").rename(
        newer / "predictions.parquet"
    )
    assert logs.refresh() == [FIRST + timedelta(days=9)]


def test_files_of_an_older_version_count_too(tmp_path: Path) -> None:
    day = tmp_path / "date=2026-01-01"
    day.mkdir()
    old = table([RECORD]).drop_columns(["code", "probability", "stage", "fallback_code", "words"])
    pq.write_table(old, day / "predictions.parquet")
    rows = Logs(str(tmp_path)).rows("SELECT code, stage, thousandth FROM facts")
    assert rows == [{"code": "01.12", "stage": "model", "thousandth": 700}]


def test_windows_of_days() -> None:
    today = date(2026, 3, 31)
    assert Window.parse("7d", today=today) == Window(date(2026, 3, 25), today)
    quarter = Window.parse("2026-01-01..2026-03-31", today=today)
    assert (quarter.days, str(quarter)) == (90, "2026-01-01..2026-03-31")
    assert quarter.before().last == date(2025, 12, 31)
    assert quarter.same_season().first.weekday() == quarter.first.weekday()
    for wrong in ("", "yesterday", "2026-02-30", "2026-02-01..2026-01-01"):
        with pytest.raises(InvalidInputError):
            Window.parse(wrong, today=today)


def test_the_difference_of_two_rates_of_a_known_case() -> None:
    """Newcombe (1998), method 10, example (a): 56/70 - 48/80."""
    found = difference(Rate.of(48, 80), Rate.of(56, 70))
    assert found["value"] == pytest.approx(0.2)
    assert (round(found["low"], 4), round(found["high"], 4)) == (0.0524, 0.3339)


def test_gold_metrics_keep_automatic_and_manual_apart(tmp_path: Path) -> None:
    gold = read_gold(str(gold_rows(tmp_path)))
    found = metrics(gold, tree=load_nomenclature("ateco2025"))
    assert found["auto"]["levels"]["code"]["value"] == pytest.approx(10 / 20)
    assert found["manual"]["levels"]["code"]["value"] == pytest.approx(3 / 4)
    assert found["all"]["levels"]["code"]["value"] == pytest.approx(13 / 24)
    assert found["auto"]["levels"]["1"]["value"] == 1.0, "both are in agriculture"
    assert found["manual"]["cannot_be_coded"]["value"] == pytest.approx(6 / 10)
    # 10 automatic ones are wrong; what people coded is right
    assert found["blended"]["value"] == pytest.approx(14 / 24)
    at_zero = metrics(gold, threshold=0.0)
    assert (at_zero["auto"]["n"], at_zero["manual"]["n"]) == (5, 0)
    assert metrics(chosen(gold, Selection(version="2")))["all"]["n"] == 0
    assert metrics(chosen(gold, Selection(version="1")))["all"]["n"] == 5
    for asked in (Selection(deployment="one"), Selection(window=Window(FIRST, FIRST))):
        with pytest.raises(InvalidInputError, match="No text of the gold standard says"):
            chosen(gold, asked)
    with pytest.raises(NotFoundError, match="no gold standard"):
        read_gold(str(tmp_path / "none"))


def test_a_weighted_share_counts_its_rows_by_their_weight() -> None:
    even = weighted_share([True, False] * 50, [1.0] * 100)
    skewed = weighted_share([True, False] * 50, [9.0, 1.0] * 50)
    assert (even["value"], even["n_effective"]) == (0.5, 100)
    assert skewed["value"] == 0.9
    assert skewed["n_effective"] == pytest.approx(100 * 100 / 164)
    assert math.isnan(weighted_share([], [])["value"])
    inside = 0
    random = np.random.default_rng(1)
    for _ in range(300):
        found = weighted_share(list(random.random(80) < 0.7), list(random.integers(1, 5, 80)))
        inside += found["low"] <= 0.7 <= found["high"]
    assert inside / 300 > 0.9
