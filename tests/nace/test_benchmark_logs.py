"""The benchmarks of the ETL and of the dashboard, at a tiny size: each figure is still measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import dashboard, etl
from benchmarks.dashboard_runs import most_mb
from benchmarks.goals import goal_of

ROWS = 3_000


def test_the_etl_reads_the_same_lines_as_its_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etl, "ROWS", ROWS)
    monkeypatch.setattr(etl, "PEER_ROWS", ROWS // 2)
    monkeypatch.setattr(etl, "SEGMENT", 1_000)
    (found,) = etl.measure(tmp_path / "etl", pairs=1)
    assert found.unit == "rows/s"
    assert found.ours > 0
    assert found.peer is not None
    assert found.peer > 0
    assert goal_of(found) is not None


@pytest.mark.slow
def test_the_dashboard_is_measured_as_a_person_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard, "ROWS", ROWS)
    monkeypatch.setattr(dashboard, "PEER_ROWS", ROWS)
    found = {m.name.removeprefix("dashboard, 0.003 million rows: "): m for m in _measured(tmp_path)}
    questions = ("requests by day", "automatic share by day at .7", "drill-down to divisions")
    assert all((found[name].ratio or 0) > 0 for name in questions)
    acts = [name for name in found if name.startswith("notebook, ")]
    assert {"notebook, opened", "notebook, button Measure drift"} <= set(acts)
    assert sum(name.startswith("notebook, tab ") for name in acts) >= 5
    assert sum(name.startswith("notebook, threshold to .7") for name in acts) == 3
    slowest = found["slowest question, any run"]
    assert slowest.ours >= max(m.ours for name, m in found.items() if name in acts)
    assert f", {slowest.ours:.3f} s" in capfd.readouterr().err
    weights = {name: m.ours for name, m in found.items() if m.unit == "MB"}
    queries, notebook = (
        weights["memory in all, query layer"],
        weights["memory in all of the notebook's"],
    )
    assert 30 < queries < notebook
    assert 0 < weights["of which ipywidgets and plotly"] < notebook
    assert found["page written"].ours > 0
    assert found["imports of ipywidgets and plotly"].ours > 0


def test_memory_is_that_of_the_process_and_not_of_its_parent() -> None:
    held = bytearray(b"x" * 200_000_000)
    script = "from benchmarks.dashboard_runs import most_mb; print(most_mb())"
    child = subprocess.run(
        [sys.executable, "-c", script],
        cwd=dashboard.REPOSITORY,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert most_mb() > len(held) / 1e6
    assert 3 < float(child.stdout) < 100


def _measured(folder: Path) -> list[dashboard.Measurement]:
    return dashboard.measure(folder, pairs=2)
