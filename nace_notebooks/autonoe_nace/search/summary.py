"""What a search found: candidates from best to worst, and what is more than chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, bounds, ratio
from autonoe_nace.evaluation.measures import wilson
from autonoe_nace.search.fold_run import Result
from autonoe_nace.search.plan import SearchPlan

FIGURES = ("top1", "top2", "top3", "top4", "top5", "macro_f1", "ece", "brier")
_REPLICATES = 1_000
_COMPARED = 10


def summarise(plan: SearchPlan, results: Sequence[Result], folds: int) -> dict[str, Any]:
    """Return the candidates from best to worst.

    Parameters
    ----------
    plan : SearchPlan
        The search.
    results : sequence of dict
        What folds told so far.
    folds : int
        Number of folds of a candidate.

    Returns
    -------
    dict
        ``id``, ``metric``, ``done`` and ``total`` (folds), ``failed`` (folds with an error),
        ``best`` (number of the candidate, None without a whole one) and ``candidates``: rows of
        ``candidate``, ``params``, ``folds`` (done), ``errors``, and, when whole, ``level``, the
        figures pooled over the folds, ``top1_interval`` (Wilson), ``spread`` (standard deviation of
        the metric over folds), ``train_s``, ``predict_ms``, ``bytes`` (means), and, for the first
        ten, ``behind``: how far top-1 lies behind that of the best, with the 95 % interval of a
        bootstrap over the same texts.
    """
    by_candidate: defaultdict[int, list[Result]] = defaultdict(list)
    for result in results:
        by_candidate[result["candidate"]].append(result)
    rows = [
        candidate_row(plan, candidate, by_candidate[candidate], folds)
        for candidate in range(len(plan.candidates))
    ]
    whole = [row for row in rows if row["whole"]]
    whole.sort(key=lambda row: (_order(plan, row[plan.metric]), row["candidate"]))
    _compare(whole[:_COMPARED], by_candidate)
    rest = [row for row in rows if not row["whole"]]
    return {
        "id": plan.id,
        "metric": plan.metric,
        "done": sum("error" not in r for r in results),
        "failed": sum("error" in r for r in results),
        "total": folds * len(plan.candidates),
        "best": whole[0]["candidate"] if whole else None,
        "candidates": whole + rest,
    }


def candidate_row(
    plan: SearchPlan, candidate: int, results: Sequence[Result], folds: int
) -> dict[str, Any]:
    """Return one candidate's figures, pooled over its folds by their number of texts."""
    good = [result for result in results if "error" not in result]
    row: dict[str, Any] = {
        "candidate": candidate,
        "params": plan.candidates[candidate],
        "folds": len(good),
        "errors": [{"fold": r["fold"], **r["error"]} for r in results if "error" in r],
        "whole": len(good) == folds,
    }
    if not good:
        return row
    level = str(max(result["level"] for result in good))
    parts = [result["levels"][level] for result in good if level in result["levels"]]
    sizes = np.array([part["n"] for part in parts], dtype=float)
    for name in FIGURES:
        row[name] = float(np.average([_value(part[name]) for part in parts], weights=sizes))
    found = wilson(row["top1"] * sizes.sum(), float(sizes.sum()))
    spread = np.std([_value(part[plan.metric]) for part in parts], ddof=1) if len(good) > 1 else 0.0
    return {
        **row,
        "level": int(level),
        "n": int(sizes.sum()),
        "top1_interval": [found["low"], found["high"]],
        "spread": float(spread),
        **{n: float(np.mean([r[n] for r in good])) for n in ("train_s", "predict_ms", "bytes")},
    }


def _compare(rows: Sequence[dict[str, Any]], results: dict[int, list[Result]]) -> None:
    """Add ``behind`` to each row, from the ranks of the same texts in the same order."""
    ranks = [_ranks(results[row["candidate"]]) for row in rows]
    if not ranks or any(len(found) != len(ranks[0]) or not len(found) for found in ranks):
        return
    n = len(ranks[0])
    texts = np.arange(n)
    columns = Columns(n)
    columns.add("weight", texts, np.ones(n))
    for i, found in enumerate(ranks):
        columns.add(f"behind{i}", texts, (ranks[0] == 0) * 1.0 - (found == 0) * 1.0)
    point, drawn = Bootstrap(n, replicates=_REPLICATES).totals(columns)
    for i, row in enumerate(rows):
        value = ratio(point[f"behind{i}"], point["weight"])
        low, high = bounds(value, ratio(drawn[f"behind{i}"], drawn["weight"]))
        row["behind"] = {"value": float(value[0]), "low": float(low[0]), "high": float(high[0])}


def _ranks(results: Sequence[Result]) -> NDArray[np.intp]:
    ordered = sorted(results, key=lambda result: int(result["fold"]))
    return np.array([rank for r in ordered for rank in r.get("ranks", ())], dtype=np.intp)


def _value(cell: Any) -> float:
    return float(cell["value"] if isinstance(cell, dict) else cell)


def _order(plan: SearchPlan, value: float) -> float:
    return value if plan.better(0.0, 1.0) else -value
