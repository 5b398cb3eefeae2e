"""``autonoe nace retrain``: by hand, by the clock, or by what an alert starts."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.errors import AutonoeError, InvalidInputError

_OPTIONS = (
    click.option("--gold", help="Place of the annotation rounds; the account's bucket."),
    click.option("--name", default="", help="Registered model; nace-ACCOUNT when left out."),
    click.option("--nomenclature", default="ateco2025", show_default=True, help="Name or file."),
    click.option("--data", default="", help="Labelled texts to learn besides gold; ATECO 2025."),
    click.option("--text-column", default="text", show_default=True, help="Column of the texts."),
    click.option("--code-column", default="code", show_default=True, help="Column of the codes."),
    click.option("--where", "conditions", multiple=True, help="Rows of --data: COLUMN=VALUE."),
    click.option("--feature-column", "features", multiple=True, help="A side variable to learn."),
    click.option("--labels", multiple=True, help="A file of new labels. May be repeated."),
    click.option("--extra", multiple=True, help="More material, such as explanatory notes."),
    click.option("--extra-where", "extra_conditions", multiple=True, help="Rows of --extra."),
    click.option(
        "--param",
        "given",
        multiple=True,
        metavar="NAME=VALUE",
        help="A training parameter, such as epoch=50. May be repeated.",
    ),
    click.option(
        "--gate-share",
        default=0.5,
        show_default=True,
        help="Part of the gold texts that only judges.",
    ),
    click.option(
        "--weighting",
        type=click.Choice(["plain", "weighted"]),
        default="plain",
        show_default=True,
        help="Learn each gold text once, or as often as it stands for others.",
    ),
    click.option(
        "--alias", default="champion", show_default=True, help="The alias that servers follow."
    ),
    click.option("--because", default="by hand", show_default=True, help="What started it."),
    click.option("--force-reason", default="", help="Promote whatever the gate says; recorded."),
    click.option(
        "--work",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder in which a killed run is found again.",
    ),
)
_NOT_IN_A_SCHEDULE = {"because", "force_reason", "work"}


def _options(command: Any) -> Any:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command()
@_options
@click.option(
    "--every", type=click.FloatRange(min=0, min_open=True), help="Run again after so many hours."
)
@click.option(
    "--schedule",
    type=click.Choice(["crontab", "kubernetes"]),
    help="Print a line for cron, or a CronJob, instead of running.",
)
@click.option("--cron", default="0 3 * * 1", show_default=True, help="When, for --schedule.")
@click.option("--image", default="autonoe/nace", show_default=True, help="Image of the CronJob.")
@click.option("--agent-image", default="", help="Image of the credential agent beside it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def retrain(
    every: float | None,
    schedule: str | None,
    cron: str,
    image: str,
    agent_image: str,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Train a challenger on gold and new labels; it becomes champion if gold says it is better.

    Part of the gold texts judges and is never learned. A run that was killed goes on where it
    stopped, and one without new labels does nothing.
    """
    if schedule:
        _print_schedule(schedule, cron, image, agent_image, chosen)
        return
    if every is None:
        _show(_once(chosen), as_json)
        return
    _repeat(every * 3_600, chosen, as_json)


def _once(chosen: dict[str, Any]) -> dict[str, Any]:
    from autonoe_nace.annotation.store import gold_uri
    from autonoe_nace.retraining.plan import RetrainPlan, default_work
    from autonoe_nace.retraining.run import retrain as run

    with _access():
        settings = {**chosen, "params": _params(chosen["given"])}
        del settings["given"]
        settings["gold"] = settings["gold"] or gold_uri()
        settings["work"] = settings["work"] or default_work()
        return run(RetrainPlan(**settings), say=lambda text: click.echo(text, err=True))


def _repeat(pause_s: float, chosen: dict[str, Any], as_json: bool) -> None:
    """Run again and again until SIGTERM; a run that fails is told and tried at the next turn."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        try:
            _show(_once({**chosen, "because": f"every {pause_s / 3_600:g} hours"}), as_json)
        except AutonoeError as error:
            click.echo(f"Not retrained: {error.message}", err=True)
        sys.stdout.flush()
        stop.wait(pause_s)


def _show(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    verdict = "promoted" if done["promoted"] else "not promoted"
    click.echo(f"Version {done['version']} of {done['name']} {verdict}. {done['message']}")
    click.echo(f"Report: {done['report']}")


def _print_schedule(
    kind: str, cron: str, image: str, agent_image: str, chosen: dict[str, Any]
) -> None:
    import yaml

    from autonoe_nace.clockwork import crontab
    from autonoe_nace.retraining.schedule import cronjob

    arguments = _arguments({**chosen, "because": "by schedule"})
    if kind == "crontab":
        click.echo(crontab(cron, arguments, verb=("retrain",)))
        return
    manifest = cronjob(
        cron,
        arguments,
        name=chosen["name"] or "nace",
        image=image,
        agent_image=agent_image,
        settings=_settings() if agent_image else None,
    )
    click.echo(yaml.safe_dump(manifest, sort_keys=False), nl=False)


def _arguments(chosen: dict[str, Any]) -> list[str]:
    """Return the options that differ from their defaults, as they are typed."""
    command = retrain
    arguments: list[str] = []
    for option in command.params:
        name = str(option.name)
        value = chosen.get(name)
        if name in _NOT_IN_A_SCHEDULE - {"because"} or value in (None, "", ()):
            continue
        if value == option.default:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            arguments += [option.opts[0], str(one)]
    return arguments


def _params(given: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInputError(
                f"{text!r} is no training parameter.", hint="For example --param epoch=50"
            )
        found[name.replace("-", "_")] = value
    return found


def _settings() -> Any:
    from autonoe.credentials.settings import AgentSettings

    return AgentSettings()


def _access() -> AbstractContextManager[object]:
    """Return the account's credentials where there are any: MLflow and the store want them."""
    import os

    from autonoe.credentials import session

    return session() if os.environ.get("AUTONOE_PROOF_FILE") else nullcontext()
