"""What the dashboard's benchmark runs in processes of their own, so that each has its own memory.

Run as ``python -m benchmarks.dashboard_runs queries|widget|page|pandas FOLDER RUNS``; prints JSON:
``load_s``, ``memory_mb`` (the most that the process held), ``times`` (seconds by question, all
runs), and of the widget ``imports_mb`` and ``imports_s``. Nothing is imported before it is needed:
it would be weighed too.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

Questions = dict[str, Callable[[], object]]
Times = dict[str, list[float]]


def most_mb() -> float:
    """Return the most memory that this process held so far, in MB (10^6 bytes).

    ``getrusage`` would not do: what it tells begins with the memory of the parent.
    """
    return _status_mb("VmHWM")


def _status_mb(name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def asked(questions: Questions, runs: int) -> Times:
    """Return the seconds of each question, asked ``runs`` times in turn."""
    times: Times = {name: [] for name in questions}
    for _ in range(runs):
        for name, ask in questions.items():
            begun = time.perf_counter()
            ask()
            times[name].append(time.perf_counter() - begun)
    return times


def queries(folder: str, runs: int) -> dict[str, Any]:
    """Ask the query layer alone, as scripts and alerts do."""
    from autonoe_nace.monitoring import (
        Logs,
        Window,
        compare,
        daily,
        drift,
        drill,
        hardest,
        nomenclature_of,
        operations,
    )

    begun = time.perf_counter()
    logs = Logs(folder)
    loaded = time.perf_counter() - begun
    tree, span = nomenclature_of(logs), logs.span()
    assert tree is not None
    assert span is not None
    after = Window(span.last - timedelta(days=27), span.last)
    questions: Questions = {
        "requests by day": lambda: daily.per_day(logs),
        "automatic share by day at .7": lambda: daily.automatic_per_day(logs, 0.7),
        "distribution of the index": lambda: daily.distribution(logs),
        "two windows compared": lambda: compare(logs, after.before(), after, tree=tree),
        "drill-down to divisions": lambda: drill(logs, tree, under="C"),
        "hardest classes": lambda: hardest(logs, tree),
        "errors and versions": lambda: (operations.errors(logs), operations.versions(logs)),
        "drift of outputs": lambda: drift(logs, after.before(), after, tree=tree, details=False),
    }
    times = asked(questions, runs)
    return {"load_s": loaded, "memory_mb": most_mb(), "times": times}


def widget(folder: str, runs: int) -> dict[str, Any]:
    """Open the notebook's dashboard and use it as a person does."""
    from autonoe_nace.monitoring import PredictionStatistics

    before = _status_mb("VmRSS")
    begun = time.perf_counter()
    import plotly.graph_objects as go

    from autonoe_nace.dashboard import Dashboard

    # plotly imports its widget, and with it half of Jupyter, when it is first asked for
    go.FigureWidget(go.Figure(go.Bar())).close()
    imported, imports = time.perf_counter() - begun, _status_mb("VmRSS") - before
    begun = time.perf_counter()
    statistics = PredictionStatistics(folder)
    loaded = time.perf_counter() - begun
    times: Times = {}

    def timed(name: str, act: Callable[[], object]) -> None:
        begun = time.perf_counter()
        act()
        times.setdefault(name, []).append(time.perf_counter() - begun)

    for run in range(runs):
        opened: list[Dashboard] = []
        timed("opened", lambda kept=opened: kept.append(Dashboard(statistics)))  # type: ignore[misc]
        (shown,) = opened
        tabs = shown.tabs.widget
        for place, title in enumerate(tabs.titles):
            tabs.selected_index = None
            timed(f"tab {title}", lambda: setattr(tabs, "selected_index", place))  # noqa: B023
        timed("button Measure drift", shown.tabs.measure.click)
        for title in ("no tab", *tabs.titles[:2]):
            shown.threshold.value = 0.8
            tabs.selected_index = tabs.titles.index(title) if title in tabs.titles else None
            # elsewhere each time, so that no answer is one that was kept
            value = 0.7 - run / 100
            timed(
                f"threshold to .7, {title} open",
                lambda: setattr(shown.threshold, "value", value),  # noqa: B023
            )
            assert f"At {value:.2f}" in shown.finding.value
        shown.widget.close()
    return {
        "load_s": loaded,
        "memory_mb": most_mb(),
        "times": times,
        "imports_mb": imports,
        "imports_s": imported,
    }


def page(folder: str, runs: int) -> dict[str, Any]:
    """Write the dashboard as one HTML file."""
    from autonoe_nace.monitoring import Logs
    from autonoe_nace.monitoring.page import write_page

    begun = time.perf_counter()
    logs = Logs(folder)
    loaded = time.perf_counter() - begun
    target = Path(folder).with_suffix(".html")
    times = asked({"page written": lambda: write_page(logs, target)}, runs)
    target.unlink()
    return {"load_s": loaded, "memory_mb": most_mb(), "times": times}


def pandas(folder: str, runs: int) -> dict[str, Any]:
    """Ask pandas what it can answer in a line."""
    import pandas as pd

    columns = ["date", "position", "confidence", "code", "error", "latency_ms", "model_version"]
    begun = time.perf_counter()
    rows = pd.read_parquet(folder, columns=columns)
    loaded = time.perf_counter() - begun
    good = rows[rows["error"] == ""]
    questions: Questions = {
        "requests by day": lambda: (
            rows[rows["position"] == 0]
            .groupby("date", observed=True)["latency_ms"]
            .quantile([0.5, 0.99])
        ),
        "automatic share by day at .7": lambda: (
            (good["confidence"] >= 0.7).groupby(good["date"], observed=True).mean()
        ),
        "distribution of the index": lambda: pd.cut(good["confidence"], 20).value_counts(),
        "drill-down to divisions": lambda: (
            (good["confidence"] >= 0.8).groupby(good["code"].str[:2]).agg(["mean", "size"])
        ),
    }
    times = asked(questions, runs)
    return {"load_s": loaded, "memory_mb": most_mb(), "times": times}


if __name__ == "__main__":
    KINDS = {"queries": queries, "widget": widget, "page": page, "pandas": pandas}
    print(json.dumps(KINDS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
