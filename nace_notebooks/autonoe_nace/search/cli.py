"""``autonoe nace search``: find good parameters by cross-validation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import Columns, data_columns
from autonoe_nace.cli_progress import ProgressBar
from autonoe_nace.search.options import planned_options, worker_options

if TYPE_CHECKING:
    from autonoe_nace.search.folds import Folded
    from autonoe_nace.search.plan import SearchPlan

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_TRACK = click.option(
    "--track/--no-track",
    default=None,
    help="Write each fold into MLflow; the default when MLFLOW_TRACKING_URI is set.",
)
_SHOWN = 10


@click.group()
def search() -> None:
    """Find good training parameters by cross-validation, on this machine or a cluster."""


_FOLDER = click.option("--output", required=True, metavar="DIR", help="Folder for the search.")
_REFIT = click.option(
    "--refit", metavar="DIR", help="Train the best candidate on all texts into this folder."
)


@search.command()
@planned_options
@data_columns
@_FOLDER
@worker_options
@_TRACK
@_REFIT
@_JSON
def grid(planned: dict[str, Any], columns: Columns, **rest: Any) -> None:
    """Try every combination of the values given."""
    from autonoe_nace.search import space

    _start("grid", planned, columns, space.grid(planned["vary"]), rest)


@search.command()
@planned_options
@data_columns
@click.option(
    "--candidates",
    default=20,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many candidates to draw.",
)
@_FOLDER
@worker_options
@_TRACK
@_REFIT
@_JSON
def random(planned: dict[str, Any], columns: Columns, candidates: int, **rest: Any) -> None:
    """Try candidates drawn at random."""
    from autonoe_nace.search import space

    drawn = space.sample(planned["vary"], candidates, planned["seed"])
    _start("random", planned, columns, drawn, rest)


@search.command()
@click.argument("folder", metavar="DIR")
@worker_options
@_TRACK
@_REFIT
@_JSON
def resume(folder: str, **rest: Any) -> None:
    """Go on with the search in DIR; folds that are done are not run again."""
    from autonoe_nace.search.store import Store

    _carry_on(Store.open(folder), None, rest)


@search.command()
@click.argument("folder", metavar="DIR")
@_JSON
def show(folder: str, as_json: bool) -> None:
    """Show what the search in DIR has found so far."""
    from autonoe_nace.search.engine import overview
    from autonoe_nace.search.store import Store

    found = overview(Store.open(folder))
    if as_json:
        print_json(found)
    else:
        _say(found)


@search.command()
@planned_options
@data_columns
@click.option(
    "--random",
    "candidates",
    type=click.IntRange(1, 10_000),
    help="Draw so many candidates at random; every combination otherwise.",
)
@click.option(
    "--image",
    required=True,
    envvar="JUPYTER_IMAGE",  # KubeSpawner's; a notebook's image holds all that a candidate needs
    metavar="IMAGE",
    help="Image with this package and its nace extra; in a pod of the hub, the one it runs.",
)
@click.option("--name", default="nace-search", show_default=True, help="Name of the workflow.")
@click.option("--namespace", default="", help="Namespace; that of whoever submits it otherwise.")
@click.option(
    "--service-account", default="workload", show_default=True, help="Whom the containers act as."
)
@click.option("--cpu", default="1", show_default=True, help="CPUs of a container.")
@click.option("--memory", default="2Gi", show_default=True, help="Memory of a container.")
@click.option(
    "--parallelism",
    default=4,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="Containers at the same time.",
)
@click.option(
    "--deadline",
    "deadline_s",
    default=7_200,
    show_default=True,
    type=click.IntRange(60),
    help="Seconds that one container may take.",
)
@click.option(
    "--agent-image",
    default="",
    metavar="IMAGE",
    help="Credential agent to put beside each container, with this account's addresses.",
)
@click.option("--output", metavar="FILE", help="File for the manifest; stdout otherwise.")
@_JSON
def argo(
    planned: dict[str, Any],
    columns: Columns,
    candidates: int | None,
    output: str | None,
    as_json: bool,
    **rest: Any,
) -> None:
    """Write the search as an Argo Workflow: one container a candidate."""
    from autonoe_nace.search import space
    from autonoe_nace.search.argo import Containers, as_yaml, workflow

    drawn = (
        space.sample(planned["vary"], candidates, planned["seed"])
        if candidates
        else space.grid(planned["vary"])
    )
    plan, _ = _plan("random" if candidates else "grid", planned, columns, drawn)
    agent_image = rest.pop("agent_image")
    manifest = workflow(plan, Containers(**rest), agent=_agent(agent_image))
    if output:
        Path(output).write_text(as_yaml(manifest), encoding="utf-8")
        click.echo(f"Manifest written to {output}; submit it with argo submit.", err=True)
    if as_json:
        print_json(manifest)
    elif not output:
        click.echo(as_yaml(manifest), nl=False)


@search.command("run-one")
@click.option("--plan", "plan_file", required=True, metavar="FILE", help="plan.json of a search.")
@click.option(
    "--candidate",
    type=click.IntRange(0),
    help="Number of the candidate, from 0; without it the search is only opened in MLflow.",
)
@click.option("--close", is_flag=True, help="Write the outcome into MLflow, after all candidates.")
@click.option("--output", metavar="DIR", help="Folder for the results.")
@_TRACK
@_JSON
def run_one(
    plan_file: str,
    candidate: int | None,
    close: bool,
    output: str | None,
    track: bool | None,
    as_json: bool,
) -> None:
    """Run one candidate of a search in this process, as a container of a workflow does."""
    from autonoe_nace.search import engine
    from autonoe_nace.search.plan import SearchPlan
    from autonoe_nace.search.store import Store

    plan = SearchPlan.read(plan_file)
    if candidate is None or close:
        found = engine.open_or_close(plan, close=close)
        if as_json:
            print_json(found)
        else:
            click.echo(f"{plan.id}: MLflow run {found['run']}")
        return
    store = Store.create(output, plan) if output else None
    row = engine.run_one(plan, candidate, store=store, track=_tracked(track))
    if as_json:
        print_json(row)
    else:
        _say_row(row)


def _start(
    kind: str,
    planned: dict[str, Any],
    columns: Columns,
    candidates: list[dict[str, Any]],
    rest: dict[str, Any],
) -> None:
    from autonoe_nace.search.store import Store

    plan, material = _plan(kind, planned, columns, candidates)
    _carry_on(Store.create(rest.pop("output"), plan), material, rest)


def _plan(
    kind: str, planned: dict[str, Any], columns: Columns, candidates: list[dict[str, Any]]
) -> tuple[SearchPlan, Folded]:
    """Return the plan, and the material that its hash was made from."""
    from autonoe_nace.cli_data import report
    from autonoe_nace.search.folds import gather
    from autonoe_nace.search.plan import SearchPlan
    from autonoe_nace.search.space import parts, single

    plan = SearchPlan.of(
        kind=kind,
        material={
            **{name: planned[name] for name in ("data", "nomenclature", "extra", "extra_where")},
            **{name: planned[name] for name in ("extra_text_column", "extra_code_column")},
            "text_column": columns.text,
            "code_column": columns.code,
            "where": tuple(columns.conditions),
            "feature_columns": tuple(columns.features),
        },
        base=dict(single(text) for text in parts(planned["fixed"])),
        candidates=candidates,
        **{n: planned[n] for n in ("fold_column", "folds", "metric", "seed", "experiment")},
    )
    material = gather(plan)
    report("data", material.data)
    known = {"sha256": material.sha256, "compared": material.compared}
    return plan.model_copy(update=known), material


def _carry_on(store: Any, material: Folded | None, rest: dict[str, Any]) -> None:
    """Run what is left of a search, refit, tell."""
    from autonoe_nace.search.engine import search as run
    from autonoe_nace.search.refit import refit
    from autonoe_nace.search.workers import Workers

    working = rest["working"]
    workers = Workers(
        scheduler=working["scheduler"],
        count=working["workers"],
        memory_gib=working["memory"],
        threads=working["threads"],
    )
    with ProgressBar() as bar:
        found = run(store, workers, material=material, track=_tracked(rest["track"]), progress=bar)
        if rest["refit"]:
            found["refit"] = refit(store, found, rest["refit"], material=material, progress=bar)
    if rest["as_json"]:
        print_json({"path": str(store.folder), **found})
    else:
        _say(found)


def _tracked(wanted: bool | None) -> bool:
    return bool(os.environ.get("MLFLOW_TRACKING_URI")) if wanted is None else wanted


def _agent(image: str) -> Any:
    """Return the agent to put beside containers: its settings come from the environment."""
    if not image:
        return None
    from autonoe.credentials.settings import AgentSettings

    try:
        return AgentSettings(), image
    except ValueError as error:
        raise InvalidInputError(
            "The agent's addresses are not in the environment.",
            hint="Run this in a notebook or terminal of the cluster, or leave out --agent-image.",
        ) from error


def _say(found: dict[str, Any]) -> None:
    click.echo(f"{found['id']}: {found['done']} of {found['total']} folds")
    for row in found["candidates"][:_SHOWN]:
        _say_row(row)
    if len(found["candidates"]) > _SHOWN:
        click.echo(f"... and {len(found['candidates']) - _SHOWN} more (--json)")
    if refitted := found.get("refit"):
        click.echo(f"{refitted['id']} trained on all texts, in {refitted['path']}")


def _say_row(row: dict[str, Any]) -> None:
    params = " ".join(f"{name}={value}" for name, value in row["params"].items())
    if not row["whole"]:
        why = f"; {row['errors'][0]['message']}" if row["errors"] else ""
        click.echo(f"{row['candidate']:>4}  {row['folds']} folds done  {params}{why}")
        return
    low, high = row["top1_interval"]
    behind = row.get("behind", {"low": 0.0})
    sure = "" if behind["low"] > 0 or "behind" not in row else "  not told from the best"
    click.echo(
        f"{row['candidate']:>4}  top-1 {row['top1']:.3f} ({low:.3f}-{high:.3f})  "
        f"top-5 {row['top5']:.3f}  {row['train_s']:.0f} s  {params}{sure}"
    )
