"""``autonoe credentials``: run a command with an account's credentials, or look at them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click
import urllib3

from autonoe.cli import print_json
from autonoe.credentials.session import session
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.layout import Layout, default_data_dir
from autonoe.errors import InvalidInputError, UnavailableError

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@click.group()
def credentials() -> None:
    """Use an account's credentials outside a notebook."""


@credentials.command("exec", context_settings={"ignore_unknown_options": True})
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the platform. [default: $AUTONOE_DATA_DIR or ~/.local/share/autonoe]",
)
@click.option("--account", required=True, help="Whose credentials.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(data_dir: Path | None, account: str, command: tuple[str, ...]) -> None:
    """Run COMMAND with the credentials of an account, which renew beside it.

    Example: autonoe credentials exec --account alice -- python job.py
    """
    layout = Layout(data_dir or default_data_dir())
    settings = AgentSettings.for_account(layout, account)
    # A person's own home is none of the agent's business.
    home = layout.home(account)
    with session(settings, home=home if Path.home() == home else None):
        code = _run(list(command))
    sys.exit(code)


@credentials.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def status(as_json: bool) -> None:
    """Show whose credentials this terminal has, and how long they last."""
    url, token = os.environ.get("AUTONOE_AGENT_URL"), os.environ.get("VAULT_TOKEN")
    if not url or not token:
        raise InvalidInputError(
            "This terminal has no credentials of Autonoe.",
            hint="Open a terminal in JupyterLab, or use `autonoe credentials exec`.",
        )
    try:
        answer = urllib3.PoolManager(retries=False, timeout=5).request(
            "GET", f"{url}/status", headers={"Authorization": token}
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            "The server that keeps this terminal's credentials is gone.",
            hint="Open a new terminal.",
        ) from error
    if answer.status != 200:
        raise UnavailableError("The credential agent refuses this terminal: open a new one.")
    document: dict[str, Any] = answer.json()
    if as_json:
        print_json(document)
        return
    s3 = document["s3"]
    click.echo(f"Account   {document['account']}")
    click.echo(f"Buckets   {', '.join(_buckets(document))}")
    click.echo(f"Secrets   {document['secrets_path']}")
    click.echo(f"S3 keys   {s3['seconds_left'] // 60} min left, renewed {s3['renewals']} times")
    if s3["error"]:
        click.echo(f"Warning   {s3['error']['message']}", err=True)


def _buckets(document: dict[str, Any]) -> list[str]:
    buckets = document["buckets"]
    return [buckets["own"], *buckets["projects"], f"{buckets['public']} (read only)"]


def _run(command: list[str]) -> int:
    """Run ``command`` to its end, passing signals on; return its status as a shell would."""
    try:
        child = subprocess.Popen(command)
    except OSError as error:
        raise InvalidInputError(
            f"{command[0]} cannot be run: {error.strerror}.", hint="Give the program's full path."
        ) from error

    def forward(number: int, frame: FrameType | None) -> None:
        # Ctrl-C in a terminal reaches the whole group by itself: once is enough.
        if number != signal.SIGINT or not sys.stdin.isatty():
            child.send_signal(number)

    previous = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        code = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code
