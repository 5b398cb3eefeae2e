"""The command line: ``python -m tests.testbed up``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click

from autonoe.errors import AutonoeError

from . import build as building
from . import node as nodes
from . import reach
from .places import DEFAULT_STATE, Node

EXTERNAL = "KUBECONFIG points at a cluster of yours: nothing is built or started."


def _say(text: str) -> None:
    click.echo(text, err=True)


def _own(node: Node) -> bool:
    """Tell whether to work on our own node: not when KUBECONFIG names another cluster."""
    chosen = os.environ.get("KUBECONFIG")
    return not chosen or Path(chosen).absolute() == node.kubeconfig


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=DEFAULT_STATE,
    help="Folder of the node's files; removed by `down`.",
)
@click.option(
    "--number",
    type=click.IntRange(0, 255),
    default=0,
    help="Keeps nodes on one machine apart: part of names and addresses.",
)
@click.pass_context
def main(context: click.Context, state: Path, number: int) -> None:
    """Run a one-node Kubernetes for tests."""
    context.obj = Node(state.absolute(), number)


@main.command()
def build() -> None:
    """Build what is missing (25 minutes the first time); can be interrupted and taken up again."""
    building.build(_say)


@main.command()
@click.pass_obj
def up(node: Node) -> None:
    """Start the node, building first what is missing; print the path of its kubeconfig."""
    if not _own(node):
        _say(EXTERNAL)
        click.echo(os.environ["KUBECONFIG"])
        return
    nodes.up(node, _say)
    click.echo(node.kubeconfig)


@main.command()
@click.pass_obj
def down(node: Node) -> None:
    """End the node and remove everything of it; built parts stay in the cache."""
    nodes.down(node)


@main.command(name="import")
@click.argument("archives", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.pass_obj
def import_(node: Node, archives: tuple[Path, ...]) -> None:
    """Load OCI archives into the node; those that it holds already are left out."""
    for archive in archives:
        loaded = reach.import_image(node, archive.absolute())
        _say(f"{archive.name}: {'loaded' if loaded else 'is there already'}")


@main.command()
@click.pass_obj
def status(node: Node) -> None:
    """Print what runs, as JSON."""
    click.echo(json.dumps(nodes.status(node), indent=2))


@main.command(name="exec", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def exec_(node: Node, command: tuple[str, ...]) -> None:
    """Run a command in the node's namespaces."""
    sys.exit(subprocess.run(reach.inside(node, *command), check=False).returncode)


@main.command(name="restart-apiserver")
@click.pass_obj
def restart_api_server(node: Node) -> None:
    """Kill the API server and wait until it is back."""
    click.echo(f"back after {reach.restart_api_server(node):.1f} s")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt  # so that whoever ends a build ends its compilers too


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main(prog_name="python -m tests.testbed")
    except AutonoeError as error:
        _say(f"Error: {error.message}" + (f"\n  Next: {error.hint}" if error.hint else ""))
        sys.exit(error.exit_code)
