"""Moving an alias: checked, compared, recorded, one at a time, and taken up again after a kill.

The order of writes is what makes it safe. First the intention with all its figures, then the alias
in one call, then the record. Whoever comes next finds either the old alias and an intention that
did not happen, or the new alias and an intention to be recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.registry import decisions
from autonoe_nace.registry.checks import CheckLimits, CheckReport, check_and_fetch
from autonoe_nace.registry.decisions import Decision
from autonoe_nace.registry.gating import GateReport
from autonoe_nace.registry.judging import Judge, figures
from autonoe_nace.registry.lock import promotion_lock
from autonoe_nace.registry.versions import CHAMPION, Pins
from autonoe_nace.tracking import mlflow_errors, quiet_client

_ROUNDS = 3
"""How often a promotion is judged anew because another one changed the champion meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """What a promotion or a rollback did.

    Attributes
    ----------
    moved : bool
        Whether the alias points to another version than before.
    decision : Decision
        As recorded; the earlier one when the version had the alias already.
    check : CheckReport or None
        The checks, when they were made.
    gate : GateReport or None
        The comparison, when it was made.
    """

    moved: bool
    decision: Decision
    check: CheckReport | None = None
    gate: GateReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a plain document."""
        return {
            "moved": self.moved,
            "decision": self.decision.to_dict(),
            "check": self.check.to_dict() if self.check else None,
            "gate": self.gate.to_dict() if self.gate else None,
        }


def promote(
    name: str,
    version: str,
    *,
    gold: Dataset | None,
    force_reason: str | None = None,
    alias: str = CHAMPION,
    weights: Sequence[float] | None = None,
    limits: CheckLimits | None = None,
    cache: Path | None = None,
    checked: tuple[CheckReport, Path] | None = None,
) -> Outcome:
    """Check a version, compare it with the champion on gold, and move the alias to it.

    Servers that follow the alias take the version over without losing a request. A promotion that
    was killed is taken up again by calling this once more.

    Parameters
    ----------
    name, version : str
        Registered model and its version.
    gold : Dataset or None
        Labelled texts that no model learned from. None only with ``force_reason``.
    force_reason : str, optional
        Why the version shall have the alias even if the gate stays closed; recorded. Neither the
        checks of the artefact nor another nomenclature than the champion's can be forced.
    alias : str
        The alias that servers follow.
    weights : sequence of float, optional
        Of the gold texts.
    limits : CheckLimits, optional
        What the model may cost.
    cache : Path, optional
        Where fetched models are kept.
    checked : (CheckReport, Path), optional
        What :func:`~autonoe_nace.registry.checks.check_and_fetch` just returned for this version;
        it is not checked again then.

    Raises
    ------
    AutonoeError
        ``check_failed`` or ``gate_closed``, both recorded, with the alias where it was;
        ``conflict`` when others promote all the time; ``not_found``, ``forbidden`` or
        ``unavailable`` from MLflow.
    InvalidInputError
        If there is neither gold nor a reason, or gold does not fit.
    """
    reason = " ".join((force_reason or "").split())
    if gold is None and not reason and (checked is None or checked[0].passed):
        raise InvalidInputError(
            "A promotion needs gold texts to compare on, or a reason to do without.",
            hint="Give --gold FILE, or --force-reason TEXT, which is recorded.",
        )
    client = quiet_client()
    report, folder = checked or (None, Path())
    judge = Judge(
        client,
        name,
        str(version),
        alias,
        reason,
        gold,
        weights,
        limits,
        cache,
        report,
        folder=folder,
    )
    with mlflow_errors(f"promote version {version} of {name}"):
        return _promote(judge)


def _promote(judge: Judge) -> Outcome:
    client, name, alias = judge.client, judge.name, judge.alias
    entry = client.get_model_version(name, judge.version)
    Pins.of(entry)
    judge.run_id = str(entry.run_id or "")
    for _ in range(_ROUNDS):
        registered = settle(client, name, alias)
        champion = str(registered.aliases.get(alias, ""))
        if champion == judge.version:
            return Outcome(False, _standing(registered, alias, champion))
        decision, report = judge.decide(champion)
        moved = _move(client, name, decision, report)
        if moved is not None:
            return Outcome(True, moved, judge.check, judge.gate)
    raise ConflictError(
        f"The champion of {name} changed {_ROUNDS} times during this promotion.",
        hint="Look at autonoe nace models history, then try again.",
    )


def rollback(
    name: str,
    alias: str = CHAMPION,
    *,
    to: str | None = None,
    reason: str = "",
    cache: Path | None = None,
) -> Outcome:
    """Move the alias back to the version that had it before, in one call.

    Rolling back twice goes back two versions; the version that was left is never returned to.

    Parameters
    ----------
    name : str
        Registered model.
    alias : str
        The alias that servers follow.
    to : str, optional
        Another earlier version.
    reason : str
        Why; recorded.
    cache : Path, optional
        Where fetched models are kept.

    Raises
    ------
    ConflictError
        If there is no earlier version, or another promotion is under way.
    AutonoeError
        ``check_failed`` if the earlier version is no longer whole.
    """
    client = quiet_client()
    with mlflow_errors(f"roll {name} back"):
        registered = settle(client, name, alias)
        champion = str(registered.aliases.get(alias, ""))
        target = to or decisions.before(registered, alias)
        if not target or target == champion:
            raise ConflictError(
                f"No version had the alias {alias} of {name} before version {champion or 'any'}.",
                hint="autonoe nace models history shows what is recorded; --to names a version.",
            )
        report = _checked(name, target, None, cache)
        decision = decisions.new(
            "rollback",
            alias=alias,
            version=target,
            previous=champion,
            reason=" ".join(reason.split()) or "no reason given",
            figures=figures(report, None),
        )
        moved = _move(client, name, decision, {"check": report.to_dict()})
        if moved is None:
            raise ConflictError(
                f"The champion of {name} changed during the rollback.",
                hint="Look at autonoe nace models history, then try again.",
            )
    return Outcome(True, moved, report)


def settle(client: MlflowClient, name: str, alias: str) -> Any:
    """Write down the move that a killed promotion made, and return the registered model.

    An intention whose version has the alias did happen; any other did not, and is passed over. Two
    who settle at once write the same record.
    """
    registered = client.get_registered_model(name)
    for decision in decisions.recorded(registered):
        if decision.alias == alias and decisions.DECISION_TAG + decision.id not in registered.tags:
            decisions.record(client, name, decision)
    return registered


def _move(
    client: MlflowClient, name: str, decision: Decision, report: dict[str, Any]
) -> Decision | None:
    """Move the alias if it still points where the decision says; return what was recorded."""
    tag = decisions.PENDING_TAG + decision.alias
    with promotion_lock(client, name, decision.by) as lease:
        registered = settle(client, name, decision.alias)
        if str(registered.aliases.get(decision.alias, "")) != decision.previous:
            return None
        # its time is that of the move: decisions are replayed in the order of their times
        decision = decisions.restamped(decision)
        decision = decisions.log_report(client, name, decision, report)
        client.set_registered_model_tag(name, tag, decisions.encode(decision))
        lease.check()
        client.set_registered_model_alias(name, decision.alias, decision.version)
        # whoever comes next can make up for this, should this process end here
        return decisions.record(client, name, decision)


def _checked(
    name: str, version: str, limits: CheckLimits | None, cache: Path | None
) -> CheckReport:
    report, _ = check_and_fetch(f"models:/{name}/{version}", limits=limits, cache=cache)
    if not report.passed:
        raise AutonoeError(
            f"Version {version} of {name} cannot serve. {report.problem}",
            hint="The alias was not moved. --to names another version.",
            code="check_failed",
        )
    return report


def _standing(registered: Any, alias: str, version: str) -> Decision:
    """Return the decision by which ``version`` has the alias already."""
    moves = [
        d
        for d in decisions.recorded(registered)
        if d.alias == alias and d.version == version and d.kind in decisions.MOVES
    ]
    if moves:
        return moves[-1]
    return Decision("", "", "outside", alias, version, "", "")
