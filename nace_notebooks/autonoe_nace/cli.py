"""``autonoe nace``: train; the other commands are loaded when called."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import (
    Columns,
    data_columns,
    read_class_text_files,
    read_labelled,
    report,
)
from autonoe_nace.cli_progress import ProgressBar

_ELSEWHERE = {
    "predict": "autonoe_nace.model.cli:predict",
    "serve": "autonoe_nace.serving.cli:serve",
    "keys": "autonoe_nace.serving.keys_cli:keys",
    "etl": "autonoe_nace.logs.cli:etl",
    "monitor": "autonoe_nace.monitoring.monitor_cli:monitor",
    "drift": "autonoe_nace.monitoring.cli:drift",
    "dashboard": "autonoe_nace.monitoring.cli:dashboard",
    "alerts": "autonoe_nace.alerts.cli:alerts",
    "demo": "autonoe_nace.demo:demo",
    "evaluate": "autonoe_nace.evaluation.cli:evaluate",
    "compare": "autonoe_nace.evaluation.cli:compare",
    "threshold": "autonoe_nace.evaluation.cli:threshold",
    "search": "autonoe_nace.search.cli:search",
    "lookup": "autonoe_nace.lookup.cli:lookup",
    "class-texts": "autonoe_nace.data.cli:class_texts",
    "duplicates": "autonoe_nace.data.cli:duplicates",
    "rules": "autonoe_nace.data.rules_cli:rules",
    "split": "autonoe_nace.data.cli:split",
    "explain": "autonoe_nace.model.explain_cli:explain",
    "models": "autonoe_nace.registry.cli:models",
    "replay": "autonoe_nace.replay.cli:replay",
    "dual": "autonoe_nace.recoding.cli:dual",
    "recode": "autonoe_nace.recoding.cli:recode",
    "series": "autonoe_nace.recoding.cli:series",
    "annotate": "autonoe_nace.annotation.cli:annotate",
    "retrain": "autonoe_nace.retraining.cli:retrain",
}
_DEFAULT_NOMENCLATURE = "ateco2025"


class _Group(click.Group):
    """Commands of this module, and those of others that are imported only when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in alphabetical order."""
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return the command ``name``, or None when there is none."""
        if name not in _ELSEWHERE:
            return super().get_command(ctx, name)
        module, _, attribute = _ELSEWHERE[name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_Group)
def nace() -> None:
    """Code activities to NACE and its national versions."""


