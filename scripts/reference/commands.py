"""The page of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from autonoe.cli import cli

from .walk import NOTE, table

INTRO = """# Commands

Each command takes `--help`. With `--json` it writes one JSON document to stdout and its log to
stderr. Exit codes: 0 done, 1 failed, 2 bad usage or input.
"""


def walk_commands(
    command: click.Command = cli, path: str = "autonoe"
) -> Iterator[tuple[str, click.Command]]:
    """Yield the path (``autonoe users add``) and the command, for each that is not hidden."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None and not child.hidden:
                yield from walk_commands(child, f"{path} {name}")


def _parameters(command: click.Command) -> Iterator[list[object]]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if parameter.hidden:
                continue
            names = ", ".join(f"`{n}`" for n in (*parameter.opts, *parameter.secondary_opts))
            text = parameter.help or ""
            default = parameter.default
            if not parameter.is_flag and isinstance(default, str | int | float) and default != "":
                text = f"{text} Default: `{default}`."
            if parameter.required:
                text = f"{text} Required."
        else:
            names, text = f"`{parameter.human_readable_name.upper()}`", ""
        choices = getattr(parameter.type, "choices", None)
        if choices:
            text = f"{text} One of {', '.join(f'`{c}`' for c in choices)}."
        yield [names, text]


def page() -> str:
    """Return the page of the command line."""
    parts = [NOTE, INTRO]
    for path, command in walk_commands():
        if path == "autonoe":
            continue
        parts.append(f"## {path}\n")
        parts.append(
            inspect.cleandoc((command.help or "").split("\f")[0].replace("\b\n", "")) + "\n"
        )
        rows = list(_parameters(command))
        if rows:
            parts.append(table(["Argument or option", "What it does"], rows))
    return "\n".join(parts)
