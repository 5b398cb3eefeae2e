"""The ``autonoe`` command: each subcommand lives in the package it belongs to.

They are found by entry point, and only the one that is called is imported.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import click

from autonoe import __version__
from autonoe.errors import AutonoeError, InvalidInputError

GROUP = "autonoe.commands"


@cache
def _commands() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


class LazyGroup(click.Group):
    """A group of entry points, so that ``autonoe status`` never imports a model library."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all subcommands, in alphabetical order."""
        return sorted(_commands())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the subcommand ``name``, or None when there is none."""
        entry = _commands().get(name)
        if entry is None:
            return None
        command = entry.load()
        assert isinstance(command, click.Command)  # noqa: S101  an entry point of ours that is not one is a defect
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autonoe")
def cli() -> None:
    """Run the platform, its accounts and the NACE workflow; each command takes --json."""


def print_json(document: Any) -> None:
    """Write the one JSON document of a ``--json`` command to stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def main(argv: list[str] | None = None) -> None:
    """Run the command line and leave with 0 done, 1 failed, 2 bad usage or input."""
    args = sys.argv[1:] if argv is None else argv
    as_json = "--json" in args
    try:
        code = cli.main(args=args, prog_name="autonoe", standalone_mode=False)
    except AutonoeError as error:
        _report(error, as_json=as_json)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if as_json:
            _report(InvalidInputError(error.format_message(), hint="See --help."), as_json=True)
        else:
            error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: AutonoeError, *, as_json: bool) -> None:
    if as_json:
        print_json(error.as_dict())
        return
    click.secho(f"Error: {error.message}", fg="red", err=True)
    if error.hint:
        click.echo(f"  Next: {error.hint}", err=True)
