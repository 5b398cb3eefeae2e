"""``autonoe nace annotate``: a gold standard by people, from the logs to Parquet."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError

_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data of the service. [default: $AUTONOE_ANNOTATION_DIR or the account's data home]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_TO = click.option(
    "--to", "target", help="s3://… or a folder for samples, codings, gold; the account's bucket."
)
_ROUND = click.option("--round", "name", required=True, help="Name of the round, such as 2026-q4.")


@click.group()
def annotate() -> None:
    """Have people code a sample of the logs in Label Studio: the gold standard."""


@annotate.command()
@_FOLDER
@click.option("--coder", "coders", multiple=True, help="Add somebody who codes. May be repeated.")
@click.option("--arbiter", "arbiters", multiple=True, help="Add who decides on disagreements.")
@click.option("--public-url", default="", help="Address of a proxy in front of the service.")
@click.option("--port", type=click.IntRange(1, 65_535), help="Port of loopback; a free one.")
@_JSON
def start(
    folder: Path | None,
    coders: tuple[str, ...],
    arbiters: tuple[str, ...],
    public_url: str,
    port: int | None,
    as_json: bool,
) -> None:
    """Start Label Studio on this machine and make the accounts of people.

    The first start installs it, about 1 GB, into an environment of its own.
    """
    from autonoe_nace.annotation.service import Service

    found = Service(folder).start(
        coders=coders, arbiters=arbiters, public_url=public_url, port=port, say=_say
    )
    _show(found.to_dict(), as_json)


@annotate.command()
@_FOLDER
@_JSON
def stop(folder: Path | None, as_json: bool) -> None:
    """End Label Studio; what people said stays."""
    from autonoe_nace.annotation.service import Service

    service = Service(folder)
    service.stop()
    _show(service.status().to_dict(), as_json)


@annotate.command()
@_FOLDER
@_JSON
def status(folder: Path | None, as_json: bool) -> None:
    """Say whether it runs, who may log in, and how far each person is."""
    from autonoe_nace.annotation.client import LabelStudio
    from autonoe_nace.annotation.service import Service

    service = Service(folder)
    found = service.status().to_dict()
    if found["state"] == "ready":
        for entry in found["people"]:
            studio = LabelStudio(service.url, service.people.get(entry["name"]).token)
            entry["projects"] = [
                {
                    "title": project["title"],
                    "tasks": project["task_number"],
                    "done": project["num_tasks_with_annotations"],
                }
                for project in studio.projects()
            ]
    _show(found, as_json)


@annotate.command()
@_ROUND
@_FOLDER
@click.option("--logs", help="s3://… or a folder that the ETL wrote; the account's logs.")
@_TO
@click.option(
    "--size", default=300, show_default=True, type=click.IntRange(min=8), help="Texts to code."
)
@click.option(
    "--months", default=3, show_default=True, type=click.IntRange(1, 1_200), help="Last months."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the window (UTC); today."
)
@click.option("--deployment", help="Predictions of one deployment only.")
@click.option(
    "--allocation",
    type=click.Choice(["oversample", "neyman", "proportional"]),
    default="oversample",
    show_default=True,
    help="Where the texts come from: low confidence, doubt, or everywhere alike.",
)
@click.option("--bands", default="0,0.2,0.5,0.8", show_default=True, help="Bands of confidence.")
@click.option("--factors", default="4,3,2,1", show_default=True, help="How much likelier each is.")
@click.option("--seed", default=1, show_default=True, help="Equal seeds draw equal texts.")
@click.option(
    "--overlap",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the texts that two people code.",
)
@click.option(
    "--blind/--helped",
    default=True,
    show_default=True,
    help="Hide the model's five best codes, or show them.",
)
@click.option(
    "--language",
    type=click.Choice(["en", "fr"]),
    default="en",
    show_default=True,
    help="Of the page.",
)
@click.option("--level", type=click.IntRange(1, 6), help="Finest level to code; the model's.")
@click.option("--nomenclature", default="ateco2025", show_default=True, help="What is chosen from.")
@_JSON
def push(
    name: str,
    folder: Path | None,
    logs: str | None,
    target: str | None,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Draw a sample with known probabilities and put it on people's pages."""
    from autonoe_nace.annotation import rounds, sampling
    from autonoe_nace.annotation.design import Design
    from autonoe_nace.annotation.service import Service
    from autonoe_nace.annotation.store import AnnotationStore
    from autonoe_nace.nomenclature import load_nomenclature

    tree = load_nomenclature(chosen["nomenclature"])
    plan = rounds.Plan(
        name, chosen["overlap"], not chosen["blind"], chosen["language"], chosen["level"]
    )
    design = Design(
        size=chosen["size"],
        edges=_numbers(chosen["bands"], "--bands"),
        factors=_numbers(chosen["factors"], "--factors"),
        allocation=chosen["allocation"],
        seed=chosen["seed"],
    )
    until = chosen["until"].date() if chosen["until"] else None
    with _access(logs, target):
        source, place = logs or _default_logs(), target or _default_target()
        sample = sampling.draw(
            source,
            tree,
            design,
            months=chosen["months"],
            until=until,
            deployment=chosen["deployment"],
        )
        done = rounds.push(Service(folder), AnnotationStore(place), sample, plan, tree)
    if as_json:
        print_json(done)
        return
    click.echo(
        f"{done['texts']:,} of {sample.population:,} predictions, {done['twice']:,} to be coded "
        f"twice, in round {name}."
    )
    for person, tasks in done["tasks"].items():
        click.echo(f"  {person}: {tasks:,} texts at {done['url']}")


