"""``autonoe users add|link|remove|list``: accounts of a classroom server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.embedded.cli import data_dir_option, json_option
from autonoe.embedded.layout import Layout

_HOUR_S = 3600


@click.group()
def users() -> None:
    """Add, list and remove the accounts of a shared platform."""


ttl_option = click.option(
    "--link-hours",
    type=click.FloatRange(min=0.01, max=24 * 31),
    default=24.0,
    show_default=True,
    help="Hours for which the link is good.",
)


@users.command()
@click.argument("name")
@click.option("--group", "groups", multiple=True, help="Project of the account; may be repeated.")
@click.option("--no-group", is_flag=True, help="Take the account out of all projects.")
@click.option("--mail", help="Address for the person's Git identity.")
@ttl_option
@data_dir_option
@json_option
def add(
    name: str,
    groups: tuple[str, ...],
    no_group: bool,
    mail: str | None,
    link_hours: float,
    data_dir: Path,
    as_json: bool,
) -> None:
    """Make the account NAME and print a link for it that works once.

    For an account that exists, this changes its groups, if some are given, and prints a new link.
    """
    from autonoe.embedded import roster

    if groups and no_group:
        raise click.UsageError("--group and --no-group exclude each other.")
    added = roster.add(
        Layout(data_dir.absolute()),
        name,
        groups=groups if groups or no_group else None,
        mail=mail,
        ttl_s=round(link_hours * _HOUR_S),
    )
    account = added.account
    if as_json:
        print_json(
            {
                "name": account.name,
                "uid": account.uid,
                "groups": account.groups,
                "buckets": account.buckets,
                "link": added.link,
                "link_ttl_s": added.link_ttl_s,
            }
        )
        return
    click.echo(f"{account.name} may use the buckets {', '.join(account.buckets)}.")
    _print_link(account.name, added.link, link_hours)


@users.command()
@click.argument("name")
@ttl_option
@data_dir_option
@json_option
def link(name: str, link_hours: float, data_dir: Path, as_json: bool) -> None:
    """Print a new link for the account NAME that works once."""
    from autonoe.embedded import roster

    ttl_s = round(link_hours * _HOUR_S)
    address = roster.link(Layout(data_dir.absolute()), name, ttl_s=ttl_s)
    if as_json:
        print_json({"name": name, "link": address, "link_ttl_s": ttl_s})
    else:
        _print_link(name, address, link_hours)


@users.command()
@click.argument("name")
@click.option("--delete-data", is_flag=True, help="Delete its files, objects and secrets.")
@click.option("--confirm", metavar="NAME", help="Confirms --delete-data without a question.")
@data_dir_option
@json_option
def remove(
    name: str, delete_data: bool, confirm: str | None, data_dir: Path, as_json: bool
) -> None:
    """End the account NAME: stop its server, revoke its identity. Its data stays.

    With --delete-data its home, bucket, secrets and models go too, for good.
    """
    from autonoe.embedded import roster

    if delete_data and confirm is None:
        click.echo(f"The files, objects, secrets and models of {name} will be deleted.", err=True)
        confirm = click.prompt("Type the account's name to go on", err=True)
    if delete_data and confirm != name:
        raise click.UsageError(f"{confirm!r} is not {name!r}; nothing was deleted.")
    account = roster.remove(Layout(data_dir.absolute()), name, delete_data=delete_data)
    if as_json:
        print_json({"name": account.name, "removed": True, "data_deleted": delete_data})
    else:
        rest = "with its data" if delete_data else "its data is kept for an account of this name"
        click.echo(f"{account.name} is removed; {rest}.")


@users.command("list")
@data_dir_option
@json_option
def list_(data_dir: Path, as_json: bool) -> None:
    """List the accounts, their groups and whether their server runs."""
    from autonoe.embedded import roster

    people = roster.listing(Layout(data_dir.absolute()))
    if as_json:
        print_json(people)
    else:
        _show(people)


def _show(people: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("Account", "UID", "Groups", "Server", "Last activity", box=None)
    for person in people:
        owner = " (owner)" if person["owner"] else ""
        cells = (
            person["name"] + owner,
            "the platform's" if person["uid"] is None else str(person["uid"]),
            ", ".join(person["groups"]) or "-",
            person["server"],
            person["last_activity"] or "-",
        )
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)


def _print_link(name: str, address: str, hours: float) -> None:
    click.echo(f"Link for {name}; it works once, within {hours:g} h:\n\n  {address}\n")
