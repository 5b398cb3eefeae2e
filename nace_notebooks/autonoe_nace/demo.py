"""``autonoe nace demo``: the whole life of a model on the running platform, without a browser."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from autonoe.backends.local import LocalBackend
from autonoe.cli import print_json
from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded import roster
from autonoe.embedded.layout import Layout, default_data_dir
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import AutonoeError
from autonoe_nace import demo_links, demo_steps


@dataclass
class Diary:
    """Says on stderr what happens and how long it took, and remembers it for ``--json``."""

    console: Console
    steps: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, Any]]:
        """Time the block; what it puts under ``note`` is shown beside the time."""
        entry: dict[str, Any] = {"name": name, "note": ""}
        started = time.monotonic()
        with self.console.status(f"{name} …"):
            yield entry
        entry["seconds"] = round(time.monotonic() - started, 1)
        self.steps.append(entry)
        self.console.print(f"[green]✓[/] {name:<28} {entry['seconds']:>6.1f} s  {entry['note']}")


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the platform. [default: $AUTONOE_DATA_DIR or ~/.local/share/autonoe]",
)
@click.option("--threshold", default=0.8, show_default=True, help="Confidence for automatic.")
@click.option(
    "--requests",
    default=300,
    show_default=True,
    type=click.IntRange(10, 5000),
    help="Texts to send to the service.",
)
@click.option("--rows", type=click.IntRange(min=300), help="Use so many rows only: a quick look.")
@click.option("--fresh", is_flag=True, help="Train again even if this model exists already.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def demo(
    data_dir: Path | None,
    threshold: float,
    requests: int,
    rows: int | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Train, track, register, deploy, call, log and monitor a NACE model.

    It can be interrupted and run again: what was done already is found and used.
    """
    layout = Layout(data_dir or default_data_dir())
    settings = _settings(layout)
    diary = Diary(Console(stderr=True))
    plan = demo_steps.Plan(
        account=settings.account,
        cache=_cache(layout, settings.account),
        threshold=threshold,
        requests=requests,
        rows=rows,
        fresh=fresh,
    )
    started = time.monotonic()
    with session(settings):
        backend = LocalBackend(settings.control_socket or layout.control_socket)
        result = demo_steps.run(plan, backend, diary.step)
    result["seconds"] = round(time.monotonic() - started, 1)
    result["steps"] = diary.steps
    result["links"] = demo_links.make(layout, settings.account, result)
    if as_json:
        print_json(result)
    else:
        _show(result)


def _settings(layout: Layout) -> AgentSettings:
    """Return whose demo it is: the account of this terminal, or the platform's owner."""
    if os.environ.get("AUTONOE_PROOF_FILE"):
        return AgentSettings()
    owner = PlatformFile.load(layout).owner
    roster.refresh(layout, owner)
    return AgentSettings.for_account(layout, owner)


def _cache(layout: Layout, account: str) -> Path:
    """Return where trained models wait to be used again: in the account's own home."""
    home = layout.home(account)
    try:
        home.mkdir(exist_ok=True, mode=0o700)
        folder = home / ".cache" / "autonoe-nace"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AutonoeError(
            f"The home folder of {account} cannot be written ({error.strerror}).",
            hint="Run the demo as the person who started the platform, or from a terminal in Lab.",
        ) from error
    return folder


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("", "Value", "95 % interval", title="NACE coding, from raw text to a service")
    names = {"1": "section", "2": "division", "3": "group", "4": "class", "5": "subclass"}
    for level, row in result["evaluation"]["levels"].items():
        for kind, label in (("top1", "right at first"), ("top5", "among the first five")):
            rate = row[kind]
            table.add_row(
                f"{names.get(level, level).capitalize()}: {label}",
                f"{rate['value']:.1%}",
                f"{rate['low']:.1%} to {rate['high']:.1%}",
            )
    auto = result["automatic"]
    table.add_row(
        f"Coded automatically at {auto['threshold']:.2f}",
        f"{auto['value']:.1%}",
        f"{auto['low']:.1%} to {auto['high']:.1%}",
    )
    table.add_row("Found by look-up alone", f"{result['lookup']['auto_rate']:.1%}", "")
    dual = result["dual"]
    table.add_row(f"One code in {dual['version']} too, by the table", f"{dual['settled']:.1%}", "")
    latency = result["latency_ms"]
    table.add_row("Latency of one request, median", f"{latency['p50']:.1f} ms", "")
    table.add_row("Latency of one request, p99", f"{latency['p99']:.1f} ms", "")
    table.add_row("Batches", f"{result['batch_texts_per_s']:,.0f} texts/s", "")
    console.print(table)
    console.print(f"Done in {result['seconds']:.0f} s.")
    for name, link in result["links"].items():
        console.print(f"{name:<12} {link}", soft_wrap=True, highlight=False)
    if result["links_once"]:
        console.print("Each link to a page logs in once, within 10 minutes.")
