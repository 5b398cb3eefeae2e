"""Who moved which alias, when, why and on what figures: kept as tags and artefacts in MLflow.

Each decision is a tag of its own on the registered model, so that two that are written at once
cannot overwrite each other, and the whole report is an artefact of the version's run.
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

from mlflow import MlflowClient

from autonoe_nace.tracking import mlflow_errors, quiet_client

DECISION_TAG = "autonoe.decision."
PENDING_TAG = "autonoe.intended."
"""Before the name of an alias: the decision that is being, or was last, carried out."""
LAST_TAG = "autonoe.last_decision"
ARTIFACTS = "decisions"

Kind = Literal["register", "promote", "force", "rollback", "refuse", "outside"]

MOVES = ("register", "promote", "force", "rollback", "outside")
"""Kinds after which the alias points to another version."""


@dataclass(frozen=True)
class Decision:
    """One decision about an alias.

    Attributes
    ----------
    id : str
        Sorts by time; also names the artefact with the whole report.
    time : str
        ISO 8601, UTC, to the microsecond; empty for a move that somebody made in MLflow itself.
    kind : str
        ``promote`` (passed the gate), ``force`` (moved for a reason in spite of the gate),
        ``refuse`` (not moved), ``rollback``, ``outside`` (the alias was found elsewhere than the
        last decision left it), ``register`` (moved at registration, nothing compared: only in
        histories of an older Autonoe).
    alias : str
        Such as ``champion``.
    version : str
        The version decided on; the alias points to it unless ``kind`` is ``refuse``.
    previous : str
        The version that the alias pointed to before; empty when there was none.
    by : str
        Account of the person or service.
    reason : str
        In words; always there for ``force`` and ``rollback``.
    figures : dict
        Numbers that it rests on: ``difference``, ``low``, ``high``, ``n``, ``cpu_p99_ms`` ...
    run_id : str
        MLflow run that holds the report, ``decisions/<id>.json``.
    """

    id: str
    time: str
    kind: Kind
    alias: str
    version: str
    previous: str
    by: str
    reason: str = ""
    figures: dict[str, float | str] = field(default_factory=dict)
    run_id: str = ""

    @property
    def report(self) -> str:
        """Path of the whole report among the artefacts of the run."""
        return f"{ARTIFACTS}/{self.id}.json"

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as a plain document."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the decision in one line for a person."""
        what = {
            "register": "registered and moved to",
            "promote": "promoted to",
            "force": "forced to",
            "rollback": "rolled back to",
            "refuse": "refused as",
            "outside": "moved outside Autonoe to",
        }[self.kind]
        parts = [f"Version {self.version} {what} {self.alias}"]
        if self.previous and self.kind != "refuse":
            parts.append(f"in place of {self.previous}")
        if self.by:
            parts.append(f"by {self.by} on {self.time[:16].replace('T', ' ')} UTC")
        if {"difference", "low", "high", "n"} <= self.figures.keys():
            values = {key: float(self.figures[key]) for key in ("difference", "low", "high", "n")}
            parts.append(
                "(top-1 {difference:+.3f}, {low:+.3f} to {high:+.3f}, n {n:,.0f})".format(**values)
            )
        return " ".join(parts) + (f": {self.reason}" if self.reason else ".")


def new(kind: Kind, *, alias: str, version: str, previous: str, **more: Any) -> Decision:
    """Return a decision of now, by the account that this process works for."""
    return restamped(
        Decision("", "", kind, alias, version, previous=previous, by=account(), **more)
    )


def restamped(decision: Decision) -> Decision:
    """Return ``decision`` with the time of now and an id to match."""
    now = datetime.now(UTC)
    return replace(
        decision,
        id=f"{now:%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(3)}",
        time=now.isoformat(timespec="microseconds"),
    )


def account() -> str:
    """Return the name under which decisions of this process are recorded."""
    known = os.environ.get("AUTONOE_ACCOUNT") or os.environ.get("JUPYTERHUB_USER")
    return known or getpass.getuser()


