"""The figures of one rule: value, reference, difference with its interval, number of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from autonoe.errors import NotFoundError
from autonoe_nace.alerts.rules import RATES, Rule
from autonoe_nace.monitoring import Logs, Selection, Window, daily, operations
from autonoe_nace.monitoring import drift as measure_drift
from autonoe_nace.monitoring.gold import chosen, metrics, read_gold
from autonoe_nace.monitoring.rates import Rate, difference
from autonoe_nace.nomenclature import Nomenclature

ALERT, QUIET, TOO_FEW, NO_REFERENCE = "alert", "quiet", "too few", "no reference"


@dataclass(frozen=True)
class Finding:
    """What came of one rule.

    Attributes
    ----------
    rule, metric, severity : str
        From the rule.
    state : {"alert", "quiet", "too few", "no reference"}
        Whether it raises an alert, and if not, why not.
    message : str
        One sentence with the figures.
    value, reference : float or None
        The metric now and in the reference.
    change : dict or None
        ``value``, and for rates ``low`` and ``high``, the 95 % interval of the difference.
    n : int
        Predictions, or gold texts, behind ``value``.
    window, compared_with : str
        Days.
    details : dict
        For drift, everything that was measured about the variable.
    """

    rule: str
    metric: str
    severity: str
    state: str
    message: str
    value: float | None = None
    reference: float | None = None
    change: dict[str, float] | None = None
    n: int = 0
    window: str = ""
    compared_with: str = ""
    details: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


def measure(
    rule: Rule, logs: Logs, *, today: date, tree: Nomenclature | None = None, gold: str = ""
) -> Finding:
    """Return what a rule finds.

    Parameters
    ----------
    rule : Rule
        What to look at.
    logs : Logs
        Where to look.
    today : date
        Last day of a window such as ``7d``.
    tree : Nomenclature, optional
        For drift of codes.
    gold : str
        Gold standard, for ``gold_accuracy``.

    Raises
    ------
    InvalidInputError
        If the gold standard does not say when, or by which deployment, a text was coded.
    """
    window = Window.parse(rule.window, today=today)
    if rule.metric == "gold_accuracy":
        return _gold(rule, gold, window)
    references = {"before": window.before, "same_season": window.same_season}
    reference = (
        references[rule.reference]()
        if rule.reference in references
        else _earlier(rule.reference, window)
    )
    chosen = Selection(deployment=rule.deployment or None)
    now, then = chosen.within(window), chosen.within(reference)
    n, n_before = (_count(logs, part) for part in (now, then))
    say = _Sayer(rule, window, reference, n)
    if n < rule.minimum_n:
        return say(TOO_FEW, f"only {n:,} predictions, {rule.minimum_n:,} are wanted")
    relative = rule.metric == "drift" or rule.comparison in {"rose", "fell", "moved"}
    if relative and n_before < rule.minimum_n:
        return say(NO_REFERENCE, f"only {n_before:,} predictions from {reference}")
    if rule.metric == "drift":
        return _drift(rule, logs, chosen, reference, window, tree, say)
    if rule.metric in RATES:
        return _rate(rule, logs, now, then, say)
    return _amount(rule, logs, now, then, say)


class _Sayer:
    def __init__(self, rule: Rule, window: Window, reference: Window, n: int) -> None:
        self._rule, self._n = rule, n
        self._window, self._reference = window, reference

    def __call__(self, state: str, message: str, **figures: Any) -> Finding:
        rule = self._rule
        return Finding(
            rule=rule.name,
            metric=rule.metric,
            severity=rule.severity,
            state=state,
            message=message,
            n=self._n,
            window=str(self._window),
            compared_with=str(self._reference),
            **figures,
        )


def _drift(
    rule: Rule,
    logs: Logs,
    chosen: Selection,
    reference: Window,
    window: Window,
    tree: Nomenclature | None,
    say: Callable[..., Finding],
) -> Finding:
    found = measure_drift(
        logs,
        reference,
        window,
        tree=tree,
        selection=chosen,
        variables=[rule.variable],
        smallest=min(rule.effect, 1.0),
    )
    if not found["variables"]:
        return say(QUIET, f"{rule.variable} has one value throughout, or none")
    row = found["variables"][0]
    if rule.distance not in row["distances"]:
        return say(NO_REFERENCE, f"{rule.variable} has no {rule.distance}: it has no order")
    value, usual = row["distances"][rule.distance], row["baseline"][rule.distance]
    season = (row["season_usual"] or {}).get(rule.distance, 0.0)
    raised = value >= rule.effect and value > max(usual, season)
    return say(
        ALERT if raised else QUIET,
        f"{row['label']}: {rule.distance} {value:.3f}, usual up to {max(usual, season):.3f}, "
        f"limit {rule.effect:g}",
        value=value,
        reference=max(usual, season),
        details=row,
    )


def _rate(
    rule: Rule, logs: Logs, now: Selection, then: Selection, say: Callable[..., Finding]
) -> Finding:
    rate, before = (_rate_of(rule, logs, part) for part in (now, then))
    change = difference(before, rate)
    word = rule.metric.replace("_", " ")
    if rule.comparison in {"above", "below"}:
        # the whole interval: a limit that is crossed by chance is no alert
        raised = rate.low > rule.effect if rule.comparison == "above" else rate.high < rule.effect
        return say(
            ALERT if raised else QUIET,
            f"{word} {rate}, limit {rule.comparison} {100 * rule.effect:g} %",
            value=rate.value,
            reference=before.value,
            change=change,
        )
    raised = _moved(rule, change["value"]) and not change["low"] <= 0 <= change["high"]
    return say(
        ALERT if raised else QUIET,
        f"{word} {rate}, before {before}: {100 * change['value']:+.1f} points "
        f"({100 * change['low']:+.1f} to {100 * change['high']:+.1f}), limit "
        f"{rule.comparison} by {100 * rule.effect:g}",
        value=rate.value,
        reference=before.value,
        change=change,
    )


def _rate_of(rule: Rule, logs: Logs, selection: Selection) -> Rate:
    if rule.metric == "automatic_rate":
        return daily.automatic(logs, rule.at, selection)
    hit = "failed" if rule.metric == "error_rate" else "stage = 'lookup' AND NOT failed"
    row = logs.rows(
        f"SELECT CAST(coalesce(sum(n) FILTER ({hit}), 0) AS BIGINT) AS hits, "  # noqa: S608
        "CAST(coalesce(sum(n), 0) AS BIGINT) AS n FROM counts WHERE {where}",
        selection,
    )[0]
    return Rate.of(row["hits"], row["n"])


def _amount(
    rule: Rule, logs: Logs, now: Selection, then: Selection, say: Callable[..., Finding]
) -> Finding:
    value, before = (_amount_of(rule, logs, part) for part in (now, then))
    word = rule.metric.replace("_", " ")
    if rule.comparison in {"above", "below"}:
        raised = value > rule.effect if rule.comparison == "above" else value < rule.effect
        return say(
            ALERT if raised else QUIET,
            f"{word} {value:.4g}, limit {rule.comparison} {rule.effect:g}",
            value=value,
            reference=before,
        )
    change = (value - before) / before if before else 0.0
    return say(
        ALERT if _moved(rule, change) else QUIET,
        f"{word} {value:.4g}, before {before:.4g}: {100 * change:+.0f} %, limit "
        f"{rule.comparison} by {100 * rule.effect:g} %",
        value=value,
        reference=before,
        change={"value": change},
    )


def _amount_of(rule: Rule, logs: Logs, selection: Selection) -> float:
    if rule.metric.startswith("latency"):
        found = operations.latency(logs, selection)
        return found["p50" if rule.metric == "latency_p50_ms" else "p99"]
    if rule.metric == "predictions_per_day":
        assert selection.window is not None  # noqa: S101  both have one
        return _count(logs, selection) / selection.window.days
    row = logs.rows(
        "SELECT avg(thousandth) / 1000 AS mean FROM facts WHERE error = '' AND {where}", selection
    )[0]
    return float(row["mean"] or 0.0)


def _moved(rule: Rule, change: float) -> bool:
    if rule.comparison == "rose":
        return change >= rule.effect
    if rule.comparison == "fell":
        return change <= -rule.effect
    return abs(change) >= rule.effect


def _gold(rule: Rule, gold: str, window: Window) -> Finding:
    say = _Sayer(rule, window, window, 0)
    try:
        rows = chosen(read_gold(gold), Selection(window=window, deployment=rule.deployment or None))
        found = metrics(rows)[rule.variable]["levels"]["code"]
    except NotFoundError as error:
        return say(TOO_FEW, error.message)
    say = _Sayer(rule, window, window, int(found["n"]))
    if found["n"] < rule.minimum_n:
        return say(TOO_FEW, f"only {found['n']:,} gold texts, {rule.minimum_n:,} are wanted")
    raised = (
        found["low"] > rule.effect if rule.comparison == "above" else found["high"] < rule.effect
    )
    shown = Rate(found["value"], found["low"], found["high"], int(found["n"]))
    return say(
        ALERT if raised else QUIET,
        f"accuracy on gold ({rule.variable}) of {window} {shown}, limit {rule.comparison} "
        f"{100 * rule.effect:g} %",
        value=found["value"],
    )


def _count(logs: Logs, selection: Selection) -> int:
    row = logs.rows(
        "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) AS n FROM counts WHERE {where}", selection
    )
    return int(row[0]["n"])


def _earlier(text: str, window: Window) -> Window:
    """Return the days before the window that ``28d`` means, or the days that are written out."""
    return Window.parse(text, today=window.moved(window.days).last)
