"""``autonoe nace monitor``: the dashboard's figures in a terminal."""

from __future__ import annotations

from typing import Any

import click

from autonoe.cli import print_json
from autonoe_nace.monitoring.cli import logs_options, opened, window_of


@click.command()
@logs_options
@click.option(
    "--at",
    "threshold",
    default=0.8,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Threshold of the confidence index that the automatic share is counted by.",
)
@click.option("--under", default="", metavar="CODE", help="Look inside this code; sections first.")
@click.option("--window", help="Only these days, such as 90d; all by default.")
@click.option("--version", help="Only what this version of the model answered.")
@click.option(
    "--most",
    default=10,
    show_default=True,
    type=click.IntRange(min=1),
    help="Codes to name in each list; days, the last ones.",
)
@click.option("--nomenclature", default="", help="Of the codes; found out by default.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, with all days.")
def monitor(
    source: str | None,
    deployment: str | None,
    threshold: float,
    under: str,
    window: str | None,
    version: str | None,
    most: int,
    nomenclature: str,
    as_json: bool,
) -> None:
    """Show requests by day, the automatic share, codes, latency, errors and versions.

    Days are written 2026-01-01..2026-03-31, or 7d for the last seven days with logs.
    """
    from autonoe_nace.monitoring import Selection, nomenclature_of
    from autonoe_nace.monitoring.overview import overview

    with opened(source, deployment) as logs:
        chosen = window_of(window, logs) if window else None
        found = overview(
            logs,
            nomenclature_of(logs, nomenclature),
            threshold=threshold,
            under=under,
            selection=Selection(window=chosen, deployment=deployment, version=version),
            n=most,
        )
    if as_json:
        print_json(found)
        return
    _say(found, most)


def _say(found: dict[str, Any], most: int) -> None:
    at = f"{found['threshold']:.2f}"
    n = sum(day["predictions"] for day in found["days"])
    click.echo(
        f"{n:,} predictions from {found['first']} to {found['last']}; at {at}, "
        f"{_share(found['automatic'])} coded automatically"
    )
    latency = ", ".join(f"{name} {value:.1f}" for name, value in found["latency_ms"].items())
    click.echo(f"Latency of requests in ms: {latency}")
    heads = ("Requests", "Predictions", "Errors", "p50 ms", "p99 ms")
    click.echo(f"\n{'Day (UTC)':<12}" + "".join(f"{head:>13}" for head in heads) + "  Automatic")
    for day in found["days"][-most:]:
        counts = "".join(f"{day[name]:>13,}" for name in ("requests", "predictions", "errors"))
        times = "".join(f"{day[f'latency_{name}_ms']:>13.1f}" for name in ("p50", "p99"))
        click.echo(f"{day['date']!s:<12}{counts}{times}  {_share(day['automatic'])}")
    inside = f"Inside {found['under']}" if found["under"] else "Sections"
    for title, rows in (
        (inside, found["codes"]),
        ("Hardest", found["hardest"]),
        ("Rarest", found["rarest"]),
    ):
        click.echo(f"\n{title}")
        for row in rows if title == inside else rows[:most]:
            click.echo(
                f"  {row['code']:<10}{row['n']:>9,}  {_share(row['automatic']):<24}"
                f"{row['title'][:60]}"
            )
    click.echo("\nVersions")
    for row in found["versions"]:
        click.echo(
            f"  {row['version']:<10}{row['predictions']:>9,}  {_share(row['automatic']):<24}"
            f"{row['deployment']}, {row['first']} to {row['last']}"
        )
    for row in found["errors"]:
        click.echo(f"Refused as {row['error']}: {row['n']:,} ({_share(row['share'])})")


def _share(rate: dict[str, float] | None) -> str:
    if not rate or not rate["n"]:
        return ""
    value, low, high = (100 * rate[name] for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"
