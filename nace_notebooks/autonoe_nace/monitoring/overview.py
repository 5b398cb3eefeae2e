"""The dashboard's figures as one document, for a terminal or a script."""

from __future__ import annotations

from typing import Any

from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.monitoring import daily, operations
from autonoe_nace.monitoring.classes import count_codes, drill, hardest, rarest
from autonoe_nace.monitoring.selection import ALL, Selection
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import Nomenclature


def overview(
    logs: Logs,
    tree: Nomenclature | None,
    *,
    threshold: float = 0.8,
    under: str = "",
    selection: Selection = ALL,
    n: int = 10,
) -> dict[str, Any]:
    """Return days, automatic share, codes, latency, errors and versions.

    Parameters
    ----------
    logs : Logs
        Where to count.
    tree : Nomenclature or None
        Levels and titles of the codes; without it, there are no ``codes``.
    threshold : float
        What the automatic share is counted by, in [0, 1].
    under : str
        The code whose parts are counted; the sections when it is empty.
    selection : Selection
        Which predictions.
    n : int
        Hardest and rarest codes to name.

    Returns
    -------
    dict
        ``first``, ``last`` (days, UTC), ``threshold``, ``automatic`` (share with its interval),
        ``days`` (requests, predictions, errors, ``automatic``, latency in ms), ``under``,
        ``codes``, ``hardest``, ``rarest``, ``latency_ms``, ``errors`` and ``versions``.

    Raises
    ------
    NotFoundError
        If nothing is selected.
    InvalidInputError
        If ``under`` is no code of the nomenclature.
    """
    span = logs.span(selection)
    if span is None:
        raise NotFoundError(
            "There are no predictions of these days, this deployment and this version.",
            hint="Choose others, or bring newer logs with autonoe nace etl.",
        )
    if under and (tree is None or under not in tree.nodes):
        raise InvalidInputError(
            f"{under!r} is no code of {tree.name if tree else 'a known nomenclature'}.",
            hint="Sections are letters, such as C; --nomenclature says which one is meant.",
        )
    return {
        "first": span.first,
        "last": span.last,
        "threshold": threshold,
        "automatic": daily.automatic(logs, threshold, selection).as_dict(),
        "days": _days(logs, threshold, selection),
        "under": under,
        **_codes(logs, tree, under, threshold, selection, n),
        "latency_ms": operations.latency(logs, selection),
        "errors": operations.errors(logs, selection),
        "versions": operations.versions(logs, threshold, selection),
    }


def _days(logs: Logs, threshold: float, selection: Selection) -> list[dict[str, Any]]:
    shares = {row["date"]: row for row in daily.automatic_per_day(logs, threshold, selection)}
    days = daily.per_day(logs, selection)
    for day in days:
        share = shares.get(day["date"])
        parts = {"value": "rate", "low": "low", "high": "high", "n": "n"}
        # a day on which every prediction was refused has no share
        day["automatic"] = {to: share[name] for to, name in parts.items()} if share else None
    return days


def _codes(
    logs: Logs,
    tree: Nomenclature | None,
    under: str,
    threshold: float,
    selection: Selection,
    n: int,
) -> dict[str, list[dict[str, Any]]]:
    if tree is None:
        return {"codes": [], "hardest": [], "rarest": []}
    counts = count_codes(logs, threshold=threshold, selection=selection)
    return {
        "codes": drill(logs, tree, under=under, counts=counts),
        "hardest": hardest(logs, tree, n=n, counts=counts),
        "rarest": rarest(logs, tree, n=n, counts=counts),
    }
