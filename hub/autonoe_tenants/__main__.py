"""``python -m autonoe_tenants``: run the controller, or print what an administrator applies."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click
import yaml

from autonoe.errors import AutonoeError
from autonoe.tenants.tenancy import Tenancy


@click.group()
def main() -> None:
    """Make and keep the namespaces of people and projects on a cluster."""


@main.command()
@click.option(
    "--settings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="YAML file with the installation's settings.",
)
@click.option("--port", default=8080, show_default=True, help="Port of /healthz and /metrics.")
@click.option("--kubeconfig", default=None, help="Default: the pod's own account, or KUBECONFIG.")
def run(settings: Path, port: int, kubeconfig: str | None) -> None:
    """Run the controller until a signal ends it."""
    from autonoe.kubernetes.client import Cluster
    from autonoe_tenants.controller import Controller
    from autonoe_tenants.enrolment import accounts

    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    # One line for each event of each object would bury what was done.
    for name in ("kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    tenancy = Tenancy.load(settings)
    Controller(Cluster.connect(kubeconfig), tenancy, accounts(tenancy)).run(port=port)


@main.command()
@click.option("--instance", default="autonoe", show_default=True, help="Name of the installation.")
@click.option("--image", required=True, help="Image that holds this program.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="YAML file with further settings; see the guide on tenants.",
)
@click.option(
    "--api-server",
    "api_servers",
    multiple=True,
    help="ADDRESS:PORT of the API server, as `kubectl get endpointslices kubernetes` shows it.",
)
def manifests(
    instance: str, image: str, settings: Path | None, api_servers: tuple[str, ...]
) -> None:
    """Print the controller's objects as YAML, for `kubectl apply --server-side -f -`."""
    from autonoe_tenants.install import manifests as build

    document = {} if settings is None else yaml.safe_load(settings.read_text(encoding="utf-8"))
    given = {
        "instance": instance,
        "hub_namespace": instance,
        "controller_namespace": f"{instance}-tenants",
        "platform_namespace": f"{instance}-platform",
        **(document or {}),
        **({"api_servers": list(api_servers)} if api_servers else {}),
    }
    objects = build(Tenancy.from_dict(given), image=image)
    click.echo(yaml.safe_dump_all(objects, sort_keys=False, allow_unicode=True), nl=False)


if __name__ == "__main__":
    try:
        main(prog_name="python -m autonoe_tenants")
    except AutonoeError as error:
        click.secho(f"Error: {error.message}", fg="red", err=True)
        if error.hint:
            click.echo(f"  Next: {error.hint}", err=True)
        sys.exit(error.exit_code)