@nace.command()
@click.option(
    "--data", metavar="F", help="CSV or Parquet, path or s3://; ATECO 2025 when left out."
)
@click.option("--output", required=True, metavar="DIR", help="Folder for the model.")
@data_columns
@click.option(
    "--nomenclature",
    metavar="NAME|FILE",
    help="ateco2025, nace-rev2, nace-rev2.1, naf-rev2, uksic2007, or a file with a column 'code'.",
)
@click.option(
    "--extra",
    multiple=True,
    metavar="F",
    help="More material, such as explanatory notes, with columns 'text' and 'code'.",
)
@click.option("--extra-text-column", default="text", show_default=True, help="Texts of --extra.")
@click.option("--extra-code-column", default="code", show_default=True, help="Codes of --extra.")
@click.option(
    "--extra-where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Take only these rows of --extra, for example lang=en.",
)
@click.option(
    "--class-texts",
    multiple=True,
    metavar="ateco2025|F",
    help="Titles and notes to learn from too; see `autonoe nace class-texts`.",
)
@click.option(
    "--class-text-kind",
    multiple=True,
    help="title, include, include_also, exclude_ref; all by default.",
)
@click.option(
    "--bands", metavar="NAME|FILE", help="Classes of side variables that are numbers, as data."
)
@click.option("--language", default="", help="Rules of preparation; that of the nomenclature.")
@click.option("--level", type=int, help="Level of the codes to predict, 1 to 6.")
@click.option("--titles/--no-titles", default=True, help="Learn the nomenclature's titles too.")
@click.option(
    "--notes",
    metavar="F",
    help="Explanatory notes for explanations: columns 'code', 'includes', 'excludes'.",
)
@click.option(
    "--keep-texts/--no-keep-texts",
    default=None,
    help="Carry the training texts for explanations; by default published ones only.",
)
@click.option(
    "--preset",
    type=click.Choice(["fast", "full"]),
    help="fast is fastText alone; full adds a linear classifier and the nearest texts.",
)
@click.option("--linear/--no-linear", default=None, help="That part, whatever the preset.")
@click.option(
    "--neighbours/--no-neighbours",
    default=None,
    help="That part; it keeps the words of the training texts in the model.",
)
@click.option(
    "--lookup/--no-lookup",
    default=None,
    help="Let a rules engine made from the same texts answer first where it is sure.",
)
@click.option("--linear-c", type=float, help="How much an error on a training text counts.")
@click.option(
    "--most-texts", type=int, help="Texts of the linear part and the neighbours, at most."
)
@click.option(
    "--calibration-share", type=float, help="Part of the texts held out in a round; 0 for none."
)
@click.option(
    "--calibration-rounds", type=int, help="Calibrating models, each without other texts."
)
@click.option("--epoch", type=int, help="Passes over the data.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--dim", type=int, help="Length of the vectors.")
@click.option("--word-ngrams", type=int, help="Longest run of words that is a feature.")
@click.option("--minn", type=int, help="Shortest character n-gram; 0 for none.")
@click.option("--maxn", type=int, help="Longest character n-gram; 0 for none.")
@click.option("--bucket", type=int, help="Slots for n-grams; the file grows by 4 x dim each.")
@click.option("--min-count", type=int, help="Words rarer than this are left out.")
@click.option("--seed", type=int, help="Seed of training and calibration split.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def train(
    data: str | None,
    output: str,
    columns: Columns,
    nomenclature: str | None,
    extra: tuple[str, ...],
    extra_text_column: str,
    extra_code_column: str,
    extra_where: tuple[str, ...],
    class_texts: tuple[str, ...],
    class_text_kind: tuple[str, ...],
    bands: str | None,
    notes: str | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a model on labelled texts and write it to a folder."""
    from autonoe_nace.data import ateco
    from autonoe_nace.model.nace_model import check_target
    from autonoe_nace.nomenclature import load_nomenclature
    from autonoe_nace.nomenclature.notes import load_notes
    from autonoe_nace.text import load_bands
    from autonoe_nace.training import TrainingParams
    from autonoe_nace.training import train as train_model

    check_target(Path(output))
    params = TrainingParams.of(**{k: v for k, v in chosen.items() if v is not None})
    tree = load_nomenclature(nomenclature or _DEFAULT_NOMENCLATURE, language=params.language)
    if data is None:
        if tree.name != _DEFAULT_NOMENCLATURE:
            raise InvalidInputError(
                f"There is no default data for {tree.name}.", hint="Give a file with --data."
            )
        labelled = ateco()
        report("data", labelled)
    else:
        labelled = read_labelled("data", data, tree, columns, language=params.language)
    beside = Columns(extra_text_column, extra_code_column, extra_where)
    parts = [
        read_labelled(f"extra {uri}", uri, tree, beside, language=params.language) for uri in extra
    ]
    parts += read_class_text_files(class_texts, tree, class_text_kind, language=params.language)
    notes = notes or (_DEFAULT_NOMENCLATURE if data is None else None)
    book = load_notes(notes, tree, language=params.language or tree.language) if notes else None
    cut = load_bands(bands) if bands else None
    with ProgressBar() as bar:
        model = train_model(
            labelled, params, tree, extra=parts, notes=book, bands=cut, progress=bar
        )
    folder = model.save(output)
    if as_json:
        print_json(
            {
                "id": model.id,
                "path": str(folder),
                "level": model.manifest.level,
                "hashes": model.manifest.hashes,
                "calibration": model.manifest.calibration.model_dump(),
                "held_out": model.manifest.training["held_out"],
                "report": labelled.report.to_dict(),
            }
        )
    else:
        click.echo(f"{model.id} written to {folder}; its README.md says what it is worth.")