def record(client: MlflowClient, name: str, decision: Decision) -> Decision:
    """Write ``decision`` to the registered model ``name``.

    Writing the same decision again changes nothing.
    """
    client.set_registered_model_tag(name, DECISION_TAG + decision.id, encode(decision))
    client.set_model_version_tag(name, decision.version, LAST_TAG, decision.sentence()[:4_000])
    return decision


def log_report(
    client: MlflowClient, name: str, decision: Decision, report: dict[str, Any]
) -> Decision:
    """Write the whole report to the version's run; return ``decision`` with the run's id."""
    if not decision.run_id:
        entry = client.get_model_version(name, decision.version)
        decision = replace(decision, run_id=str(entry.run_id or ""))
    if decision.run_id:
        document = {**report, "decision": decision.to_dict()}
        client.log_dict(decision.run_id, document, decision.report)
    return decision


def encode(decision: Decision) -> str:
    """Return ``decision`` as the value of a tag."""
    return json.dumps(decision.to_dict(), ensure_ascii=False)


def decode(value: str) -> Decision | None:
    """Return the decision of a tag's value, or None when somebody else wrote it."""
    try:
        document = json.loads(value)
        known = {f.name for f in fields(Decision)}
        return Decision(**{key: found for key, found in document.items() if key in known})
    except (ValueError, TypeError, AttributeError):
        return None


def recorded(registered: Any) -> list[Decision]:
    """Return the decisions in the tags of a registered model of MLflow, the oldest first.

    A move whose record is missing because its process was killed in between is among them: its
    intention is there, and the alias points to its version.
    """
    tags: Mapping[str, str] = registered.tags
    found = [decode(value) for key, value in tags.items() if key.startswith(DECISION_TAG)]
    known = {decision.id: decision for decision in found if decision is not None}
    for alias, version in registered.aliases.items():
        intended = decode(tags.get(PENDING_TAG + alias, ""))
        if intended is not None and intended.version == str(version):
            known.setdefault(intended.id, intended)
    return sorted(known.values(), key=lambda d: d.id)


def history(name: str, *, alias: str | None = None) -> list[Decision]:
    """Return every decision about the registered model ``name``, the oldest first.

    An alias that points elsewhere than its last decision left it was moved by other means, on
    MLflow's page for example; that is the last entry then, of kind ``outside``.

    Parameters
    ----------
    name : str
        Registered model.
    alias : str, optional
        Only decisions about this alias.

    Raises
    ------
    AutonoeError
        ``not_found``, ``forbidden`` or ``unavailable`` from MLflow.
    """
    with mlflow_errors(f"read the history of {name}"):
        registered = quiet_client().get_registered_model(name)
    found = recorded(registered)
    for known, version in sorted(registered.aliases.items()):
        before_it = _last_version(found, known)
        if before_it != str(version):
            found.append(Decision("", "", "outside", known, str(version), before_it, ""))
    return [d for d in found if alias is None or d.alias == alias]


def before(registered: Any, alias: str) -> str:
    """Return the version to which a rollback of ``alias`` leads; empty when there is none.

    A promotion puts a version on top, a rollback takes it off: rolling back twice goes two versions
    back and never returns to the one that was bad.
    """
    stack: list[str] = []
    for decision in recorded(registered):
        if decision.alias != alias or decision.kind not in MOVES:
            continue
        if decision.kind == "rollback" and decision.version in stack:
            del stack[stack.index(decision.version) + 1 :]
        elif not stack or stack[-1] != decision.version:
            if not stack and decision.previous:
                stack.append(decision.previous)
            stack.append(decision.version)
    if stack and stack[-1] == str(registered.aliases.get(alias, "")):
        stack.pop()
    return stack[-1] if stack else ""


def _last_version(found: list[Decision], alias: str) -> str:
    moves = [d.version for d in found if d.alias == alias and d.kind in MOVES]
    return moves[-1] if moves else ""
