"""Progress of a long command on stderr, for a person or for a log."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class ProgressBar:
    """A context manager to call with stage and share: a bar on a terminal, else a line a stage."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._stage = ""
        self._task = TaskID(0)

    def __enter__(self) -> ProgressBar:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, stage: str, share: float, /) -> None:
        """Show the stage and its share done."""
        if stage != self._stage:
            self._stage = stage
            if not self._console.is_terminal:
                click.echo(f"{stage} ...", err=True)
            else:
                self._task = self._bar.add_task(stage, total=1.0)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=share)
