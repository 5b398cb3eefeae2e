"""``autonoe nace drift``: how far inputs and outputs have moved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe.credentials import session

if TYPE_CHECKING:
    from autonoe_nace.monitoring.selection import Window
    from autonoe_nace.monitoring.source import Logs

_STEP = "{label:<32} {hellinger:>9.3f} {usual:>9.3f} {season:>9} {cramers_v:>9.3f}  {verdict}"


@contextmanager
def opened(source: str | None, deployment: str | None) -> Iterator[Logs]:
    """Open the logs of ``--from`` or of a deployment, with the account's credentials for S3."""
    from autonoe_nace.logs.place import deployment_uri, logs_uri
    from autonoe_nace.monitoring.source import Logs

    with session() if source is None or source.startswith("s3://") else nullcontext():
        uri = source or (deployment_uri(deployment) if deployment else logs_uri())
        logs = Logs(uri)
        try:
            yield logs
        finally:
            logs.close()


def window_of(text: str, logs: Logs) -> Window:
    """Return the days that ``text`` names; ``7d`` ends with the last day that has logs."""
    from autonoe_nace.monitoring.selection import Window

    span = logs.span()
    return Window.parse(text, today=span.last if span else datetime.now(UTC).date())


def logs_options(command: Any) -> Any:
    """Add the options that say which logs are meant."""
    for option in (
        click.option("--deployment", help="Only this deployment of the account."),
        click.option(
            "--from",
            "source",
            metavar="URI",
            help="Where the ETL wrote to: s3://… or a folder; the account's own when left out.",
        ),
    ):
        command = option(command)
    return command


@click.command()
@logs_options
@click.option("--after", default="7d", show_default=True, help="The days in question.")
@click.option("--before", help="Reference; the four weeks before by default.")
@click.option("--variable", "variables", multiple=True, help="Only this one. May be repeated.")
@click.option("--nomenclature", default="", help="Of the codes; found out by default.")
@click.option(
    "--details/--no-details", default=True, help="Read words and side variables too (slower)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def drift(
    source: str | None,
    deployment: str | None,
    after: str,
    before: str | None,
    variables: tuple[str, ...],
    nomenclature: str,
    details: bool,
    as_json: bool,
) -> None:
    """Show how far inputs and outputs have moved, beside how far they move anyway.

    Days are written 2026-01-01..2026-03-31, or 7d for the last seven days with logs.
    """
    from autonoe_nace.monitoring import Selection, nomenclature_of
    from autonoe_nace.monitoring import drift as measure

    with opened(source, deployment) as logs:
        later = window_of(after, logs)
        earlier = window_of(before, logs) if before else _four_weeks(later)
        found = measure(
            logs,
            earlier,
            later,
            tree=nomenclature_of(logs, nomenclature),
            selection=Selection(deployment=deployment),
            variables=variables,
            details=details,
        )
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['before']} against {found['after']}")
    heads = ("Hellinger", "usual", "last year", "Cramér V")
    click.echo(f"{'':<32} " + " ".join(f"{head:>9}" for head in heads))
    for row in found["variables"]:
        click.echo(
            _STEP.format(
                label=row["label"][:32],
                hellinger=row["distances"]["hellinger"],
                usual=row["baseline"]["hellinger"],
                season=f"{row['season_usual']['hellinger']:.3f}" if row["season_usual"] else "",
                cramers_v=row["distances"]["cramers_v"],
                verdict=row["verdict"],
            )
        )


def _two(before: str | None, after: str | None, span: Any) -> Any:
    """Return the two windows that were named, or None when neither was."""
    from autonoe_nace.monitoring import Window
    from autonoe_nace.monitoring.selection import last_two

    if span is None or not (before or after):
        return None
    pair = last_two(span)
    last = pair[1] if pair else span
    second = Window.parse(after, today=span.last) if after else last
    first = Window.parse(before, today=second.before().last) if before else second.before()
    return first, second


def _own_gold() -> str | None:
    """Return where the account's gold standard lies when there is one already."""
    from autonoe.errors import NotFoundError
    from autonoe_nace.monitoring.gold import own_gold, read_gold

    place = own_gold()
    try:
        if place:
            read_gold(place)
    except NotFoundError:
        return None
    return place


def _four_weeks(later: Any) -> Any:
    from datetime import timedelta

    from autonoe_nace.monitoring import Window

    end = later.first - timedelta(days=1)
    return Window(end - timedelta(days=27), end)


@click.command()
@logs_options
@click.option(
    "--html",
    "target",
    required=True,
    metavar="OUT",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write: one file that needs no server and no network.",
)
@click.option(
    "--gold",
    metavar="URI",
    help="Gold standard, s3://… or a folder; the account's own with the account's own logs.",
)
@click.option(
    "--threshold",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Where the slider starts.",
)
@click.option("--nomenclature", default="", help="Of the codes; found out by default.")
@click.option("--window", help="Only these days, such as 90d; all by default.")
@click.option("--before", help="First of two windows to compare; as long, right before the second.")
@click.option("--after", help="Second of them; the last four weeks by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def dashboard(
    source: str | None,
    deployment: str | None,
    target: Path,
    gold: str | None,
    threshold: float,
    nomenclature: str,
    window: str | None,
    before: str | None,
    after: str | None,
    as_json: bool,
) -> None:
    """Write the dashboard as one HTML file.

    Days are written 2026-01-01..2026-03-31, or 7d for the last seven days with logs.
    """
    from autonoe_nace.monitoring import Selection
    from autonoe_nace.monitoring.page import Asked, write_page

    with opened(source, deployment) as logs:
        chosen = window_of(window, logs) if window else None
        asked = Asked(
            gold=gold or (_own_gold() if source is None else None),
            threshold=threshold,
            nomenclature=nomenclature,
            selection=Selection(window=chosen, deployment=deployment),
            windows=_two(before, after, logs.span()),
        )
        found = write_page(logs, target, asked)
    if as_json:
        print_json({"path": str(target), **found})
    else:
        click.echo(f"{found['predictions']:,} predictions of {found['days']:,} days in {target}")
