"""All that the page shows, as one document; what depends on the threshold as counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.monitoring.classes import nomenclature_of
from autonoe_nace.monitoring.compare import compare
from autonoe_nace.monitoring.daily import by_hundredth, per_day
from autonoe_nace.monitoring.drift import drift
from autonoe_nace.monitoring.gold import ROUNDS, chosen, metrics, read_gold, rounds
from autonoe_nace.monitoring.operations import errors, latency, versions
from autonoe_nace.monitoring.selection import Selection, Window
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature

HUNDREDTHS = 101
_WEEKS = 28
_GOLD_STEP = 5


def contents(
    logs: Logs, *, gold: str | None, threshold: float, nomenclature: str, selection: Selection
) -> dict[str, Any]:
    """Return the document of the page.

    Parameters
    ----------
    logs : Logs
        Where to count.
    gold : str, optional
        Where the gold standard lies.
    threshold : float
        Where the slider starts, and what the windows are compared by.
    nomenclature : str
        Of the codes; found out when empty.
    selection : Selection
        Which predictions.

    Raises
    ------
    NotFoundError
        If nothing is selected, or there is no gold standard where one was named.
    """
    span = logs.span(selection)
    if span is None:
        raise NotFoundError(
            "There are no predictions of these days and this deployment.",
            hint="Choose other days, or bring newer logs with autonoe nace etl.",
        )
    tree = nomenclature_of(logs, nomenclature)
    days = per_day(logs, selection)
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": selection.deployment or "All deployments",
        "span": [str(span.first), str(span.last)],
        "threshold": threshold,
        "days": [{**day, "date": str(day["date"])} for day in days],
        "index": _index(logs, selection),
        "codes": _codes(logs, selection, tree),
        "latency": latency(logs, selection),
        "errors": errors(logs, selection),
        "versions": [_dated(row) for row in versions(logs, threshold, selection)],
        "windows": _windows(logs, selection, span, threshold, tree),
        "gold": _gold(gold, tree, selection) if gold else None,
    }


def _index(logs: Logs, selection: Selection) -> dict[str, list[int]]:
    """Return of each day the predictions by hundredth of the index."""
    found: dict[str, list[int]] = {}
    for row in by_hundredth(logs, selection):
        counts = found.setdefault(str(row["date"]), [0] * HUNDREDTHS)
        counts[row["hundredth"]] += row["n"]
    return found


def _codes(logs: Logs, selection: Selection, tree: Nomenclature | None) -> list[dict[str, Any]]:
    """Return each code with its ancestors and its predictions by hundredth of the index."""
    rows = logs.rows(
        "SELECT code, CAST(thousandth // 10 AS INTEGER) AS hundredth, count(*) AS n FROM facts "
        "WHERE error = '' AND code <> '' AND {where} GROUP BY ALL",
        selection,
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["code"], [0] * HUNDREDTHS)[row["hundredth"]] += row["n"]
    return [{"path": _path(tree, code), "counts": counts} for code, counts in sorted(found.items())]


def _path(tree: Nomenclature | None, code: str) -> list[list[str]]:
    if tree is None or code not in tree.nodes:
        return [[code, ""]]
    path = []
    place = code
    while place in tree.nodes:
        node = tree.nodes[place]
        path.append([node.code, node.title])
        place = node.parent
    return path[::-1]


def _windows(
    logs: Logs, selection: Selection, span: Window, threshold: float, tree: Nomenclature | None
) -> dict[str, Any] | None:
    """Return the last four weeks beside the four before, or halves of what there is."""
    length = min(_WEEKS, span.days // 2)
    if length == 0:
        return None
    after = Window(span.last - timedelta(days=length - 1), span.last)
    before = after.before()
    try:
        compared = compare(logs, before, after, threshold=threshold, tree=tree, selection=selection)
        moved = drift(logs, before, after, tree=tree, selection=selection)
    except NotFoundError:
        return None  # weeks without any prediction have nothing to compare
    return {"compared": compared, "drift": moved["variables"], "threshold": threshold}


def _gold(uri: str, tree: Nomenclature | None, selection: Selection) -> dict[str, Any]:
    """Return the gold metrics at thresholds from 0 to 1: the slider takes the one below it.

    Without a gold text of this selection there is a ``message`` instead.
    """
    try:
        rows = chosen(read_gold(uri), selection)
    except InvalidInputError as error:
        return {"message": f"{error.message} {error.hint}".strip()}
    if not rows.num_rows:
        return {"message": "No gold text is of these days and this deployment."}
    names = {str(level): name for level, name in _levels(tree)} | {"code": "code as a whole"}
    at = {
        place: metrics(rows, threshold=place / 100, tree=tree)
        for place in range(0, HUNDREDTHS, _GOLD_STEP)
    }
    return {
        **{"names": names, "at": at, "step": _GOLD_STEP, "logged": metrics(rows, tree=tree)},
        "rounds": rounds(uri)[:ROUNDS],
    }


def _levels(tree: Nomenclature | None) -> list[tuple[int, str]]:
    from autonoe_nace.nomenclature import LEVEL_NAMES

    return [(level, LEVEL_NAMES[level - 1]) for level in tree.levels] if tree else []


def _dated(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "first": str(row["first"]), "last": str(row["last"])}
