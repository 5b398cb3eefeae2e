"""``autonoe platform``: plan, install and check what a hub on Kubernetes rests on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe.identity.client import OpenBaoClient
from autonoe.kubernetes.client import Cluster
from autonoe.platform import catalogue, connect, preconditions
from autonoe.platform.health import PartHealth
from autonoe.platform.helm import Helm
from autonoe.platform.install import Platform
from autonoe.platform.plan import Step
from autonoe.platform.site import Site, load_site

_SIGNS = {"install": "+", "upgrade": "~", "repair": "!", "keep": "="}
_MARKS = {"healthy": "✓", "waiting": "…", "unhealthy": "✗", "missing": "-"}


@click.group()
def platform() -> None:
    """Plan, install and check what a hub on Kubernetes rests on."""


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that each subcommand takes, and hand it the platform instead."""

    @wraps(function)
    def run(**given: Any) -> None:
        function(_platform(given), **given)

    for option in reversed(
        (
            click.option("--site", type=click.Path(path_type=Path), help="The site's file, YAML."),
            click.option("--instance", help="Prefix of releases and namespaces. [autonoe]"),
            click.option("--only", multiple=True, help="This part and no other; repeatable."),
            click.option("--without", multiple=True, help="Leave this part out; repeatable."),
            click.option("--chart", "charts", multiple=True, help="NAME=PATH: a copy of a chart."),
            click.option("--values", multiple=True, help="NAME=FILE: one more layer of values."),
            click.option(
                "--folder", type=click.Path(path_type=Path), help="Another list and its values."
            ),
            click.option("--kubeconfig", help="File of the cluster's login."),
            click.option("--context", "context_name", help="Context of the kubeconfig."),
            click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        )
    ):
        run = option(run)
    return run


def _platform(given: dict[str, Any]) -> Platform:
    folder = given.pop("folder") or catalogue.default_folder()
    known = catalogue.load(folder)
    site_file = given.pop("site")
    site = load_site(site_file) if site_file else Site(folder=Path.cwd())
    if instance := given.pop("instance"):
        site = Site.model_validate({**site.model_dump(), "instance": instance})
    for name in given.pop("without"):
        site = site.with_part(known.part(name).name, enabled=False)
    for name in given["only"]:
        site = site.with_part(known.part(name).name, enabled=True)
    for name, path in _pairs(given.pop("charts"), "--chart"):
        site = site.with_part(known.part(name).name, chart=str(Path(path).absolute()))
    for name, path in _pairs(given.pop("values"), "--values"):
        layers = (*site.choice(known.part(name).name).values, str(Path(path).absolute()))
        site = site.with_part(name, values=layers)
    kubeconfig, context = given.pop("kubeconfig") or "", given.pop("context_name") or ""
    helm = Helm.find(kubeconfig=kubeconfig, context=context)
    cluster = Cluster.connect(kubeconfig or None, context=context or None)
    return Platform(known, folder, site, cluster, helm)


