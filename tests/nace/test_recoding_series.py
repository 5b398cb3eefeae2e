"""Both series over the change, the conversion matrix, and honest probabilities behind them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from autonoe.cli import main
from autonoe.errors import InvalidInputError
from autonoe_nace.recoding import Correspondence, dual_predict, load_correspondence
from autonoe_nace.recoding.recode import Plan, recode
from autonoe_nace.recoding.recoded import RecodedRegister
from autonoe_nace.recoding.register import Columns
from autonoe_nace.recoding.series import conversion, convert, counts, shares
from autonoe_nace.recoding.sharpness import fit_sharpness
from support.doubly_coded import DoublyCoded, rows_of


def test_sharpness_makes_probabilities_among_candidates_honest(
    doubly: DoublyCoded, forward: Correspondence
) -> None:
    found = fit_sharpness(doubly.new_model, forward, doubly.as_new())
    assert 0.05 < found.value < 1
    assert found.n > 100
    before, after = (
        abs(p - found.accuracy) for p in (found.probability_before, found.probability_after)
    )
    assert after < before
    assert after < 0.06
    with pytest.raises(InvalidInputError, match="are needed"):
        fit_sharpness(doubly.new_model, forward, doubly.as_new().subset([0]))


@pytest.mark.parametrize("level", [1, 2, 4])
def test_both_series_hold_every_unit(
    doubly: DoublyCoded, recoded: RecodedRegister, level: int
) -> None:
    rows = counts([recoded], level=level)
    weight = rows_of(recoded).groupby("period").weight.sum()
    for version in ("nace-rev2", "nace-rev2.1"):
        for period in ("2023", "2024"):
            total = sum(r["n"] for r in rows if (r["version"], r["period"]) == (version, period))
            assert total == pytest.approx(weight[period])
    assert all(r["low"] <= r["n"] <= r["high"] for r in rows)
    assert all(r["low"] == r["high"] for r in rows if r["basis"] == "labelled")


DRAWS = 4_000
FALSE_ALARM = 0.01
"""How often a test of coverage may fail although all intervals keep their promise."""

Cell = tuple[str, str]
"""A period and a code."""


def estimated(recoded: RecodedRegister, level: int) -> list[dict[str, Any]]:
    """Return the counts that have an interval; of one period, since both hold the same texts."""
    rows = counts([recoded], level=level)
    return [r for r in rows if r["period"] == "2023" and r["high"] > r["low"]]


def drawn(recoded: RecodedRegister, level: int) -> dict[Cell, np.ndarray]:
    """Draw each unit's new code by its probabilities; return :data:`DRAWS` counts of each cell.

    What the truth could be if the probabilities are honest, made apart from the intervals.
    """
    rng = np.random.default_rng(20)
    tree = recoded.target
    found: dict[Cell, np.ndarray] = {}
    for row in rows_of(recoded).itertuples():
        certain = row.status == "person" or not len(row.candidates)
        codes = [row.target] if certain else list(row.candidates)
        shares = [1.0] if certain else list(row.probabilities)
        chosen = np.searchsorted(np.cumsum(shares)[:-1], rng.random(DRAWS))
        for place, code in enumerate(codes):
            cell = (str(row.period), (code and tree.ancestor(code, level)) or "")
            counted = found.setdefault(cell, np.zeros(DRAWS))
            counted += row.weight * (chosen == place)
    return found


def holds(
    rows: list[dict[str, Any]], counted: Mapping[Cell, np.ndarray], width: float = 1.0
) -> np.ndarray:
    """Return whether each interval, ``width`` times as wide, holds each count: rows x draws."""
    held = []
    for row in rows:
        low, high = (row["n"] + width * (row[end] - row["n"]) for end in ("low", "high"))
        values = counted[row["period"], row["code"]]
        held.append((low - 1e-6 <= values) & (values <= high + 1e-6))
    return np.array(held)


@pytest.mark.parametrize("level", [1, 2, 4])
def test_each_interval_holds_95_percent_of_what_is_likely(
    recoded: RecodedRegister, level: int
) -> None:
    rows = estimated(recoded, level)
    assert len(rows) > 5
    share = holds(rows, drawn(recoded, level)).mean(axis=1)
    # as far as 4,000 draws here and 4,000 behind the interval can tell
    assert share.min() > 0.95 - 3.5 * math.sqrt(2 * 0.05 * 0.95 / DRAWS)


@pytest.mark.parametrize("level", [1, 2, 4])
def test_intervals_hold_the_truth_as_often_as_they_say(
    doubly: DoublyCoded, recoded: RecodedRegister, level: int
) -> None:
    rows = estimated(recoded, level)
    truth = {(row["period"], row["code"]): np.zeros(1) for row in rows}
    for row, code in zip(rows_of(recoded).itertuples(), doubly.new * 2, strict=True):
        cell = (str(row.period), recoded.target.ancestor(code, level) or "")
        truth[cell] = truth.get(cell, np.zeros(1)) + row.weight
    # 95 % of them; and no more than hold at once if the probabilities are honest, since codes share
    # units
    together = holds(rows, drawn(recoded, level)).sum(axis=0)
    least = min(
        binom.ppf(FALSE_ALARM, len(rows), 0.95),
        np.quantile(together, FALSE_ALARM, method="lower"),
    )
    assert holds(rows, truth).sum() >= least
    assert holds(rows, truth, width=0.25).sum() < least, "intervals too narrow would be found"


def test_the_conversion_matrix_bridges_published_totals(recoded: RecodedRegister) -> None:
    matrix = conversion(recoded, level=4)
    for source in {row["source"] for row in matrix}:
        cells = [row for row in matrix if row["source"] == source]
        assert sum(row["share"] for row in cells) == pytest.approx(1)
        assert all(row["low"] <= row["share"] <= row["high"] for row in cells)
    totals = rows_of(recoded).groupby("source").weight.sum().to_dict()
    bridged = {row["code"]: row for row in convert({**totals, "00.00": 7.0}, matrix)}
    assert sum(row["n"] for row in bridged.values()) == pytest.approx(sum(totals.values()) + 7)
    assert bridged[""]["n"] == 7
    expected = {
        row["code"]: row["n"] for row in _sum(counts([recoded], level=4), version="nace-rev2.1")
    }
    for code, n in expected.items():
        assert bridged[code]["n"] == pytest.approx(n, abs=1e-6)
        assert bridged[code]["low"] <= n <= bridged[code]["high"]


def _sum(rows: list[dict], version: str) -> list[dict]:  # type: ignore[type-arg]
    total: Counter[str] = Counter()
    for row in rows:
        if row["version"] == version:
            total[row["code"]] += row["n"]
    return [{"code": code, "n": n} for code, n in total.items()]


def test_shares_of_a_recoded_register_guide_single_model_dual_coding(
    doubly: DoublyCoded, recoded: RecodedRegister, forward: Correspondence
) -> None:
    known = shares(conversion(recoded, level=4))
    equal = dual_predict(doubly.old_model, doubly.texts, forward)
    guided = dual_predict(doubly.old_model, doubly.texts, forward, shares=known)
    right = [
        sum(
            a.pair is not None and a.pair.target == t
            for a, t in zip(found, doubly.new, strict=True)
        )
        for found in (equal, guided)
    ]
    assert right[1] > right[0]
    assert {a.ambiguity.basis for a in guided if a.ambiguity} == {"shares"}


def test_both_sides_of_the_change_make_one_series_each(
    doubly: DoublyCoded, recoded: RecodedRegister, tmp_path: Path
) -> None:
    later = tmp_path / "later.csv"
    pd.DataFrame({"text": doubly.texts, "code": doubly.new, "year": "2025"}).to_csv(
        later, index=False
    )
    back = load_correspondence("nace-rev2.1", "nace-rev2")
    plan = Plan(Columns(period="year"))
    after = recode(str(later), back, doubly.old_model, str(tmp_path / "out"), plan=plan)
    rows = counts([recoded, after], level=1)
    for version, labelled in (("nace-rev2", {"2023", "2024"}), ("nace-rev2.1", {"2025"})):
        periods = {r["period"]: r["basis"] for r in rows if r["version"] == version}
        assert set(periods) == {"2023", "2024", "2025"}
        assert {p for p, basis in periods.items() if basis == "labelled"} == labelled


def _main(command: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        main(command)
    return int(left.value.code or 0)


def test_the_command_line_does_all_of_it(
    doubly: DoublyCoded, register: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new, old = (
        str(m.save(tmp_path / n)) for m, n in ((doubly.new_model, "n"), (doubly.old_model, "o"))
    )
    assert (
        _main(["nace", "dual", "--model", new, "--second-model", old, "--json", "growing of rice"])
        == 0
    )
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["predictions"][0]["pair"]["target"] == "01.12"
    assert "target codes without any pair" not in said.err
    assert "source codes without any pair: 1: 46.89" in said.err
    output, queue = str(tmp_path / "out"), tmp_path / "queue.csv"
    command = ["nace", "recode", "--data", str(register), "--model", new, "--output", output]
    command += ["--text-column", "label", "--code-column", "nace", "--period-column", "year"]
    command += ["--queue", str(queue), "--queue-cases", "3", "--json"]
    assert _main(command) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["rows"] == 2 * len(doubly.texts)
    assert document["queue_cases"] == 3
    assert "recoding" in said.err
    table = tmp_path / "counts.csv"
    assert (
        _main(
            [
                "nace",
                "series",
                "--recoded",
                output,
                "--level",
                "1",
                "--counts",
                str(table),
                "--json",
            ]
        )
        == 0
    )
    document = json.loads(capsys.readouterr().out)
    assert {row["version"] for row in document["counts"]} == {"nace-rev2", "nace-rev2.1"}
    assert len(table.read_text().splitlines()) == len(document["counts"]) + 1
    assert _main(["nace", "recode", "--data", str(register), "--output", output]) == 2
