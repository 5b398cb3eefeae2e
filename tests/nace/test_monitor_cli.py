"""``autonoe nace monitor``: each figure beside the same one counted with pandas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from benchmarks.log_rows import FIRST, write_year

from autonoe.cli import main
from autonoe_nace.nomenclature import load_nomenclature

TREE = load_nomenclature("ateco2025")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("monitor") / "logs"
    write_year(place, 3_000, days=12)
    return place


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    columns = ["position", "time", "code", "confidence", "latency_ms", "error", "model_version"]
    return pd.concat(
        pq.ParquetFile(path).read(columns=columns).to_pandas()
        for path in sorted(folder.glob("*/*.parquet"))
    )


@pytest.fixture
def asked(folder: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def ask(*options: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as done:
            main(["nace", "monitor", "--from", str(folder), *options])
        assert done.value.code == code
        return capsys.readouterr().out

    return ask


def test_requests_automatic_share_latency_and_versions(asked: Any, frame: pd.DataFrame) -> None:
    found = json.loads(asked("--at", "0.7", "--json"))
    answered = frame[frame["error"] == ""]
    assert (found["first"], len(found["days"])) == (str(FIRST), 12)
    for day in found["days"]:
        rows = frame[frame["time"].dt.date.astype(str) == day["date"]]
        assert day["requests"] == (rows["position"] == 0).sum()
        assert day["predictions"] == len(rows)
        good = rows[rows["error"] == ""]
        assert day["automatic"]["value"] == pytest.approx((good["confidence"] >= 0.7).mean())
    assert found["automatic"]["n"] == len(answered)
    assert found["automatic"]["value"] == pytest.approx((answered["confidence"] >= 0.7).mean())
    exact = frame.loc[frame["position"] == 0, "latency_ms"].quantile(0.9)
    assert found["latency_ms"]["p90"] == pytest.approx(exact, rel=0.05)
    versions = {row["version"]: row["predictions"] for row in found["versions"]}
    assert versions == frame["model_version"].value_counts().to_dict()
    assert sum(row["n"] for row in found["errors"]) == (frame["error"] != "").sum() > 0


def test_from_the_sections_down_and_the_hardest_and_rarest(asked: Any, frame: pd.DataFrame) -> None:
    answered = frame[frame["error"] == ""]
    sections = json.loads(asked("--json"))
    assert sections["under"] == ""
    counted = answered["code"].map(lambda code: TREE.ancestor(code, 1)).value_counts().to_dict()
    assert {row["code"]: row["n"] for row in sections["codes"]} == counted
    top = sections["codes"][0]
    inside = json.loads(asked("--under", top["code"], "--at", "0.5", "--most", "3", "--json"))
    assert sum(row["n"] for row in inside["codes"]) == top["n"]
    assert {row["level"] for row in inside["codes"]} == {2}
    assert [len(inside[name]) for name in ("hardest", "rarest")] == [3, 3]
    rates = (answered["confidence"] >= 0.5).groupby(answered["code"]).mean()
    hard = inside["hardest"][0]
    assert hard["automatic"]["value"] == pytest.approx(rates[hard["code"]])
    never = sorted(set(TREE.at_level(4)) - set(answered["code"]))[:3]
    assert [(row["code"], row["n"]) for row in inside["rarest"]] == [(code, 0) for code in never]


def test_a_window_and_a_version_narrow_it(asked: Any, frame: pd.DataFrame) -> None:
    last = json.loads(asked("--window", "3d", "--json"))
    assert len(last["days"]) == 3
    first = json.loads(asked("--version", "1", "--json"))
    rows = frame[frame["model_version"] == "1"]
    assert sum(day["predictions"] for day in first["days"]) == len(rows)


def test_it_says_the_same_in_words(asked: Any, frame: pd.DataFrame) -> None:
    found = json.loads(asked("--at", "0.7", "--json"))
    said = asked("--at", "0.7", "--most", "4")
    share = 100 * found["automatic"]["value"]
    assert f"3,000 predictions from {FIRST} to {found['last']}; at 0.70, {share:.1f} % (" in said
    assert found["days"][-4]["date"] in said
    assert found["days"][-5]["date"] not in said.split("\n", 1)[1].split("Versions")[0]
    top = found["codes"][0]
    assert f"  {top['code']:<10}{top['n']:>9,}  " in said
    assert f"Latency of requests in ms: p50 {found['latency_ms']['p50']:.1f}, p90" in said
    assert "Refused as no_usable_word: " in said


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--under", "no such"], 2, "'no such' is no code of ateco2025"),
        (["--at", "1.5"], 2, "--at"),
        (["--window", "yesterday"], 2, "no window of days"),
        (["--version", "99"], 1, "no predictions"),
    ],
)
def test_what_cannot_be_is_said(asked: Any, options: list[str], code: int, message: str) -> None:
    error = json.loads(asked(*options, "--json", code=code))["error"]
    assert message in error["message"]
