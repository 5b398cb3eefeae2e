"""``autonoe nace etl``: bring a deployment's logs into the object store."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from autonoe.backends import backend
from autonoe.cli import print_json
from autonoe.credentials import session
from autonoe_nace.logs import etl as etl_module
from autonoe_nace.logs.place import deployment_uri


@click.command()
@click.option("--deployment", help="Name of a deployment of this account.")
@click.option("--from", "folder", type=click.Path(path_type=Path), help="A folder of logs instead.")
@click.option("--to", "target", help="s3://… or a folder; the account's bucket when left out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def etl(deployment: str | None, folder: Path | None, target: str | None, as_json: bool) -> None:
    """Turn prediction logs into Parquet by day; safe to repeat at any time."""
    if (deployment is None) == (folder is None):
        raise click.UsageError("Give either --deployment or --from.")
    if folder is not None and target is None:
        raise click.UsageError("--from needs --to.")
    to_store = target is None or target.startswith("s3://")
    with session() if to_store else nullcontext():
        if deployment is not None:
            place = target or deployment_uri(deployment)
            report = etl_module.bring(backend().get(deployment), place)
        else:
            assert folder is not None  # noqa: S101  one of the two is given
            assert target is not None  # noqa: S101  as above
            report = etl_module.run(folder, target)
    if as_json:
        print_json(report.as_dict())
    elif report.busy:
        click.echo("Another run is at work; nothing to do.")
    else:
        click.echo(
            f"{report.new:,} new predictions from {report.segments:,} files; "
            f"{report.duplicates:,} duplicates, {report.corrupt:,} corrupt lines set aside."
        )
