"""``autonoe nace alerts``: evaluate rules, and read what was found."""

from __future__ import annotations

from pathlib import Path

import click

from autonoe.cli import print_json
from autonoe_nace.cli_schedule import schedule_options
from autonoe_nace.monitoring.cli import logs_options, opened

_FOLDER = click.option(
    "--journal",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of alerts and actions; one of the account by default.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group()
def alerts() -> None:
    """Evaluate alert rules over prediction logs."""


@alerts.command("check")
@click.option(
    "--rules",
    "path",
    required=True,
    metavar="F",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Rules as YAML.",
)
@logs_options
@_FOLDER
@schedule_options("0 6 * * *", instead="checking")
@_JSON
@click.pass_context
def check_rules(
    context: click.Context,
    /,
    path: Path,
    source: str | None,
    deployment: str | None,
    folder: Path | None,
    as_json: bool,
    **scheduled: str | None,
) -> None:
    """Evaluate all rules; the exit code is 1 when one raises an alert."""
    from autonoe_nace.alerts import check, load_rules
    from autonoe_nace.alerts.journal import Journal, default_folder

    rules = load_rules(path)
    if scheduled["schedule"]:
        _print_schedule(path, {"--from": source, "--deployment": deployment}, folder, scheduled)
        return
    with opened(source, deployment) as logs:
        found = check(rules, logs, Journal(folder or default_folder()))
    if as_json:
        print_json(found)
    else:
        for row in found["findings"]:
            mark = f"{row['severity'].upper()} " if row["state"] == "alert" else ""
            click.echo(f"{mark}{row['rule']} ({row['window']}): {row['state']}; {row['message']}")
        for action in found["actions"]:
            until = f" until {action['until']}" if "until" in action else ""
            click.echo(f"{action['action']}: {action['state']}{until}")
    if found["alerts"]:
        context.exit(1)


def _print_schedule(
    rules: Path, where: dict[str, str | None], folder: Path | None, scheduled: dict[str, str | None]
) -> None:
    from autonoe_nace.alerts.schedule import objects
    from autonoe_nace.clockwork import crontab

    options = [part for name, value in where.items() if value for part in (name, value)]
    cron, agent = str(scheduled["cron"]), str(scheduled["agent_image"] or "")
    if scheduled["schedule"] == "crontab":
        # cron starts in the home folder, not in this one
        options += ["--rules", str(rules.absolute())]
        options += ["--journal", str(folder.absolute())] if folder else []
        account = str(scheduled["account"] or "")
        click.echo(crontab(cron, options, verb=("alerts", "check"), account=account))
        return
    import yaml

    from autonoe.credentials.settings import AgentSettings

    made = objects(
        cron,
        options,
        rules=rules.read_text(encoding="utf-8"),
        image=str(scheduled["image"]),
        agent_image=agent,
        settings=AgentSettings() if agent else None,
    )
    click.echo(yaml.safe_dump_all(made, sort_keys=False), nl=False)


@alerts.command("list")
@_FOLDER
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many.")
@_JSON
def list_alerts(folder: Path | None, last: int, as_json: bool) -> None:
    """Show the newest alerts and actions, oldest first."""
    from autonoe_nace.alerts.journal import Journal, default_folder

    entries = Journal(folder or default_folder()).entries()[-last:]
    if as_json:
        print_json({"entries": entries})
        return
    for entry in entries:
        what = entry.get("message") or f"{entry.get('action')}: {entry.get('state')}"
        click.echo(f"{entry['time'][:19]}  {entry.get('severity', ''):<8}  {entry['rule']}: {what}")
