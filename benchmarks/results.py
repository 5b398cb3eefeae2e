"""The file of all figures: written after each benchmark, and merged, so that none is lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.goals import goal_of
from benchmarks.measurement import Measurement

_WIDTH = 180
_SIZES = "BENCH_"
"""How the environment variables begin that make a run smaller."""


@dataclass(frozen=True)
class Conditions:
    """When and on what a figure was measured.

    Attributes
    ----------
    date : str
        UTC, to the minute.
    commit : str
        Short, with ``+`` after it when files differed from it.
    load : float
        Load average of one minute before the benchmark began, so without its own.
    cores : int
        Processor cores.
    sizes : mapping of str
        Environment variables that made the run smaller; empty for a full one.
    """

    date: str
    commit: str
    load: float
    cores: int
    sizes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls, repository: Path) -> Conditions:
        """Return those of this moment."""
        return cls(
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            commit=_commit(repository),
            load=round(os.getloadavg()[0], 2),
            cores=os.cpu_count() or 1,
            sizes={k: v for k, v in sorted(os.environ.items()) if k.startswith(_SIZES)},
        )


Row = dict[str, Any]


def rows(benchmark: str, found: Sequence[Measurement], conditions: Conditions) -> list[Row]:
    """Return the measurements of one benchmark as the file holds them."""
    out = []
    for measurement in found:
        goal = goal_of(measurement)
        out.append(
            {
                "benchmark": benchmark,
                **measurement.as_dict(),
                "goal": str(goal) if goal else None,
                "reached": goal.reached(measurement) if goal else None,
                **asdict(conditions),
            }
        )
    return out


def read(path: Path) -> list[Row]:
    """Return the rows of the file; none where there is no file, or another kind of file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    return [row for row in found if isinstance(row, dict) and {"name", "peer_name"} <= row.keys()]


def merge(path: Path, fresh: Sequence[Row]) -> list[Row]:
    """Write ``fresh`` into the file, in the place of rows of the same name and peer.

    Returns
    -------
    list of dict
        All rows that the file holds now.
    """
    new = {(row["name"], row["peer_name"]): row for row in fresh}
    kept = [new.pop((row["name"], row["peer_name"]), row) for row in read(path)]
    merged = [*kept, *new.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(merged, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)  # whole or not at all, whenever the run is ended
    return merged


_HEADINGS = (
    "what",
    "peer is",
    "ours",
    "peer",
    "unit",
    "ratio",
    "goal",
    "reached",
    "measured (UTC)",
)
_WORDS = frozenset({"what", "peer is", "unit", "measured (UTC)"})


def show(found: Sequence[Row]) -> None:
    """Print all rows as one table."""
    table = Table(title="Autonoe beside the stock tools (medians, same machine, interleaved runs)")
    for heading in _HEADINGS:
        words = heading in _WORDS
        table.add_column(
            heading,
            justify="left" if words else "right",
            no_wrap=not words,
            overflow="fold" if words else "ellipsis",
        )
    for row in found:
        table.add_row(*_cells(row))
    Console(width=_WIDTH).print(table)


def markdown(found: Sequence[Row]) -> str:
    """Return all rows as a table for the documentation."""
    rule = ["---" if heading in _WORDS else "---:" for heading in _HEADINGS]
    lines = [_HEADINGS, rule, *map(_cells, found)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Row) -> list[str]:
    return [
        row["name"],
        row["peer_name"],
        _figure(row["ours"]),
        "none" if row["peer"] is None else _figure(row["peer"]),
        row["unit"],
        "" if row.get("ratio") is None else f"{row['ratio']:.2f}",
        row.get("goal") or "",
        _reached(row.get("reached")),
        _measured(row),
    ]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _reached(share: float | None) -> str:
    if share is None:
        return ""
    return f"{'yes' if share >= 1 else 'no'}, {share:.2f}"


def _measured(row: Row) -> str:
    if "date" not in row:
        return ""
    sizes = " ".join(f"{name}={value}" for name, value in row["sizes"].items())
    return f"{row['date']}, {row['commit']}, load {row['load']:g}" + (f", {sizes}" if sizes else "")


def _commit(repository: Path) -> str:
    """Return the commit that is checked out, or ``unknown`` outside a repository."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
