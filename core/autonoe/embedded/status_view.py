"""``autonoe status``: the supervisor's report, or what is left of a platform without one."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autonoe.embedded import process_table
from autonoe.embedded.layout import Layout
from autonoe.embedded.starting import running_status

_MARKS = {"ready": ("●", "green"), "failed": ("✗", "red")}


def read(layout: Layout) -> dict[str, Any]:
    """Return the state of the platform in ``layout``.

    Returns
    -------
    dict
        ``state`` (``ready``, ``starting``, ``stopping``, ``stopped``, or ``unsupervised`` when
        components outlived their supervisor), ``components`` with ``name``, ``state``,
        ``version``, ``address``, ``memory_bytes``, ``uptime_s``, ``log``, ``pids``, and totals.
    """
    status = running_status(layout) if layout.root.exists() else None
    if status is not None:
        return status
    left = process_table.of_platform(layout)
    return {
        "state": "unsupervised" if left else "stopped",
        "data_dir": str(layout.root),
        "memory_bytes": process_table.memory_bytes(left),
        "components": [],
        "pids": left,
    }


def show(document: dict[str, Any]) -> None:
    """Print ``document`` for a person."""
    console = Console()
    if not document["components"]:
        console.print(_words_without_supervisor(document))
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("", "Component", "State", "Version", "Address"):
        table.add_column(name, no_wrap=name != "Address", overflow="fold")
    table.add_column("Memory", justify="right", no_wrap=True)
    table.add_column("Uptime", justify="right", no_wrap=True)
    table.add_column("Log file", overflow="fold")
    for row in document["components"]:
        mark, colour = _MARKS.get(row["state"], ("○", "yellow"))
        table.add_row(
            Text(mark, style=colour),
            row["name"],
            row["state"],
            row["version"],
            Text(row["address"]),
            f"{row['memory_bytes'] / 2**20:.0f} MiB",
            duration(row["uptime_s"]),
            Text(row["log"]),
        )
    console.print(table)
    console.print(
        f"{document['state']} at {document['url']}, {document['memory_bytes'] / 2**20:.0f} MiB",
        highlight=False,
    )


def _words_without_supervisor(document: dict[str, Any]) -> str:
    if document["state"] == "stopped":
        return f"The platform in {document['data_dir']} is stopped. Start it with `autonoe up`."
    return (
        f"{len(document['pids'])} processes run in {document['data_dir']} without supervision. "
        "`autonoe up` takes them over, `autonoe down` ends them."
    )


def duration(seconds: float) -> str:
    """Return ``seconds`` in the unit that gives one to three digits."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} d"
