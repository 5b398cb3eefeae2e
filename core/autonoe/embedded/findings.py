"""What a check of ``autonoe doctor`` says, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import click


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """The platform runs, but not for long or not as expected."""
    PROBLEM = "problem"
    """The platform cannot run, or a part of it does not."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check, in words."""

    check: str
    """Stable name, such as ``"disk"``; scripts rely on it."""
    level: Level
    message: str
    next_step: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the form of ``autonoe doctor --json``."""
        return asdict(self)


def ok(check: str, message: str) -> Finding:
    """Return a finding that needs no action."""
    return Finding(check, Level.OK, message)


def warning(check: str, message: str, next_step: str) -> Finding:
    """Return a finding that should be looked at."""
    return Finding(check, Level.WARNING, message, next_step)


def problem(check: str, message: str, next_step: str) -> Finding:
    """Return a finding that stops something."""
    return Finding(check, Level.PROBLEM, message, next_step)


def healthy(findings: Sequence[Finding]) -> bool:
    """Return whether none of ``findings`` is a problem."""
    return all(f.level is not Level.PROBLEM for f in findings)


_MARKS = {Level.OK: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.PROBLEM: ("✗", "red")}


def show(findings: Sequence[Finding]) -> None:
    """Print ``findings`` for a person."""
    for finding in findings:
        mark, colour = _MARKS[finding.level]
        click.echo(f"{click.style(mark, fg=colour)} {finding.check}: {finding.message}")
        if finding.next_step:
            click.echo(f"    Next: {finding.next_step}")
    bad = sum(f.level is Level.PROBLEM for f in findings)
    click.echo(f"{bad} of {len(findings)} checks found a problem." if bad else "Nothing is wrong.")