@annotate.command()
@_ROUND
@_FOLDER
@_TO
@_JSON
def pull(name: str, folder: Path | None, target: str | None, as_json: bool) -> None:
    """Collect what people said: disagreements to the arbiter, the rest becomes gold."""
    from autonoe_nace.annotation import collecting
    from autonoe_nace.annotation.service import Service
    from autonoe_nace.annotation.store import AnnotationStore, description
    from autonoe_nace.nomenclature import load_nomenclature

    with _access(target):
        store = AnnotationStore(target or _default_target())
        tree = load_nomenclature(description(store.read("samples", name))["nomenclature"])
        done = collecting.pull(Service(folder), store, name, tree)
    if as_json:
        print_json(done)
        return
    click.echo(
        f"{done['gold']:,} of {done['texts']:,} texts settled, {done['disputed']:,} disputed, "
        f"{done['waiting_for_arbiter']:,} wait for the arbiter, "
        f"{done['cannot_be_coded']:,} cannot be coded."
    )
    if done["arbiter_missing"]:
        click.echo("Nobody decides: autonoe nace annotate start --arbiter NAME", err=True)
    _table(done)
    click.echo(f"Gold standard: {done['to']}")


def _table(done: dict[str, Any]) -> None:
    click.echo("level       two people agree           kappa                  model right")
    for level, row in done["agreement"].items():
        parts = [row["percent"], row["kappa"], done["model"][level]["all"]]
        shown = (f"{p['value']:.3f} ({p['low']:.3f} to {p['high']:.3f})" for p in parts)
        click.echo(f"{level:<10}  " + "  ".join(f"{text:<24}" for text in shown))


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['state']}  {found['url']}")
    for person in found["people"]:
        done = sum(project["done"] for project in person.get("projects", ()))
        tasks = sum(project["tasks"] for project in person.get("projects", ()))
        click.echo(f"  {person['role']:<8} {person['login']:<40} {done:,} of {tasks:,} texts")
    if found["people"]:
        click.echo(f"Passwords are in {found['accounts_file']}, which only you can read.")


def _say(text: str) -> None:
    click.echo(text, err=True)


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InvalidInputError(
            f"{option} takes numbers with commas between them.", hint="For example 0,0.2,0.5,0.8"
        ) from error


def _access(*places: str | None) -> AbstractContextManager[object]:
    """Return the account's credentials when one of the places is in the object store."""
    from autonoe.credentials import session

    if any(place is None or place.startswith("s3://") for place in places):
        return session()
    return nullcontext()


def _default_logs() -> str:
    from autonoe_nace.logs.place import logs_uri

    return logs_uri()


def _default_target() -> str:
    from autonoe_nace.annotation.store import gold_uri

    return gold_uri()
