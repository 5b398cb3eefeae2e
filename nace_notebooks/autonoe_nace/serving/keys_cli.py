"""``autonoe nace keys``: who may call an API, and how much."""

from __future__ import annotations

from pathlib import Path

import click

from autonoe import apikeys
from autonoe.backends.keys_cli import echo_table, key_options
from autonoe.cli import print_json
from autonoe.errors import NotFoundError

_FILE = click.option(
    "--key-file",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of hashed keys, as given to autonoe nace serve.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group()
def keys() -> None:
    """Create, list and revoke the keys of a served API; a server sees changes within a second."""


@keys.command()
@_FILE
@key_options
@_JSON
def create(
    key_file: Path, label: str, rate_per_s: float, records_per_day: int, *, as_json: bool
) -> None:
    """Make a key and print it: this once, for only its hash is kept."""
    key, entry = apikeys.mint(label=label, rate_per_s=rate_per_s, records_per_day=records_per_day)
    with apikeys.editing(key_file) as entries:
        entries.append(entry)
    if as_json:
        print_json({"key": key, **_shown(entry)})
    else:
        click.echo(key)
        click.echo(f"It is key {entry.id}, and is not shown again.", err=True)


@keys.command(name="list")
@_FILE
@_JSON
def list_keys(key_file: Path, *, as_json: bool) -> None:
    """List the keys of a file, without the keys themselves."""
    entries = apikeys.read(key_file)
    if as_json:
        print_json({"keys": [_shown(entry) for entry in entries]})
        return
    echo_table(entries)


@keys.command()
@click.argument("key_id")
@_FILE
@_JSON
def revoke(key_id: str, key_file: Path, *, as_json: bool) -> None:
    """Take the key KEY_ID away."""
    with apikeys.editing(key_file) as entries:
        kept = [entry for entry in entries if entry.id != key_id]
        if len(kept) == len(entries):
            raise NotFoundError(
                f"There is no key {key_id} in {key_file.name}.",
                hint="autonoe nace keys list shows their ids.",
            )
        entries[:] = kept
    if as_json:
        print_json({"revoked": key_id})
    else:
        click.echo(f"{key_id} is revoked; servers refuse it within a second.")


def _shown(entry: apikeys.KeyEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "label": entry.label,
        "created": entry.created,
        "requests_per_second": entry.rate_per_s or None,
        "records_per_day": entry.records_per_day or None,
    }
