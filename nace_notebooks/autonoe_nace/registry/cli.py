"""``autonoe nace models``: register, check, compare, promote and roll back models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.model import NaceModel
    from autonoe_nace.registry import CheckReport

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def models() -> None:
    """Register, check, compare, promote and roll back models."""


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_ALIAS = click.option(
    "--alias", default="champion", show_default=True, help="The alias that servers follow."
)
_LIMITS = _options(
    click.option("--max-size-mib", type=float, help="Largest size of all files together, in MiB."),
    click.option("--max-latency-ms", type=float, help="Processor time of a text, p99, in ms."),
    click.option("--max-memory-mib", type=float, help="Memory of a process that loaded it, MiB."),
)
_GOLD = _options(
    click.option("--gold", metavar="F", help="Labelled texts that no model learned from."),
    click.option("--text-column", default="text", show_default=True, help="Texts of --gold."),
    click.option("--code-column", default="code", show_default=True, help="Codes of --gold."),
    click.option("--weight-column", default="", help="Weights of --gold, when it is a sample."),
    click.option(
        "--feature-column",
        "feature_columns",
        multiple=True,
        metavar="NAME",
        help="A side variable of --gold. May be repeated.",
    ),
    click.option(
        "--where",
        "conditions",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take only these rows of --gold; != for the others. May be repeated.",
    ),
)


@models.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Registered model and experiment; nace-<account> by default.")
@click.option(
    "--evaluation",
    metavar="F",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `autonoe nace evaluate --json` said of it, for the run's metrics.",
)
@_JSON
def register(folder: Path, name: str | None, evaluation: Path | None, as_json: bool) -> None:
    """Track the model in FOLDER as a run and make a version of it; no alias moves."""
    from autonoe_nace import tracking
    from autonoe_nace.model.manifest import Manifest
    from autonoe_nace.registry import register as make_version

    manifest = Manifest.read(folder)
    manifest.check_files(folder)
    scores = _scores(evaluation, manifest.id) if evaluation else {}
    run = tracking.track(folder, scores, experiment=name, run_name=manifest.id)
    version = make_version(run, name=name)
    if run.reused and evaluation:
        click.echo(f"{manifest.id} was tracked before; its run keeps its own metrics.", err=True)
    if as_json:
        print_json(
            {
                **{"name": version.name, "version": version.version, "uri": version.uri},
                **{"model_id": run.model_id, "sha256": run.model_sha256},
                **{"run_id": run.run_id, "reused": run.reused},
            }
        )
        return
    click.echo(f"{manifest.id} is version {version.version} of {version.name}.")
    click.echo(f"Next: autonoe nace models promote {version.name} {version.version} --gold FILE")


@models.command()
@click.argument("uri")
@_LIMITS
@_JSON
def check(uri: str, as_json: bool, **limits: float | None) -> None:
    """Check the model URI: models:/NAME/VERSION, models:/NAME@ALIAS or a folder."""
    from autonoe_nace.registry import check as check_model

    report = check_model(uri, limits=_limits(limits))
    if as_json:
        print_json(report.to_dict())
    else:
        _say(report)
    if not report.passed:
        raise click.exceptions.Exit(1)


@models.command()
@click.argument("challenger")
@click.argument("champion", required=False)
@_GOLD
@_JSON
def gate(challenger: str, champion: str | None, as_json: bool, **gold: Any) -> None:
    """Compare CHALLENGER with CHAMPION on gold; nothing is moved or recorded.

    Both are models:/NAME/VERSION, models:/NAME@ALIAS or folders. Without CHAMPION, the challenger
    is compared with the most frequent code.
    """
    from autonoe_nace.registry import gate as compare

    mine = _load(challenger)
    theirs = _load(champion) if champion else None
    data, weights = _read(mine, gold)
    if data is None:
        raise InvalidInputError("There is nothing to compare on.", hint="Give --gold FILE.")
    report = compare(mine, theirs, data, weights=weights)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(report.sentence())
        for section in report.worse_sections:
            click.echo(f"Worse in section {section}.")
    if not report.passed:
        raise click.exceptions.Exit(1)


@models.command()
@click.argument("name")
@click.argument("version")
@_GOLD
@_ALIAS
@click.option("--force-reason", help="Move the alias without a better model, for this reason.")
@_LIMITS
@_JSON
def promote(
    name: str, version: str, alias: str, force_reason: str | None, as_json: bool, **others: Any
) -> None:
    """Check VERSION of NAME, compare it with the champion, and move the alias to it."""
    from autonoe_nace.model import NaceModel
    from autonoe_nace.registry import promote as move
    from autonoe_nace.registry.checks import check_and_fetch

    wanted = {key: others.pop(key) for key in list(others) if key.startswith("max_")}
    data, weights, checked = None, None, None
    if others["gold"]:
        # the codes of gold are read by the nomenclature of the model, which must be whole first
        checked = check_and_fetch(f"models:/{name}/{version}", limits=_limits(wanted))
        if checked[0].passed:
            data, weights = _read(NaceModel.load(checked[1], check=False), others)
    outcome = move(
        name,
        version,
        gold=data,
        weights=weights,
        force_reason=force_reason,
        alias=alias,
        limits=_limits(wanted),
        checked=checked,
    )
    if as_json:
        print_json(outcome.to_dict())
        return
    if outcome.check:
        _say(outcome.check)
    if outcome.gate:
        click.echo(outcome.gate.sentence())
    click.echo(outcome.decision.sentence() if outcome.moved else f"It is the {alias} already.")


@models.command()
@click.argument("name")
@_ALIAS
@click.option("--to", metavar="VERSION", help="Another earlier version than the one before.")
@click.option("--reason", default="", help="Why; recorded.")
@_JSON
def rollback(name: str, alias: str, to: str | None, reason: str, as_json: bool) -> None:
    """Move the alias of NAME back to the version that had it before."""
    from autonoe_nace.registry import rollback as back

    outcome = back(name, alias, to=to, reason=reason)
    if as_json:
        print_json(outcome.to_dict())
    else:
        click.echo(outcome.decision.sentence())


@models.command()
@click.argument("name")
@click.option("--alias", help="Only decisions about this alias.")
@_JSON
def history(name: str, alias: str | None, as_json: bool) -> None:
    """Tell who moved which alias of NAME, when, why and on what figures."""
    from autonoe_nace.registry import history as told

    found = told(name, alias=alias)
    if as_json:
        print_json({"name": name, "decisions": [d.to_dict() for d in found]})
        return
    for decision in found:
        click.echo(decision.sentence())
    if not found:
        click.echo(f"Nothing was decided about {name} yet.")


def _limits(given: dict[str, float | None]) -> Any:
    from autonoe_nace.registry import CheckLimits

    names = {"max_size_mib": "size_mib", "max_latency_ms": "latency_p99_ms"}
    names["max_memory_mib"] = "memory_mib"
    return CheckLimits(**{names[key]: value for key, value in given.items() if value is not None})


def _scores(path: Path, model_id: str) -> dict[str, Any]:
    """Return the figures in ``path`` if they are those of the model ``model_id``."""
    wanted = "Give what `autonoe nace evaluate --json` wrote about this model."
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"{path.name} is no JSON.", hint=wanted) from error
    if not isinstance(scores, dict) or not isinstance(scores.get("levels"), dict):
        raise InvalidInputError(f"{path.name} holds no evaluation.", hint=wanted)
    if scores.get("model", model_id) != model_id:
        raise InvalidInputError(f"{path.name} is about {scores['model']}.", hint=wanted)
    return scores


def _load(uri: str) -> NaceModel:
    from autonoe_nace.model import NaceModel
    from autonoe_nace.model_uri import PREFIX
    from autonoe_nace.registry import fetch
    from autonoe_nace.registry.checks import default_cache

    return NaceModel.load(fetch(uri, default_cache())[0] if uri.startswith(PREFIX) else uri)


def _read(model: NaceModel, given: dict[str, Any]) -> tuple[Dataset | None, list[float] | None]:
    """Return the gold texts that the options name, and their weights when there are any."""
    from autonoe_nace.data import read_table
    from autonoe_nace.data.conditions import Condition

    if not given["gold"]:
        return None, None
    weight = given["weight_column"]
    data = read_table(
        given["gold"],
        nomenclature=model.nomenclature,
        text_column=given["text_column"],
        code_column=given["code_column"],
        where=[Condition.parse(text) for text in given["conditions"]],
        language=model.manifest.language,
        feature_columns=[*given["feature_columns"], *([weight] if weight else [])],
    )
    for line in data.report.lines():
        click.echo(f"gold: {line}", err=True)
    if not weight:
        return data, None
    return _without(data, weight), _numbers(data.features[weight], weight)


def _without(data: Dataset, column: str) -> Dataset:
    from dataclasses import replace

    kept = {name: values for name, values in data.features.items() if name != column}
    return replace(data, features=kept)


def _numbers(values: tuple[str, ...], column: str) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise InvalidInputError(
            f"The column {column} holds something other than numbers.",
            hint="Weights are positive numbers with a decimal point.",
        ) from error


def _say(report: CheckReport) -> None:
    for item in report.items:
        click.echo(f"{'passed' if item.passed else 'FAILED':<8}{item.name:<10}{item.found}")
