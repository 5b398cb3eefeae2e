"""``autonoe nace replay``: give logged answers again and compare."""

from __future__ import annotations

from pathlib import Path

import click

from autonoe.cli import print_json


@click.command()
@click.argument("logs")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Folder of the model; else the registry."
)
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Folder where fetched models are kept."
)
@click.option("--request-id", default="", help="Only this request.")
@click.option("--day", default="", metavar="YYYY-MM-DD", help="Only this UTC day.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many answers.")
@click.option(
    "--tolerance",
    default=1e-6,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Largest difference of a probability that counts as none.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def replay(
    logs: str,
    model: Path | None,
    cache: Path | None,
    request_id: str,
    day: str,
    limit: int | None,
    tolerance: float,
    as_json: bool,
) -> None:
    """Give the answers in LOGS again, by the models that gave them, and compare.

    LOGS is a file or folder of JSON lines, a Parquet file, or a folder or s3:// prefix of Parquet
    files by day. The exit code is 1 when an answer differs or none could be replayed.
    """
    from autonoe_nace.replay import from_folder, from_registry, read_rows
    from autonoe_nace.replay import replay as run

    if model is not None:
        source = from_folder(model)
    else:
        from autonoe_nace.registry.checks import default_cache

        source = from_registry(cache or default_cache())
    rows = read_rows(logs, request_id=request_id, day=day, limit=limit)
    report = run(rows, source, tolerance=tolerance)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo("\n".join(report.lines()))
    if not report.passed:
        raise click.exceptions.Exit(1)