def _pairs(given: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name or not value:
            raise InvalidInputError(
                f"{option} takes NAME=PATH, not {text!r}.", hint=f"For example {option} openbao=…"
            )
        pairs.append((name, value))
    return pairs


@platform.command()
@_options
def plan(on: Platform, *, only: tuple[str, ...], as_json: bool) -> None:
    """Say what an installation would do, in order; change nothing."""
    steps = on.plan(only)
    findings = preconditions.check(on.catalogue, on.site, steps, on.cluster, on.helm)
    if as_json:
        print_json(
            {
                "instance": on.site.instance,
                "conditions": [finding.to_dict() for finding in findings],
                "steps": [step.to_dict() for step in steps],
            }
        )
        return
    for finding in findings:
        click.echo(f"{'✓' if finding.met else '✗'} {finding.what}: {finding.detail}")
        if not finding.met and finding.hint:
            click.echo(f"    Next: {finding.hint}")
    for number, step in enumerate(steps, 1):
        _show_step(number, step)
    changing = sum(step.action != "keep" for step in steps)
    click.echo(f"{changing} of {len(steps)} parts would change. Nothing was changed.")


@platform.command()
@_options
def install(on: Platform, *, only: tuple[str, ...], as_json: bool) -> None:
    """Do what the plan says. It can be repeated: what is there and right is left alone."""
    steps = on.plan(only)
    findings = preconditions.check(on.catalogue, on.site, steps, on.cluster, on.helm)
    preconditions.refuse_unmet(findings)
    done = on.install(steps, lambda line: click.echo(line, err=as_json))
    if as_json:
        print_json({"changed": [step.to_dict() for step in done], "parts": len(steps)})
    else:
        click.echo(f"{len(done)} of {len(steps)} parts were changed. Next: autonoe platform check")


@platform.command()
@_options
def check(on: Platform, *, only: tuple[str, ...], as_json: bool) -> None:
    """Say how each part is and what to do next; leaves with 1 when one is not healthy."""
    found = on.check(only)
    if as_json:
        print_json({"parts": [health.to_dict() for health in found]})
    else:
        for health in found:
            _show_health(health)
    if any(health.state != "healthy" for health in found):
        sys.exit(1)


@platform.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@_options
def uninstall(on: Platform, *, only: tuple[str, ...], as_json: bool, yes: bool) -> None:
    """Remove the releases, the last first. Volumes, secrets, namespaces and definitions stay."""
    steps = [step for step in on.plan(only) if step.installed is not None]
    if steps and not yes:
        names = ", ".join(step.wanted.release for step in steps)
        click.confirm(f"Remove {names}? Their volumes and secrets stay.", abort=True, err=True)
    removed = on.uninstall(steps, lambda line: click.echo(line, err=as_json))
    if as_json:
        print_json({"removed": removed})
    else:
        click.echo(f"{len(removed)} parts were removed.")


@platform.command("connect")
@click.option(
    "--openbao-url",
    required=True,
    help="OpenBao as this machine reaches it, such as a port-forward's http://127.0.0.1:8200.",
)
@click.option("--kubernetes-host", default="", help="API server, for an OpenBao outside of it.")
@click.option(
    "--kubernetes-ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate of the API server's authority, with --kubernetes-host.",
)
@click.option("--inside-url", default="", help="OpenBao as pods reach it. [its Service]")
@click.option("--user-prefix", default="u-", show_default=True, help="Of people's namespaces.")
@click.option("--project-prefix", default="p-", show_default=True, help="Of projects'.")
@_options
def connect_command(
    on: Platform,
    *,
    only: tuple[str, ...],
    as_json: bool,
    openbao_url: str,
    kubernetes_host: str,
    kubernetes_ca: Path | None,
    inside_url: str,
    user_prefix: str,
    project_prefix: str,
) -> None:
    """Introduce an unsealed OpenBao to the cluster; the administrator's token is in BAO_TOKEN."""
    del only  # it is about one part
    token = os.environ.get("BAO_TOKEN", "")
    if not token:
        raise InvalidInputError(
            "BAO_TOKEN holds no token.",
            hint="read -rs BAO_TOKEN; export BAO_TOKEN: then no history keeps it.",
        )
    if bool(kubernetes_host) != (kubernetes_ca is not None):
        raise InvalidInputError("--kubernetes-host and --kubernetes-ca go together.")
    known = connect.identity(
        on.site,
        inside_url or f"http://openbao.{on.site.instance}-platform.svc:8200",
        (user_prefix, project_prefix),
        kubernetes_host=kubernetes_host,
        kubernetes_ca=kubernetes_ca.read_text() if kubernetes_ca else "",
    )
    client = OpenBaoClient(openbao_url.rstrip("/"), token=token)
    written = connect.connect(client, on.cluster, known)
    if as_json:
        print_json({"keys": list(written)})
        return
    click.echo("OpenBao knows this cluster: pods of people, of projects and of the controller.")
    click.echo(f"Keys written for: {', '.join(written) or 'no service of this list'}.")


def _show_step(number: int, step: Step) -> None:
    want = step.wanted
    version = f"{want.label} ({want.part.title} {want.part.app_version})"
    click.echo(f"{number:>2} {_SIGNS[step.action]} {step.action:<8} {want.part.name}: {version}")
    click.echo(f"      {step.reason} {want.part.why}")
    click.echo(f"      release {want.release} in {want.namespace}")
    for secret in want.part.secrets:
        click.echo(f"      needs the secret {secret.name}, made at random if it is not there")
    for note in step.notes:
        click.echo(f"      Note: {note}")
    if step.action != "keep":
        click.echo(f"      {want.command()}")


def _show_health(health: PartHealth) -> None:
    click.echo(f"{_MARKS[health.state]} {health.part}: {health.state}")
    for detail in health.details:
        click.echo(f"    {detail}")
    if health.next_step:
        click.echo(f"    Next: {health.next_step}")
