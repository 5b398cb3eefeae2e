"""The file of the benchmarks' figures: written at once, merged by name, judged by the goals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import results
from benchmarks.__main__ import main, run
from benchmarks.goals import goal_of
from benchmarks.measurement import Measurement

Found = list[Measurement]
SINGLES = "NACE API, single requests per core"


def _row(name: str, ours: float, peer: float | None = 10.0, who: str = "stock") -> Measurement:
    return Measurement(name, "s", ours, peer, who)


def test_each_benchmark_is_written_before_the_next_begins_and_a_failing_one_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "build" / "bench.json"
    seen: list[list[str]] = []

    def good(_folder: Path, pairs: int) -> Found:
        return [_row("first", 2.0 * pairs)]

    def bad(_folder: Path, _pairs: int) -> Found:
        seen.append([row["name"] for row in results.read(output)])
        raise RuntimeError("no such server")

    def last(_folder: Path, _pairs: int) -> Found:
        return [_row("third", 1.0, None)]

    benchmarks = {"good": good, "bad": bad, "last": last}
    failed = run(list(benchmarks), pairs=3, output=output, benchmarks=benchmarks)
    assert failed == ["bad"]
    assert seen == [["first"]]
    rows = json.loads(output.read_text())
    assert [(row["benchmark"], row["name"], row["ours"], row["ratio"]) for row in rows] == [
        ("good", "first", 6.0, 0.6),
        ("last", "third", 1.0, None),
    ]
    shown = capsys.readouterr()
    assert "no such server" in shown.err
    assert "bad failed; its older figures stay" in shown.err
    assert "first" in shown.out
    assert "third" in shown.out


def test_a_run_of_one_benchmark_leaves_the_rows_of_the_others_with_their_own_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "bench.json"
    old = results.Conditions("2026-01-01 00:00", "abc1234", 0.1, 2)
    results.merge(output, results.rows("etl", [_row("etl", 1), _row("same", 1)], old))
    results.merge(output, results.rows("etl", [_row("same", 2, who="another peer")], old))
    monkeypatch.setenv("BENCH_SINGLES", "40")
    now = results.Conditions.now(tmp_path)
    assert now.commit == "unknown"
    results.merge(output, results.rows("etl", [_row("same", 5)], now))
    rows = {(row["name"], row["peer_name"]): row for row in results.read(output)}
    assert list(rows) == [("etl", "stock"), ("same", "stock"), ("same", "another peer")]
    assert rows["etl", "stock"]["date"] == "2026-01-01 00:00"
    assert rows["etl", "stock"]["load"] == 0.1
    assert rows["etl", "stock"]["sizes"] == {}
    assert rows["same", "stock"]["ours"] == 5
    assert rows["same", "stock"]["sizes"] == {"BENCH_SINGLES": "40"}
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]


def test_the_commit_of_a_row_is_the_one_that_was_measured() -> None:
    commit = results.Conditions.now(Path(__file__).parents[2]).commit
    assert commit.rstrip("+").isalnum()
    assert len(commit.rstrip("+")) >= 7


def test_rows_of_a_file_that_is_none_of_ours_are_left_out(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    for text in ("{", "{}", '[1, {"name": "no peer"}]'):
        output.write_text(text)
        assert results.read(output) == []


@pytest.mark.parametrize(
    ("measurement", "goal", "reached"),
    [
        (_row(SINGLES, 5_000, 2_000, "FastAPI"), "\u2265 2.5 x peer", 1.0),
        (_row(SINGLES, 4_000, 2_000, "FastAPI"), "\u2265 2.5 x peer", 0.8),
        (
            _row("NACE API, processor time with logs", 0.24, 0.2, "ours without logs"),
            "\u2264 1.1 x peer",
            0.917,
        ),
        (_row("NACE API, p99 at half load", 40, 50, "FastAPI"), "\u2264 20", 0.5),
        (
            _row(
                "ETL of JSON lines, per core",
                330_000,
                1,
                "pandas read_json, to_parquet",
            ),
            "\u2265 300,000",
            1.1,
        ),
        (
            _row("dashboard, 10 million rows: memory in all, query layer", 320, 1, "any"),
            "\u2264 400",
            1.25,
        ),
    ],
)
def test_a_goal_is_reached_at_one_on_either_side_of_its_bound(
    measurement: Measurement, goal: str, reached: float
) -> None:
    found = goal_of(measurement)
    assert str(found) == goal
    assert found is not None
    assert found.reached(measurement) == reached


def test_figures_without_a_goal_have_none() -> None:
    assert goal_of(_row(SINGLES, 5_000, 2_000, "mlflow serve")) is None
    assert goal_of(_row("kernel: launch to first answer", 1, 1, "ipykernel")) is None


def test_the_table_says_what_was_reached_and_under_what(
    capsys: pytest.CaptureFixture[str],
) -> None:
    conditions = results.Conditions("2026-01-01 00:00", "abc1234", 0.25, 2, {"BENCH_SINGLES": "9"})
    found = [_row(SINGLES, 4_000, 2_000, "FastAPI"), _row("reading", 1.5, None)]
    results.show([*results.rows("serving", found, conditions), found[1].as_dict()])
    lines = [line for line in capsys.readouterr().out.splitlines() if "reading" in line]
    assert len(lines) == 2
    assert [cell.strip() for cell in lines[1].strip("\u2502").split("\u2502")] == [
        *("reading", "stock", "1.5", "none", "s", "", "", "", "")
    ]


def test_the_table_can_be_pasted_into_the_documentation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "bench.json"
    conditions = results.Conditions("2026-01-01 00:00", "abc1234", 0.25, 2, {"BENCH_SINGLES": "9"})
    found = [_row(SINGLES, 4_000, 2_000, "FastAPI")]
    results.merge(output, results.rows("serving", found, conditions))
    monkeypatch.setattr("sys.argv", ["bench", "--markdown", "--output", str(output)])
    main()
    first, rule, row = capsys.readouterr().out.splitlines()
    assert first.count("|") == rule.count("|") == row.count("|") == 10
    assert row == (
        f"| {SINGLES} | FastAPI | 4,000 | 2,000 | s | 2.00 | \u2265 2.5 x peer | no, 0.80 "
        "| 2026-01-01 00:00, abc1234, load 0.25, BENCH_SINGLES=9 |"
    )
