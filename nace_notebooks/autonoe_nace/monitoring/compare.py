"""Two windows of time side by side, each difference with its interval or its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autonoe.errors import NotFoundError
from autonoe_nace.monitoring import daily, operations
from autonoe_nace.monitoring.drift.distances import distances
from autonoe_nace.monitoring.rates import Rate, difference
from autonoe_nace.monitoring.selection import ALL, Selection, Window
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature


def compare(
    logs: Logs,
    before: Window,
    after: Window,
    *,
    threshold: float = 0.8,
    tree: Nomenclature | None = None,
    selection: Selection = ALL,
) -> dict[str, Any]:
    """Return what changed between two windows.

    Parameters
    ----------
    logs : Logs
        Where to count.
    before, after : Window
        Days that may overlap or differ in length; rates, not counts, are compared.
    threshold : float
        What the automatic share is counted by.
    tree : Nomenclature, optional
        With it, sections are compared too.
    selection : Selection
        Deployment and version; its own window does not count.

    Returns
    -------
    dict
        ``before`` and ``after`` (``window``, ``predictions``, ``per_day``, ``automatic``,
        ``errors``, ``latency_ms``), ``automatic`` and ``errors`` (difference with its 95 %
        interval), ``index`` and ``codes`` (distances of the distributions) and ``sections``
        (share before and after, largest change first).

    Raises
    ------
    NotFoundError
        If a window holds no prediction.
    """
    parts = [_one(logs, threshold, replace(selection, window=window)) for window in (before, after)]
    first, second = parts
    index = [_counts(logs, "hundredth", replace(selection, window=w)) for w in (before, after)]
    codes = [_codes(logs, replace(selection, window=w)) for w in (before, after)]
    found: dict[str, Any] = {
        "before": {"window": str(before), **_plain(first)},
        "after": {"window": str(after), **_plain(second)},
        "automatic": difference(first["automatic"], second["automatic"]),
        "errors": difference(first["errors"], second["errors"]),
        "index": distances(*index, ordered=True),
        "codes": distances(*codes),
    }
    if tree is not None:
        found["sections"] = _sections(tree, *codes)
    return found


def _one(logs: Logs, threshold: float, selection: Selection) -> dict[str, Any]:
    row = logs.rows(
        "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) AS n, "
        "CAST(coalesce(sum(n) FILTER (failed), 0) AS BIGINT) AS failed FROM counts WHERE {where}",
        selection,
    )[0]
    if not row["n"]:
        raise NotFoundError(f"There are no predictions in the window {selection.window}.")
    assert selection.window is not None  # noqa: S101  set above
    return {
        "predictions": row["n"],
        "per_day": row["n"] / selection.window.days,
        "automatic": daily.automatic(logs, threshold, selection),
        "errors": Rate.of(row["failed"], row["n"]),
        "latency_ms": operations.latency(logs, selection),
    }


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    return {k: v.as_dict() if isinstance(v, Rate) else v for k, v in part.items()}


def _counts(logs: Logs, column: str, selection: Selection) -> dict[Any, int]:
    rows = logs.rows(
        f"SELECT {column} AS value, CAST(sum(n) AS BIGINT) AS n FROM counts "  # noqa: S608
        "WHERE NOT failed AND {where} GROUP BY 1",
        selection,
    )
    return {row["value"]: row["n"] for row in rows}


def _codes(logs: Logs, selection: Selection) -> dict[str, int]:
    rows = logs.rows(
        "SELECT code, count(*) AS n FROM facts WHERE error = '' AND {where} GROUP BY 1", selection
    )
    return {row["code"]: row["n"] for row in rows}


def _sections(
    tree: Nomenclature, before: dict[str, int], after: dict[str, int]
) -> list[dict[str, Any]]:
    totals: dict[str, list[int]] = {}
    for place, counts in enumerate((before, after)):
        for code, n in counts.items():
            section = tree.ancestor(code, tree.levels[0]) or "?"
            totals.setdefault(section, [0, 0])[place] += n
    sums = [sum(counts.values()) for counts in (before, after)]
    rows = []
    for section, pair in totals.items():
        shares = [Rate.of(n, total) for n, total in zip(pair, sums, strict=True)]
        rows.append(
            {
                "code": section,
                "title": tree.title(section),
                "before": shares[0].value,
                "after": shares[1].value,
                "change": difference(*shares),
            }
        )
    return sorted(rows, key=lambda row: -abs(row["change"]["value"]))
