"""The dashboard's questions over a year of ten million predictions, beside pandas on a tenth.

pandas needs about 1.6 GB at ten million rows; it gets one million, which flatters it tenfold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.log_rows import write_year
from benchmarks.measurement import Measurement, median

ROWS = int(os.environ.get("BENCH_DASHBOARD_ROWS", "10_000_000"))
PEER_ROWS = 1_000_000

_OURS = """
import datetime as dt, json, resource, sys, time
from autonoe_nace.monitoring import (
    Logs, Window, compare, daily, drift, drill, hardest, nomenclature_of, operations)
begun = time.perf_counter()
logs = Logs(sys.argv[1])
loaded = time.perf_counter() - begun
tree, last = nomenclature_of(logs), logs.span().last
after = Window(last - dt.timedelta(days=27), last)
questions = {
    "requests by day": lambda: daily.per_day(logs),
    "automatic share by day at .7": lambda: daily.automatic_per_day(logs, 0.7),
    "distribution of the index": lambda: daily.distribution(logs),
    "two windows compared": lambda: compare(logs, after.before(), after, tree=tree),
    "drill-down to divisions": lambda: drill(logs, tree, under="C"),
    "hardest classes": lambda: hardest(logs, tree),
    "errors and versions": lambda: (operations.errors(logs), operations.versions(logs)),
    "drift of outputs": lambda: drift(logs, after.before(), after, tree=tree, details=False),
}
times = {name: [] for name in questions}
for _ in range(int(sys.argv[2])):
    for name, ask in questions.items():
        begun = time.perf_counter()
        ask()
        times[name].append(time.perf_counter() - begun)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"load_s": loaded, "memory_mb": memory, "times": times}))
"""
_PEER = """
import json, resource, sys, time
import pandas as pd
columns = ["date", "position", "confidence", "code", "error", "latency_ms", "model_version"]
begun = time.perf_counter()
rows = pd.read_parquet(sys.argv[1], columns=columns)
loaded = time.perf_counter() - begun
good = rows[rows["error"] == ""]
questions = {
    "requests by day": lambda: rows[rows["position"] == 0].groupby("date", observed=True)[
        "latency_ms"].quantile([0.5, 0.99]),
    "automatic share by day at .7": lambda: (good["confidence"] >= 0.7).groupby(
        good["date"], observed=True).mean(),
    "distribution of the index": lambda: pd.cut(good["confidence"], 20).value_counts(),
    "drill-down to divisions": lambda: (good["confidence"] >= 0.8).groupby(
        good["code"].str[:2]).agg(["mean", "size"]),
}
times = {name: [] for name in questions}
for _ in range(int(sys.argv[2])):
    for name, ask in questions.items():
        begun = time.perf_counter()
        ask()
        times[name].append(time.perf_counter() - begun)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"load_s": loaded, "memory_mb": memory, "times": times}))
"""


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return seconds of each question (its slowest run is printed too), memory and reading."""
    year, tenth = folder / "year", folder / "tenth"
    write_year(year, ROWS)
    write_year(tenth, PEER_ROWS)
    ours, peer = _run(_OURS, year, pairs), _run(_PEER, tenth, pairs)
    slowest = max(max(values) for values in ours["times"].values())
    print(f"slowest question at {ROWS:,} rows: {slowest:.3f} s", file=sys.stderr)
    who = f"pandas at {PEER_ROWS / 1e6:g} million rows"
    found = [
        Measurement(
            f"dashboard, {ROWS / 1e6:g} million rows: {name}",
            "s",
            median(values),
            median(peer["times"][name]) if name in peer["times"] else None,
            who,
        )
        for name, values in ours["times"].items()
    ]
    for name, unit, key in (("memory in all", "MB", "memory_mb"), ("reading it", "s", "load_s")):
        mine, other = round(ours[key], 2), round(peer[key], 2)
        found.append(
            Measurement(f"dashboard, {ROWS / 1e6:g} million rows: {name}", unit, mine, other, who)
        )
    return found


def _run(script: str, folder: Path, pairs: int) -> dict[str, dict[str, list[float]]]:
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(pairs)],
        capture_output=True,
        text=True,
        check=True,
        timeout=1_800,
    )
    document: dict[str, dict[str, list[float]]] = json.loads(done.stdout)
    return document
