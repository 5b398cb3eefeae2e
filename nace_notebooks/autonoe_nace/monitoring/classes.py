"""From the sections down to the subclasses: how many, how sure, which are hardest and rarest."""

from __future__ import annotations

from typing import Any

from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import ALL, Selection, hundredths
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import BUILT_IN, Nomenclature, load_nomenclature

_ENOUGH = 30
_KNOWN_SHARE = 0.5


def nomenclature_of(logs: Logs, name: str = "") -> Nomenclature | None:
    """Return the nomenclature that most logged codes belong to, or that of the given name.

    Parameters
    ----------
    logs : Logs
        Whose codes.
    name : str
        As for :func:`autonoe_nace.nomenclature.load_nomenclature`; found out by default.

    Returns
    -------
    Nomenclature or None
        None when no built-in one knows at least half of the codes.
    """
    if name:
        return load_nomenclature(name)
    codes = [row["code"] for row in logs.rows("SELECT DISTINCT code FROM facts WHERE code <> ''")]
    best, most = None, _KNOWN_SHARE * len(codes)
    for built_in in BUILT_IN if codes else ():
        tree = load_nomenclature(built_in)
        known = sum(code in tree.nodes for code in codes)
        if known > most:
            best, most = tree, known
    return best


def drill(
    logs: Logs,
    tree: Nomenclature,
    *,
    under: str = "",
    threshold: float = 0.8,
    selection: Selection = ALL,
) -> list[dict[str, Any]]:
    """Return the codes one level below ``under`` (the sections when it is empty).

    Parameters
    ----------
    logs : Logs
        Where to count.
    tree : Nomenclature
        Levels and titles of the codes.
    under : str
        A code of any level.
    threshold : float
        What the automatic share is counted by.
    selection : Selection
        Which predictions.

    Returns
    -------
    list of dict
        ``code``, ``title``, ``level``, ``n``, ``share`` of all shown, ``automatic`` (Wilson),
        ``index`` (mean confidence), most frequent first. A code that the predictions stop at
        stands for itself.
    """
    found = _counts(logs, threshold, selection)
    sums: dict[str, list[float]] = {}
    for code, (n, auto, index) in found.items():
        place = _below(tree, code, under)
        if place is None:
            continue
        total = sums.setdefault(place, [0, 0, 0.0])
        total[0] += n
        total[1] += auto
        total[2] += index
    shown = sum(total[0] for total in sums.values())
    rows = [_row(tree, code, total, shown) for code, total in sums.items()]
    return sorted(rows, key=lambda row: (-row["n"], row["code"]))


def hardest(
    logs: Logs,
    tree: Nomenclature,
    *,
    threshold: float = 0.8,
    selection: Selection = ALL,
    n: int = 10,
    at_least: int = _ENOUGH,
) -> list[dict[str, Any]]:
    """Return the finest codes with the lowest automatic share among those seen often enough.

    They are ordered by the upper end of the interval: a code is hard when even that is low.
    """
    rows = [row for row in _finest(logs, tree, threshold, selection) if row["n"] >= at_least]
    return sorted(rows, key=lambda row: (row["automatic"]["high"], row["code"]))[:n]


def rarest(
    logs: Logs,
    tree: Nomenclature,
    *,
    threshold: float = 0.8,
    selection: Selection = ALL,
    n: int = 10,
) -> list[dict[str, Any]]:
    """Return the finest codes that are predicted least, those never predicted first."""
    rows = _finest(logs, tree, threshold, selection)
    seen = {row["code"] for row in rows}
    level = max((row["level"] for row in rows), default=tree.levels[-1])
    missing = [
        _row(tree, code, [0, 0, 0.0], 1) for code in tree.at_level(level) if code not in seen
    ]
    return sorted([*rows, *missing], key=lambda row: (row["n"], row["code"]))[:n]


def _finest(
    logs: Logs, tree: Nomenclature, threshold: float, selection: Selection
) -> list[dict[str, Any]]:
    found = _counts(logs, threshold, selection)
    shown = sum(n for n, *_ in found.values())
    return [_row(tree, code, list(total), shown) for code, total in found.items()]


def _counts(
    logs: Logs, threshold: float, selection: Selection
) -> dict[str, tuple[int, int, float]]:
    rows = logs.rows(
        "SELECT code, count(*) AS n, count(*) FILTER (thousandth >= $least) AS auto, "
        "sum(thousandth) / 1000.0 AS index FROM facts "
        "WHERE error = '' AND code <> '' AND {where} GROUP BY code",
        selection,
        least=10 * hundredths(threshold),
    )
    return {row["code"]: (row["n"], row["auto"], row["index"]) for row in rows}


def _below(tree: Nomenclature, code: str, under: str) -> str | None:
    """Return the ancestor of ``code`` right below ``under``; itself when it lies no deeper."""
    if code not in tree.nodes:
        return None if under else code
    path = [code]
    while (parent := tree.nodes[path[-1]].parent) in tree.nodes:
        path.append(parent)
    if not under:
        return path[-1]
    if under not in path:
        return None
    place = path.index(under)
    return path[place - 1] if place else code


def _row(tree: Nomenclature, code: str, total: list[float], shown: float) -> dict[str, Any]:
    n, auto, index = total
    return {
        "code": code,
        "title": tree.title(code),
        "level": tree.nodes[code].level if code in tree.nodes else 0,
        "n": int(n),
        "share": n / shown if shown else 0.0,
        "automatic": Rate.of(auto, n).as_dict(),
        "index": index / n if n else 0.0,
    }
