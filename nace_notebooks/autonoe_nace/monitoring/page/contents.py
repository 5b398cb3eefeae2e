"""All that the page shows, as one document; what depends on the threshold as counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.monitoring.classes import nomenclature_of
from autonoe_nace.monitoring.compare import compare
from autonoe_nace.monitoring.daily import by_hundredth, per_day
from autonoe_nace.monitoring.drift import drift
from autonoe_nace.monitoring.gold import ROUNDS, chosen, metrics, read_gold, rounds
from autonoe_nace.monitoring.operations import errors, latency, versions
from autonoe_nace.monitoring.selection import ALL, Selection, Window, last_two
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature

HUNDREDTHS = 101
_GOLD_STEP = 5


@dataclass(frozen=True)
class Asked:
    """What a page is about.

    Attributes
    ----------
    gold : str or None
        Where the gold standard lies, ``s3://…`` or a folder.
    threshold : float
        Where the slider starts, in [0, 1], and what the windows are compared by.
    nomenclature : str
        Of the codes; found out when empty.
    selection : Selection
        Which predictions.
    windows : tuple of Window or None
        What is compared, earlier one first; the last four weeks and the four before by default.
    """

    gold: str | None = None
    threshold: float = 0.8
    nomenclature: str = ""
    selection: Selection = ALL
    windows: tuple[Window, Window] | None = None


def contents(logs: Logs, asked: Asked) -> dict[str, Any]:
    """Return the document of the page.

    Raises
    ------
    NotFoundError
        If nothing is selected, a window that was named holds no prediction, or there is no gold
        standard where one was named.
    """
    selection, threshold = asked.selection, asked.threshold
    span = logs.span(selection)
    if span is None:
        raise NotFoundError(
            "There are no predictions of these days and this deployment.",
            hint="Choose other days, or bring newer logs with autonoe nace etl.",
        )
    tree = nomenclature_of(logs, asked.nomenclature)
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
        "windows": _windows(logs, asked, span, tree),
        "gold": _gold(asked.gold, tree, selection) if asked.gold else None,
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
    logs: Logs, asked: Asked, span: Window, tree: Nomenclature | None
) -> dict[str, Any] | None:
    """Return the windows that were named side by side; by default the last two of the logs."""
    pair = asked.windows or last_two(span)
    if pair is None:
        return None
    before, after = pair
    chosen: dict[str, Any] = {"tree": tree, "selection": asked.selection}
    try:
        compared = compare(logs, before, after, threshold=asked.threshold, **chosen)
        moved = drift(logs, before, after, **chosen)
    except NotFoundError:
        if asked.windows:
            raise
        return None  # weeks without any prediction have nothing to compare
    return {"compared": compared, "drift": moved["variables"], "threshold": asked.threshold}


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
