"""The dashboard over a year of ten million predictions, its questions beside pandas on a tenth.

pandas needs about 1.6 GB at ten million rows; it gets one million, which flatters it tenfold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.log_rows import write_year
from benchmarks.measurement import Measurement, median

ROWS = int(os.environ.get("BENCH_DASHBOARD_ROWS", "10_000_000"))
PEER_ROWS = min(ROWS, 1_000_000)
REPOSITORY = Path(__file__).resolve().parents[1]
Run = dict[str, Any]


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return the seconds of each question and act, the slowest of all, memory and reading."""
    year, tenth = folder / "year", folder / "tenth"
    write_year(year, ROWS)
    write_year(tenth, PEER_ROWS)
    ours, peer = _run("queries", year, pairs), _run("pandas", tenth, pairs)
    widget, page = _run("widget", year, pairs), _run("page", year, pairs)
    return [
        *_questions(ours, peer),
        *_acts(widget, page),
        _slowest(ours, widget),
        *_weights(ours, peer, widget, page),
    ]


def _name(what: str) -> str:
    return f"dashboard, {ROWS / 1e6:g} million rows: {what}"


def _peer() -> str:
    return f"pandas at {PEER_ROWS / 1e6:g} million rows"


def _questions(ours: Run, peer: Run) -> list[Measurement]:
    """Return the median of each question to the query layer."""
    return [
        Measurement(
            _name(what),
            "s",
            median(values),
            median(peer["times"][what]) if what in peer["times"] else None,
            _peer(),
        )
        for what, values in ours["times"].items()
    ]


def _acts(widget: Run, page: Run) -> list[Measurement]:
    """Return the median of each thing that a person does in the notebook, and of the page."""
    times = {f"notebook, {what}": values for what, values in widget["times"].items()}
    return [
        Measurement(_name(what), "s", median(values), None, "")
        for what, values in (times | page["times"]).items()
    ]


def _slowest(ours: Run, widget: Run) -> Measurement:
    """Return the longest single run of all that a person waits for, the first ones included."""
    runs = [
        (max(values), what) for kind in (ours, widget) for what, values in kind["times"].items()
    ]
    longest, what = max(runs)
    print(f"slowest at {ROWS:,} rows: {what}, {longest:.3f} s", file=sys.stderr)
    return Measurement(_name("slowest question, any run"), "s", round(longest, 3), None, "")


def _weights(ours: Run, peer: Run, widget: Run, page: Run) -> list[Measurement]:
    def weight(what: str, value: float, other: float | None = None) -> Measurement:
        who = _peer() if other is not None else ""
        return Measurement(_name(what), "MB", round(value), other and round(other), who)

    read = Measurement(
        _name("reading it"), "s", round(ours["load_s"], 2), round(peer["load_s"], 2), _peer()
    )
    return [
        weight("memory in all, query layer", ours["memory_mb"], peer["memory_mb"]),
        weight("memory in all of the notebook's", widget["memory_mb"]),
        weight("of which ipywidgets and plotly", widget["imports_mb"]),
        weight("memory in all while a page is written", page["memory_mb"]),
        read,
        Measurement(
            _name("imports of ipywidgets and plotly"),
            "s",
            round(widget["imports_s"], 2),
            None,
            "",
        ),
    ]


def _run(kind: str, folder: Path, runs: int) -> Run:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.dashboard_runs", kind, str(folder), str(runs)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,  # its complaints are the reader's
        text=True,
        check=True,
        timeout=1_800,
    )
    document: Run = json.loads(done.stdout)
    return document
