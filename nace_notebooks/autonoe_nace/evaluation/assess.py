"""The full evaluation: every figure with its interval, each code, curves, costs, a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import figures
from autonoe_nace.evaluation.baseline import lookup_figures
from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, Counts, estimate
from autonoe_nace.evaluation.classes import class_rows
from autonoe_nace.evaluation.confusion import confusion
from autonoe_nace.evaluation.costs import Costs, by_section, recommend
from autonoe_nace.evaluation.counts import add_level, add_steps
from autonoe_nace.evaluation.curves import reliability, risk_coverage
from autonoe_nace.evaluation.evaluate import effective_size
from autonoe_nace.evaluation.outcomes import TOP, LevelOutcomes, Outcomes, observe
from autonoe_nace.evaluation.sets import set_figures
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import Nomenclature


@dataclass(frozen=True)
class Options:
    """How to judge.

    Attributes
    ----------
    weights : sequence of float or None
        One per text: the inverse of its inclusion probability.
    clusters, strata : sequence of int or None
        Texts that are drawn together; strata within which they are drawn. One of both at most.
    replicates, seed : int
        Of the bootstrap.
    costs : Costs
        What coding costs, for the recommended threshold.
    lookup : LookupIndex or None
        A rules engine to show beside the model; the one that travels with the model by default.
    coverage : float
        Of the conformal sets that are judged, in (0, 1).
    """

    weights: Sequence[float] | None = None
    clusters: Sequence[int] | None = None
    strata: Sequence[int] | None = None
    replicates: int = 1_000
    seed: int = 1
    costs: Costs = field(default_factory=Costs)
    lookup: LookupIndex | None = None
    coverage: float = 0.9


def assess(model: NaceModel, data: Dataset, options: Options | None = None) -> dict[str, Any]:
    """Return everything about the worth of ``model`` on ``data``, as one plain document.

    Parameters
    ----------
    model : NaceModel
        The model to judge.
    data : Dataset
        Labelled texts that it did not learn from.
    options : Options, optional
        Weights, bootstrap, costs.

    Returns
    -------
    dict
        ``n``, ``model``, ``bootstrap``, ``report``, ``levels`` (by level: ``n``, ``effective_n``,
        ``top1`` to ``top5``, ``macro_precision``, ``macro_recall``, ``macro_f1``, ``brier``,
        ``ece``, ``reliability``, ``classes``, ``confusion``) and, at the finest level,
        ``risk_coverage`` and ``threshold`` (``overall``, ``sections``, ``costs``); ``lookup``: what
        the rules engine does with the same texts, None without one; ``lookup_held_out``: what one
        did with texts held out when the model was trained (``n``, ``auto_rate``, ``accuracy``),
        None where the model does not tell; ``sets``: coverage and size of the conformal sets, as
        :func:`~autonoe_nace.evaluation.sets.set_figures` tells. An estimate is ``{"value", "low",
        "high"}`` with its 95 % interval.

    Raises
    ------
    InvalidInputError
        If there is no text, or weights, clusters or strata do not fit.
    """
    options = options or Options()
    if options.lookup is None:
        options = replace(options, lookup=getattr(model, "lookup", None))
    found = observe(model, data, weights=options.weights, coverage=options.coverage)
    document = judge(found, model.nomenclature, data, options)
    return {**document, "lookup_held_out": model.manifest.training.get("lookup_held_out") or None}


def judge(found: Outcomes, tree: Nomenclature, data: Dataset, options: Options) -> dict[str, Any]:
    """Return the document of :func:`assess` from answers that were observed before."""
    finest = found.finest
    columns = Columns(found.n)
    for level, rows in found.levels.items():
        add_level(columns, rows, found.weights, f"{level}.")
    add_steps(columns, finest, found.weights)
    sections, answered = _sections(finest, tree)
    groups, size = answered, max(1, len(sections))
    add_steps(columns, finest, found.weights, groups, size, "section_")
    draws = Bootstrap(
        found.n,
        replicates=options.replicates,
        seed=options.seed,
        clusters=options.clusters,
        strata=options.strata,
    )
    point, drawn = draws.totals(columns)
    overall = recommend(options.costs, point, drawn)
    texts = dict(zip(sections, np.bincount(answered, minlength=size).tolist(), strict=False))
    return {
        "n": found.n,
        "model": found.model,
        "bootstrap": {
            "replicates": options.replicates,
            "seed": options.seed,
            "drawn": _unit(options),
            "weighted": options.weights is not None,
        },
        "levels": {
            str(level): _level(found, rows, tree, point, drawn)
            for level, rows in found.levels.items()
        },
        "risk_coverage": risk_coverage(point, drawn),
        "threshold": {
            "level": finest.level,
            "costs": options.costs.model_dump(),
            "overall": overall,
            "sections": by_section(
                options.costs, point, drawn, texts, tree, overall["threshold"]["value"]
            ),
        },
        "lookup": lookup_figures(options.lookup, data, found.weights, draws)
        if options.lookup
        else None,
        "sets": set_figures(found, tree, draws),
        "report": data.report.to_dict(),
    }


def _level(
    found: Outcomes, rows: LevelOutcomes, tree: Nomenclature, point: Counts, drawn: Counts
) -> dict[str, Any]:
    p = f"{rows.level}."

    def macro(name: str) -> dict[str, float]:
        figure = getattr(figures, name)
        return estimate(
            lambda counts: figures.macro(figure(counts, p), counts, p), point, drawn, within=(0, 1)
        )

    def top(k: int) -> dict[str, float]:
        return estimate(lambda counts: figures.top_k(counts, k, p), point, drawn, within=(0, 1))

    return {
        "n": len(rows.rows),
        "effective_n": effective_size(found, rows),
        **{f"top{k}": top(k) for k in range(1, TOP + 1)},
        **{f"macro_{name}": macro(name) for name in ("precision", "recall", "f1")},
        "brier": estimate(lambda c: figures.brier(c, p), point, drawn, within=(0, 2)),
        "ece": estimate(lambda c: figures.calibration(c, p), point, drawn, within=(0, 1)),
        "reliability": reliability(point, drawn, p),
        "classes": class_rows(rows, tree, point, drawn, p),
        "confusion": confusion(rows, tree, found.weights),
    }


def _sections(found: LevelOutcomes, tree: Nomenclature) -> tuple[list[str], NDArray[np.intp]]:
    """Return the sections of the answers, and for each answer the position of its section.

    A deployment knows the answer and not the truth, so thresholds go by the answer's section.
    """
    above = [tree.ancestor(code, tree.levels[0]) or code for code in found.codes]
    names, place = np.unique(above, return_inverse=True)
    return names.tolist(), place[found.first].astype(np.intp)


def _unit(options: Options) -> str:
    if options.clusters is not None:
        return "clusters"
    return "texts within strata" if options.strata is not None else "texts"
