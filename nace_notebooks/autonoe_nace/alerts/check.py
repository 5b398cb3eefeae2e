"""Evaluate all rules, write the alerts, take the action once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe.validation import mistakes
from autonoe_nace.alerts.journal import Journal
from autonoe_nace.alerts.measure import ALERT, Finding, measure
from autonoe_nace.alerts.rules import Rule, RuleFile
from autonoe_nace.monitoring import Logs, nomenclature_of
from autonoe_nace.retraining.plan import RetrainPlan

RETRAIN = "retrain"
_LOGGER = logging.getLogger(__name__)


class Retrain(Protocol):
    """What the action ``retrain`` calls: :func:`autonoe_nace.retraining.retrain`."""

    def __call__(self, plan: RetrainPlan) -> dict[str, Any]:
        """Retrain by the plan and return what came of it."""
        ...


def check(
    rules: RuleFile,
    logs: Logs,
    journal: Journal,
    *,
    today: date | None = None,
    retrain: Retrain | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> dict[str, Any]:
    """Evaluate the rules over the logs.

    Parameters
    ----------
    rules : RuleFile
        From :func:`~autonoe_nace.alerts.rules.load_rules`.
    logs : Logs
        Where to look.
    journal : Journal
        Where alerts and actions are written.
    today : date, optional
        Last day of windows such as ``7d``; the last day with logs by default.
    retrain : Retrain, optional
        What retrains; :func:`autonoe_nace.retraining.retrain` by default.
    now : callable
        The clock that cool-downs are measured by.

    Returns
    -------
    dict
        ``alerts`` (number), ``findings`` (each rule's) and ``actions``: of each alert that asks
        for one, ``action``, ``rule``, ``state`` (``taken``, ``failed`` or ``cooling down``) and
        ``result`` or ``until``.
    """
    plan = _plan(rules)
    if today is None:
        span = logs.span()
        today = span.last if span else now().date()
    needs_tree = any(rule.metric == "drift" for rule in rules.rules)
    tree = nomenclature_of(logs) if needs_tree else None
    with journal.alone():
        findings = [
            measure(rule, logs, today=today, tree=tree, gold=rules.gold) for rule in rules.rules
        ]
        raised = [
            (rule, finding)
            for rule, finding in zip(rules.rules, findings, strict=True)
            if finding.state == ALERT
        ]
        for rule, finding in raised:
            journal.add({**finding.as_dict(), "action": rule.action})
        wanting = [(rule, finding) for rule, finding in raised if rule.action == RETRAIN]
        actions = [_retrain(wanting, plan, journal, retrain, now())] if wanting and plan else []
    return {
        "today": str(today),
        "alerts": len(raised),
        "findings": [finding.as_dict() for finding in findings],
        "actions": actions,
    }


def _plan(rules: RuleFile) -> RetrainPlan | None:
    """Return the plan of a retraining, checked before anything is evaluated."""
    if not rules.retrain:
        return None
    known = {entry.name for entry in fields(RetrainPlan)} - {"because"}
    unknown = sorted(set(rules.retrain) - known)
    if unknown:
        raise InvalidInputError(
            f"A retraining knows no {', '.join(unknown)}.",
            hint=f"It knows {', '.join(sorted(known))}.",
        )
    try:
        return TypeAdapter(RetrainPlan).validate_python(rules.retrain)
    except ValidationError as error:
        raise InvalidInputError(f"The retraining cannot be run: {mistakes(error)}.") from error


def _retrain(
    raised: list[tuple[Rule, Finding]],
    plan: RetrainPlan,
    journal: Journal,
    retrain: Retrain | None,
    now: datetime,
) -> dict[str, Any]:
    """Take the action once for all alerts that ask for it, unless it was taken lately."""
    names = ", ".join(rule.name for rule, _ in raised)
    entry: dict[str, Any] = {"action": RETRAIN, "rule": names, "started": now.isoformat()}
    cooldown = max(rule.cooldown for rule, _ in raised)
    before = journal.last(RETRAIN)
    if before is not None:
        until = datetime.fromisoformat(before["started"]) + cooldown
        if now < until:
            return {**entry, "state": "cooling down", "until": until.isoformat()}
    # written before it starts: a check that dies meanwhile does not start it again at once
    journal.taken(RETRAIN, {**entry, "state": "started"})
    because = f"alert {names}: " + "; ".join(finding.message for _, finding in raised)
    try:
        result = _call(retrain, _because(plan, because))
    except AutonoeError as error:
        _LOGGER.error("The retraining failed: %s", error.message)
        entry |= {"state": "failed", "result": error.as_dict()["error"]}
    else:
        entry |= {"state": "taken", "result": result}
    journal.taken(RETRAIN, entry)
    journal.add(entry)
    return entry


def _because(plan: RetrainPlan, because: str) -> RetrainPlan:
    from dataclasses import replace

    return replace(plan, because=because)


def _call(retrain: Retrain | None, plan: RetrainPlan) -> dict[str, Any]:
    if retrain is not None:
        return retrain(plan)
    from autonoe_nace.retraining import retrain as default

    return default(plan)
