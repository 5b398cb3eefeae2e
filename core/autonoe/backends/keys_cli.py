"""``autonoe deploy keys``: who may call a deployment, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from autonoe.apikeys import KeyEntry
from autonoe.backends.choice import backend
from autonoe.backends.keys import DeploymentKey, KeyRequest
from autonoe.cli import print_json

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def key_options(command: Any) -> Any:
    """Add the options that say whose a key is, and how much it may ask."""
    for option in (
        click.option(
            "--daily-quota",
            "records_per_day",
            default=0,
            type=click.IntRange(min=0),
            help="Records per day (UTC); the server's default when left out.",
        ),
        click.option(
            "--rate",
            "rate_per_s",
            default=0.0,
            type=click.FloatRange(min=0),
            help="Requests per second; the server's default when left out.",
        ),
        click.option(
            "--label", default="", help="Whose key it is; shown to its holder, and in lists."
        ),
    ):
        command = option(command)
    return command


def echo_table(keys: Iterable[KeyEntry | DeploymentKey]) -> None:
    """Print keys as a table."""
    click.echo("id        created                    requests/s  records/day  label")
    for key in keys:
        rate, quota = (f"{v:g}" if v else "default" for v in (key.rate_per_s, key.records_per_day))
        click.echo(f"{key.id:<8}  {key.created:<25}  {rate:>10}  {quota:>11}  {key.label}")


@click.group()
def keys() -> None:
    """Give, list and revoke the keys of a deployment."""


@keys.command()
@click.argument("name")
@key_options
@_JSON
def add(name: str, label: str, rate_per_s: float, records_per_day: int, *, as_json: bool) -> None:
    """Make one more key for the deployment NAME and print it: this once."""
    made = backend().add_key(name, KeyRequest(label, rate_per_s, records_per_day))
    if as_json:
        print_json(made.to_dict())
        return
    click.echo(made.api_key)
    click.echo(f"It is key {made.id}, and is not shown again.", err=True)


@keys.command("list")
@click.argument("name")
@_JSON
def list_command(name: str, *, as_json: bool) -> None:
    """List the keys of the deployment NAME, without the keys themselves."""
    found = backend().keys(name)
    if as_json:
        print_json([key.to_dict() for key in found])
    else:
        echo_table(found)


@keys.command()
@click.argument("name")
@click.argument("key_id")
@_JSON
def revoke(name: str, key_id: str, *, as_json: bool) -> None:
    """Take the key KEY_ID of the deployment NAME away."""
    backend().revoke_key(name, key_id)
    if as_json:
        print_json({"revoked": key_id})
    else:
        click.echo(f"{key_id} is revoked.")
