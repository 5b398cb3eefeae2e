"""The options by which a command is printed for a clock, instead of being run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def schedule_options(cron: str, *, instead: str) -> Callable[[Any], Any]:
    """Return a decorator that adds ``--schedule`` and what belongs to it.

    Parameters
    ----------
    cron : str
        When, unless somebody says otherwise.
    instead : str
        What the command does without ``--schedule``, as in "instead of checking".
    """

    def decorated(command: Any) -> Any:
        for option in reversed(
            (
                click.option(
                    "--schedule",
                    type=click.Choice(["crontab", "kubernetes"]),
                    help="Print a line for cron, or a CronJob with what it needs, "
                    f"instead of {instead}.",
                ),
                click.option(
                    "--cron", default=cron, show_default=True, help="When, for --schedule."
                ),
                click.option(
                    "--account", default="", help="Whose credentials the line for cron asks for."
                ),
                click.option(
                    "--image",
                    default="autonoe/nace",
                    show_default=True,
                    help="Image of the CronJob.",
                ),
                click.option(
                    "--agent-image", default="", help="Image of the credential agent beside it."
                ),
            )
        ):
            command = option(command)
        return command

    return decorated
