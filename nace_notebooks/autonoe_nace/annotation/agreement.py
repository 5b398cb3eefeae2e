"""How often two people agree, and how often the model agrees with what they settled on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from autonoe_nace.annotation.estimation import Estimate, share
from autonoe_nace.nomenclature import LEVEL_NAMES, Nomenclature

if TYPE_CHECKING:
    from autonoe_nace.annotation.collecting import Coding

_REPLICATES = 400


def report(
    sample: pa.Table, said: Sequence[Coding], gold: pa.Table, nomenclature: Nomenclature
) -> dict[str, Any]:
    """Return people's agreement and the model's accuracy, side by side, for each level.

    Parameters
    ----------
    sample : pyarrow.Table
        Every drawn text with ``weight`` and ``stratum``.
    said : sequence of Coding
        What coders said (not the arbiter: who knows both answers is no second opinion).
    gold : pyarrow.Table
        What is settled.
    nomenclature : Nomenclature
        Rolls codes up.

    Returns
    -------
    dict
        ``agreement`` and ``model``: level name to estimates, weighted to the whole window.
    """
    levels = [level for level in nomenclature.levels if level <= len(LEVEL_NAMES)]
    return {
        "agreement": _agreement(sample, said, nomenclature, levels),
        "model": _model(gold, nomenclature, levels),
    }


def kappa(
    first: Sequence[str],
    second: Sequence[str],
    *,
    weights: ArrayLike | None = None,
    strata: Sequence[str] | None = None,
    seed: int = 1,
) -> dict[str, float]:
    """Return Cohen's kappa with a bootstrap interval (95 %, percentiles of 400 replicates).

    Parameters
    ----------
    first, second : sequence of str
        What two people said about the same texts.
    weights : array of float, optional
        Texts that each stands for.
    strata : sequence of str, optional
        Replicates are drawn within them, as the sample was.
    seed : int
        Of the replicates.

    Returns
    -------
    dict
        ``value``, ``low``, ``high``, ``n``. Two people who always give one and the same answer
        agree by construction: the value is 1 then, as their share of agreement is.
    """
    from sklearn.metrics import cohen_kappa_score

    a, b = np.asarray(first, dtype=object), np.asarray(second, dtype=object)
    _, both = np.unique(np.concatenate([a, b]).astype(str), return_inverse=True)
    x, y = both[: len(a)], both[len(a) :]
    w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64)

    def value(rows: Any) -> float:
        if len(np.unique(x[rows])) < 2 and np.array_equal(x[rows], y[rows]):
            return 1.0
        return float(cohen_kappa_score(x[rows], y[rows], sample_weight=w[rows]))

    if len(a) == 0:
        return {"value": 0.0, "low": -1.0, "high": 1.0, "n": 0}
    random = np.random.default_rng(seed)
    labels = np.zeros(len(a)) if strata is None else np.unique(strata, return_inverse=True)[1]
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    found = [
        value(np.concatenate([random.choice(group, len(group)) for group in groups]))
        for _ in range(_REPLICATES)
    ]
    low, high = np.quantile(found, [0.025, 0.975])
    return {"value": value(slice(None)), "low": float(low), "high": float(high), "n": len(a)}


def _agreement(
    sample: pa.Table, said: Sequence[Coding], nomenclature: Nomenclature, levels: Sequence[int]
) -> dict[str, Any]:
    pairs: dict[tuple[str, int], list[Coding]] = defaultdict(list)
    for coding in said:
        pairs[coding.key].append(coding)
    columns = (sample[name].to_pylist() for name in ("request_id", "position", "weight", "stratum"))
    twice = [
        (sorted(pairs[request, position], key=lambda c: c.coder), weight, stratum)
        for request, position, weight, stratum in zip(*columns, strict=True)
        if len(pairs.get((request, position), ())) == 2
    ]
    weights = [weight for _, weight, _ in twice]
    strata = [stratum for _, _, stratum in twice]
    found: dict[str, Any] = {}
    for level in levels:
        first, second = (
            [_rolled(codings[i], level, nomenclature) for codings, _, _ in twice] for i in (0, 1)
        )
        same = [a == b for a, b in zip(first, second, strict=True)]
        found[LEVEL_NAMES[level - 1]] = {
            "percent": share(same, weights, strata).to_dict(),
            "kappa": kappa(first, second, weights=weights, strata=strata),
        }
    return found


def _model(gold: pa.Table, nomenclature: Nomenclature, levels: Sequence[int]) -> dict[str, Any]:
    """Return the model's accuracy among texts that people could code: auto, manual and all."""
    rows = gold.to_pylist()
    weights = [row["weight"] for row in rows]
    strata = [row["stratum"] for row in rows]
    coded = np.array([row["status"] == "coded" for row in rows], dtype=bool)
    auto = np.array([bool(row["auto"]) for row in rows], dtype=bool)
    found: dict[str, Any] = {}
    for level in levels:
        # a code that stops above this level has no answer here: it is neither right nor wrong
        truth = [_at(row["code"], level, nomenclature) for row in rows]
        known = coded & np.array([code is not None for code in truth], dtype=bool)
        right = [
            code is not None and code == _at(row["model_code"], level, nomenclature)
            for code, row in zip(truth, rows, strict=True)
        ]
        parts = {"all": known, "auto": known & auto, "manual": known & ~auto}
        found[LEVEL_NAMES[level - 1]] = {
            name: share(right, weights, strata, domain=part).to_dict()
            for name, part in parts.items()
        }
    return found


def _at(code: str, level: int, nomenclature: Nomenclature) -> str | None:
    return nomenclature.ancestor(code, level)


def _rolled(coding: Coding, level: int, nomenclature: Nomenclature) -> str:
    if coding.status != "coded":
        return coding.status
    return nomenclature.ancestor(coding.code, level) or coding.code


__all__ = ["Estimate", "kappa", "report"]
