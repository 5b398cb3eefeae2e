"""``autonoe nace etl``: bring a deployment's logs into the object store."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from autonoe.backends import backend
from autonoe.cli import print_json
from autonoe.credentials import session
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_schedule import schedule_options
from autonoe_nace.logs import etl as etl_module
from autonoe_nace.logs.place import deployment_uri


@click.command()
@click.option("--deployment", help="Name of a deployment of this account.")
@click.option("--from", "folder", type=click.Path(path_type=Path), help="A folder of logs instead.")
@click.option("--to", "target", help="s3://… or a folder; the account's bucket when left out.")
@schedule_options("5 * * * *", instead="running")
@click.option("--claim", default="", help="Volume claim that holds --from, for the CronJob.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def etl(
    deployment: str | None,
    folder: Path | None,
    target: str | None,
    as_json: bool,
    **scheduled: Any,
) -> None:
    """Turn prediction logs into Parquet by day; safe to repeat at any time."""
    if (deployment is None) == (folder is None):
        raise click.UsageError("Give either --deployment or --from.")
    if folder is not None and target is None:
        raise click.UsageError("--from needs --to.")
    if scheduled["schedule"] == "crontab":
        _print_line(deployment, folder, target, scheduled)
        return
    if scheduled["schedule"]:
        _print_job(folder, target or "", scheduled)
        return
    report = _bring(deployment, folder, target)
    if as_json:
        print_json(report.as_dict())
    elif report.busy:
        click.echo("Another run is at work; nothing to do.")
    else:
        click.echo(
            f"{report.new:,} new predictions from {report.segments:,} files; "
            f"{report.duplicates:,} duplicates, {report.corrupt:,} corrupt lines set aside."
        )


def _bring(deployment: str | None, folder: Path | None, target: str | None) -> etl_module.EtlReport:
    to_store = target is None or target.startswith("s3://")
    with session() if to_store else nullcontext():
        if deployment is not None:
            place = target or deployment_uri(deployment)
            return etl_module.bring(backend().get(deployment), place)
        assert folder is not None  # noqa: S101  one of the two is given
        assert target is not None  # noqa: S101  as above
        return etl_module.run(folder, target)


def _print_line(
    deployment: str | None, folder: Path | None, target: str | None, scheduled: dict[str, Any]
) -> None:
    from autonoe_nace.clockwork import crontab

    # cron starts in the home folder, not in this one
    options = ["--deployment", deployment] if deployment else []
    options += ["--from", str(folder.absolute())] if folder else []
    if target:
        options += ["--to", target if "://" in target else str(Path(target).absolute())]
    click.echo(crontab(scheduled["cron"], options, verb=("etl",), account=scheduled["account"]))


def _print_job(folder: Path | None, target: str, scheduled: dict[str, Any]) -> None:
    import yaml

    from autonoe.credentials.settings import AgentSettings
    from autonoe_nace.logs.schedule import cronjob

    if folder is None:
        raise InvalidInputError(
            "On a cluster the pods of a deployment send their logs by themselves.",
            hint="For a server of your own: --from FOLDER --claim NAME --to s3://BUCKET/PREFIX.",
        )
    if not scheduled["claim"]:
        raise InvalidInputError(
            "A CronJob finds the folder on a volume only.", hint="Name its claim: --claim NAME."
        )
    agent = scheduled["agent_image"]
    job = cronjob(
        scheduled["cron"],
        claim=scheduled["claim"],
        folder=str(folder),
        target=target,
        image=scheduled["image"],
        agent_image=agent,
        settings=AgentSettings() if agent else None,
    )
    click.echo(yaml.safe_dump(job, sort_keys=False), nl=False)
