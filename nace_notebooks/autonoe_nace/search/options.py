"""Options that commands of ``autonoe nace search`` share."""

from __future__ import annotations

import functools
from typing import Any

import click

_METRICS = ("top1", "top2", "top3", "top4", "top5", "macro_f1", "ece", "brier")


def _grouped(options: tuple[Any, ...], names: tuple[str, ...], into: str) -> Any:
    """Return a decorator that adds ``options`` and hands their values over as one dict."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def gathered(*arguments: Any, **given: Any) -> Any:
            values = {name: given.pop(name) for name in names}
            return command(*arguments, **{into: values}, **given)

        for option in reversed(options):
            gathered = option(gathered)
        return gathered

    return decorate


_PLANNED = _grouped(
    (
        click.option("--data", required=True, metavar="F", help="CSV or Parquet, path or s3://."),
        click.option(
            "--nomenclature",
            required=True,
            metavar="NAME|FILE",
            help="What the codes belong to, as for autonoe nace train.",
        ),
        click.option("--extra", multiple=True, metavar="F", help="More material for training."),
        click.option(
            "--extra-text-column", default="text", show_default=True, help="Texts of --extra."
        ),
        click.option(
            "--extra-code-column", default="code", show_default=True, help="Codes of --extra."
        ),
        click.option(
            "--extra-where",
            multiple=True,
            metavar="COLUMN=VALUE",
            help="Take only these rows of --extra.",
        ),
        click.option(
            "--fold-column",
            default="",
            metavar="NAME",
            help="Column that names each text's fold; else near-duplicates are kept together.",
        ),
        click.option(
            "--folds",
            default=5,
            show_default=True,
            type=click.IntRange(2, 100),
            help="Number of folds without --fold-column.",
        ),
        click.option(
            "--vary",
            multiple=True,
            required=True,
            metavar="PARAMETER=VALUES",
            help="What to try: lr=0.4,0.8; a random search also takes lr=loguniform:0.1:1, "
            "uniform:LOW:HIGH or int:LOW:HIGH. May be repeated, or several divided by semicolons.",
        ),
        click.option(
            "--set",
            "fixed",
            multiple=True,
            metavar="PARAMETER=VALUE",
            help="A parameter that all candidates share. May be repeated, as --vary.",
        ),
        click.option(
            "--metric",
            default="top1",
            show_default=True,
            type=click.Choice(_METRICS),
            help="What the best candidate is best in.",
        ),
        click.option("--seed", default=1, show_default=True, type=int, help="Seed of the folds."),
        click.option(
            "--experiment", default="", metavar="NAME", help="MLflow experiment; nace-<account>."
        ),
    ),
    (
        *("data", "nomenclature", "extra", "extra_text_column", "extra_code_column"),
        *("extra_where", "fold_column", "folds", "vary", "fixed", "metric", "seed", "experiment"),
    ),
    "planned",
)
_WORKING = _grouped(
    (
        click.option(
            "--scheduler",
            default="",
            metavar="ADDRESS",
            help="A Dask scheduler, such as tls://dask:8786; processes of this machine otherwise.",
        ),
        click.option(
            "--workers",
            default=1,
            show_default=True,
            type=click.IntRange(1, 1_000),
            help="Processes on this machine.",
        ),
        click.option(
            "--memory",
            default=2.0,
            show_default=True,
            type=click.FloatRange(0.1),
            help="GiB that one process, and the training it starts, may each use.",
        ),
        click.option(
            "--threads",
            default=1,
            show_default=True,
            type=click.IntRange(1, 256),
            help="Threads of one process for linear algebra.",
        ),
    ),
    ("scheduler", "workers", "memory", "threads"),
    "working",
)


def planned_options(command: Any) -> Any:
    """Add the options that make a plan; the command gets them as ``planned``."""
    return _PLANNED(command)


def worker_options(command: Any) -> Any:
    """Add the options on workers; the command gets them as ``working``."""
    return _WORKING(command)
