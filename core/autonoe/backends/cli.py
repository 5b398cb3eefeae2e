"""``autonoe deploy``: put a registered model behind a REST API, list and end such deployments."""

from __future__ import annotations

import click

from autonoe.backends.base import DeploymentRequest
from autonoe.backends.choice import backend
from autonoe.backends.keys_cli import keys
from autonoe.cli import print_json


@click.group()
def deploy() -> None:
    """Serve registered models behind the platform's address."""


deploy.add_command(keys)


@deploy.command()
@click.argument("name")
@click.option("--model", "model_uri", required=True, help="models:/NAME@ALIAS or models:/NAME/1.")
@click.option("--threshold", default=0.8, show_default=True, help="Confidence for automatic.")
@click.option("--pseudonymise", is_flag=True, help="Log an HMAC of each text, not the text.")
@click.option("--rotate-key", is_flag=True, help="Replace all API keys by a new one.")
@click.option("--wait", "wait_s", default=120.0, show_default=True, help="Seconds until ready.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def create(
    name: str,
    model_uri: str,
    threshold: float,
    pseudonymise: bool,
    rotate_key: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Start or change the deployment NAME; a new API key is shown once."""
    request = DeploymentRequest(name, model_uri, threshold, pseudonymise)
    made = backend().deploy(request, rotate_key=rotate_key, wait_s=wait_s)
    if as_json:
        print_json(made.to_dict())
        return
    click.echo(f"{made.name} is {made.state} at {made.url}v1/predict")
    if made.api_key:
        click.echo(f"API key, shown once: {made.api_key}")


@deploy.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_command(as_json: bool) -> None:
    """Show the account's deployments."""
    found = backend().list()
    if as_json:
        print_json([deployment.to_dict() for deployment in found])
        return
    if not found:
        click.echo("Nothing is deployed. Next: autonoe deploy create NAME --model models:/…")
        return
    for one in found:
        click.echo(
            f"{one.name}  {one.state}  {one.model_uri}  threshold {one.threshold:g}  "
            f"{one.memory_mib:.0f} MiB"
        )
        click.echo(f"  {one.url}")
        if one.detail:
            click.echo(f"  {one.detail}")


@deploy.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def remove(name: str, as_json: bool) -> None:
    """End the deployment NAME and forget its key; its logs stay."""
    backend().undeploy(name)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"{name} is gone; its logs are kept.")
