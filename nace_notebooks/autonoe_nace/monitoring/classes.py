"""From the sections down to the subclasses: how many, how sure, which are hardest and rarest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import ALL, Selection, hundredths
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.nomenclature import BUILT_IN, Nomenclature, load_nomenclature

_ENOUGH = 30
_KNOWN_SHARE = 0.5

Counts = Mapping[str, tuple[int, int, float]]
"""By code: predictions, those that are automatic, sum of the confidence."""


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
        if known == len(codes):
            break  # none can know more, and each takes a moment to read
    return best


def count_codes(logs: Logs, *, threshold: float = 0.8, selection: Selection = ALL) -> Counts:
    """Return what each predicted code sums up to.

    The functions below count for themselves; who asks several of them about the same predictions
    gives them the counts, and the rows are read once.
    """
    rows = logs.rows(
        "SELECT code, count(*) AS n, count(*) FILTER (thousandth >= $least) AS auto, "
        "sum(thousandth) / 1000.0 AS index FROM facts "
        "WHERE error = '' AND code <> '' AND {where} GROUP BY code",
        selection,
        least=10 * hundredths(threshold),
    )
    return {row["code"]: (row["n"], row["auto"], row["index"]) for row in rows}


def drill(
    logs: Logs,
    tree: Nomenclature,
    *,
    under: str = "",
    threshold: float = 0.8,
    selection: Selection = ALL,
    counts: Counts | None = None,
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
    counts : Counts, optional
        Of :func:`count_codes` for the same threshold and selection.

    Returns
    -------
    list of dict
        ``code``, ``title``, ``level``, ``n``, ``share`` of all shown, ``automatic`` (Wilson),
        ``index`` (mean confidence), most frequent first. A code that the predictions stop at
        stands for itself.
    """
    if counts is None:
        counts = count_codes(logs, threshold=threshold, selection=selection)
    sums: dict[str, list[float]] = {}
    for code, (n, auto, index) in counts.items():
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
    counts: Counts | None = None,
) -> list[dict[str, Any]]:
    """Return the finest codes with the lowest automatic share among those seen often enough.

    They are ordered by the upper end of the interval: a code is hard when even that is low.
    """
    if counts is None:
        counts = count_codes(logs, threshold=threshold, selection=selection)
    rows = [row for row in _rows(tree, counts) if row["n"] >= at_least]
    return sorted(rows, key=lambda row: (row["automatic"]["high"], row["code"]))[:n]


def rarest(
    logs: Logs,
    tree: Nomenclature,
    *,
    threshold: float = 0.8,
    selection: Selection = ALL,
    n: int = 10,
    counts: Counts | None = None,
) -> list[dict[str, Any]]:
    """Return the finest codes that are predicted least, those never predicted first."""
    if counts is None:
        counts = count_codes(logs, threshold=threshold, selection=selection)
    rows = _rows(tree, counts)
    seen = {row["code"] for row in rows}
    level = max((row["level"] for row in rows), default=tree.levels[-1])
    missing = [
        _row(tree, code, [0, 0, 0.0], 1) for code in tree.at_level(level) if code not in seen
    ]
    return sorted([*rows, *missing], key=lambda row: (row["n"], row["code"]))[:n]


def _rows(tree: Nomenclature, counts: Counts) -> list[dict[str, Any]]:
    shown = sum(n for n, *_ in counts.values())
    return [_row(tree, code, list(total), shown) for code, total in counts.items()]


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
