"""``autonoe up``, ``down``, ``status`` and ``doctor``."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.embedded.layout import Layout, default_data_dir

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_data_dir,
    show_default="$AUTONOE_DATA_DIR or ~/.local/share/autonoe",
    help="Folder that holds everything the platform keeps.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command()
@data_dir_option
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Public port. [default: the one used before, else 8000 or the next free one]",
)
@click.option(
    "--host",
    help="Address to listen on. [default: the one used before, else 127.0.0.1: this machine only]",
)
@click.option("--detach", is_flag=True, help="Return once the platform runs.")
@json_option
def up(data_dir: Path, port: int | None, host: str | None, detach: bool, as_json: bool) -> None:
    """Start the platform and print a login link that works once.

    Without --detach, Ctrl-C stops it again. On a platform that runs already, this prints a new
    link.
    """
    from autonoe.embedded.starting import start

    layout = Layout(data_dir.absolute())

    def report(name: str, remark: str) -> None:
        click.echo(f"  ready  {name:<10} {remark}", err=True)

    click.echo(f"Autonoe in {layout.root}", err=True)
    begun = start(layout, host=host, port=port, report=report)
    if as_json:
        print_json(
            {
                "already_running": begun.already_running,
                "link": begun.link,
                **{k: begun.status[k] for k in ("state", "url", "owner", "data_dir", "components")},
            }
        )
    else:
        said = "The platform runs already." if begun.already_running else "The platform runs."
        click.echo(f"{said} Open this link; it works once, within 10 minutes:\n\n  {begun.link}\n")
    if not detach and not begun.already_running:
        _stay(layout)


def _stay(layout: Layout) -> None:
    """Wait until a signal or somebody's ``autonoe down``, then leave nothing running."""
    from autonoe.embedded.starting import running_status
    from autonoe.embedded.stopping import stop

    asked = threading.Event()

    def note(_: int, __: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, note)
    click.echo("Ctrl-C stops it.", err=True)
    gone = 0
    # A supervisor that was killed is back within seconds; only a longer absence is an end.
    while gone < 10 and not asked.wait(1.0):
        gone = gone + 1 if running_status(layout) is None else 0
    click.echo("Stopping.", err=True)
    stop(layout)


@click.command()
@data_dir_option
@json_option
def down(data_dir: Path, as_json: bool) -> None:
    """Stop the platform, people's servers and deployments; what they stored stays."""
    from autonoe.embedded.stopping import stop

    layout = Layout(data_dir.absolute())
    ran = layout.root.exists() and stop(layout)
    if as_json:
        print_json({"state": "stopped", "was_running": ran, "data_dir": str(layout.root)})
    else:
        click.echo("The platform is stopped." if ran else f"Nothing runs in {layout.root}.")


@click.command()
@data_dir_option
@json_option
def status(data_dir: Path, as_json: bool) -> None:
    """Show each component: version, address, memory, uptime and log file."""
    from autonoe.embedded import status_view

    document = status_view.read(Layout(data_dir.absolute()))
    if as_json:
        print_json(document)
    else:
        status_view.show(document)


@click.command()
@data_dir_option
@json_option
def doctor(data_dir: Path, as_json: bool) -> Any:
    """Look for what is wrong and say the next step; exit code 1 if something is."""
    from autonoe.embedded.doctor import examine, healthy, show

    findings = examine(Layout(data_dir.absolute()))
    if as_json:
        print_json({"ok": healthy(findings), "checks": [f.as_dict() for f in findings]})
    else:
        show(findings)
    return 0 if healthy(findings) else 1
