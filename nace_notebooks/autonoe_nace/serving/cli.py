"""``autonoe nace serve``: one model behind a REST API."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import platformdirs

from autonoe import apikeys
from autonoe_nace.logs.store import PART
from autonoe_nace.serving.run import credentials_beside
from autonoe_nace.serving.run import serve as run
from autonoe_nace.serving.settings import MAX_WORKERS, ServingSettings


def _default_state() -> Path:
    return Path(platformdirs.user_state_dir("autonoe")) / "serving"


@click.command()
@click.option("--model", required=True, help="Folder of a model, or models:/NAME@ALIAS.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address; others than loopback need keys.",
)
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="TCP port."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, MAX_WORKERS),
    help="Processes that answer; they share one model's memory.",
)
@click.option("--threshold", default=0.8, show_default=True, help="Confidence for automatic.")
@click.option(
    "--key-file", type=click.Path(path_type=Path), help="Hashed API keys; without it, no key."
)
@click.option("--new-key", is_flag=True, help="Add a key to --key-file and print it, once.")
@click.option(
    "--rate",
    "rate_per_s",
    default=0.0,
    show_default=True,
    help="Requests per second of a key that has no limit of its own; 0 for no limit.",
)
@click.option(
    "--burst", default=0, show_default=True, help="Requests at once; 0 for those of two seconds."
)
@click.option(
    "--daily-quota",
    "records_per_day",
    default=0,
    show_default=True,
    help="Records per day of a key that has no quota of its own; 0 for no limit.",
)
@click.option("--root-path", default="", help="Prefix that a proxy leaves on each path.")
@click.option("--deployment", default="local", show_default=True, help="Name in the logs.")
@click.option(
    "--log/--no-log", "logging", default=True, help="Keep a log of the predictions; on by default."
)
@click.option(
    "--max-pending-logs",
    default=100_000,
    show_default=True,
    type=click.IntRange(1),
    help="Log lines that a worker keeps in memory while the disk is full; more are dropped.",
)
@click.option("--pseudonymise", is_flag=True, help="Log an HMAC of each text, not the text.")
@click.option(
    "--registry-timeout",
    "registry_timeout_s",
    default=60.0,
    show_default=True,
    help="Seconds to fetch a model in.",
)
@click.option(
    "--refresh",
    "refresh_s",
    default=15.0,
    show_default=True,
    help="Seconds between two looks at the alias.",
)
@click.option("--logs-to", default="", help="s3://… or folder: send prediction logs there.")
@click.option("--logs-part", default=PART, help="This server's file in each day of --logs-to.")
@click.option(
    "--pseudonym-secret", is_flag=True, help="Keep the key of pseudonyms in the account's secrets."
)
@click.option(
    "--correspondence",
    metavar="F|ateco|nace",
    default="",
    help="Answer `dual` requests by this table: a CSV or Parquet file, or `ateco` or `nace`.",
)
@click.option(
    "--to",
    "correspondence_to",
    metavar="NAME|F",
    default="",
    help="Version that the file of --correspondence goes to. [default: the official partner]",
)
@click.option(
    "--second-model",
    metavar="DIR",
    default="",
    help="Model of the version to go to, which `dual` answers ask too.",
)
@click.option(
    "--state-dir", type=click.Path(path_type=Path), help="Folder of logs and fetched models."
)
def serve(*, new_key: bool, key_file: Path | None, state_dir: Path | None, **options: Any) -> None:
    """Serve a model over REST on loopback until interrupted."""
    state = state_dir or _default_state() / options["deployment"]
    settings = ServingSettings(key_file=key_file, state_dir=state, **options)
    if new_key:
        if key_file is None:
            raise click.UsageError("--new-key needs --key-file FILE.")
        key, entry = apikeys.mint(label="autonoe nace serve")
        with apikeys.editing(key_file) as entries:
            entries.append(entry)
        click.echo(f"API key, shown once: {key}", err=True)
    # a deployment is told whose it is; its credentials renew beside it
    with credentials_beside() if os.environ.get("AUTONOE_PROOF_FILE") else nullcontext(0) as keeper:
        run(settings, keeper=keeper)
