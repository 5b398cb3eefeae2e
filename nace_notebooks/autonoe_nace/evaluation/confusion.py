"""Where wrong answers go: to a sibling of the right code, or to another branch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation.outcomes import LevelOutcomes
from autonoe_nace.nomenclature import Nomenclature

PAIRS = 50


def confusion(
    found: LevelOutcomes, tree: Nomenclature, weights: NDArray[np.float64], *, pairs: int = PAIRS
) -> dict[str, Any]:
    """Return how far wrong answers are from the right code, and the most frequent mistakes.

    Parameters
    ----------
    found : LevelOutcomes
        The answers at one level.
    tree : Nomenclature
        How codes nest.
    weights : array
        Of all texts of the data set.
    pairs : int
        How many mistakes to list.

    Returns
    -------
    dict
        ``wrong`` (weighted share of texts), ``within`` (for each broader level the share of the
        wrong answers that stay in the same code there; siblings share the next broader one), and
        ``pairs``: rows of ``true``, ``given``, their titles, ``n``, ``weight``, ``share`` of the
        texts of the true code, and ``common``: the deepest level at which both meet, 0 for none.
    """
    levels = [n for n in tree.levels if n < found.level]
    above = {n: _numbered(found, tree, n) for n in levels}
    wrong = np.flatnonzero(~found.right)
    weight = weights[found.rows]
    total = float(weight[wrong].sum())
    truth, given = found.truth[wrong], found.first[wrong]
    within = {
        str(n): float(weight[wrong][above[n][truth] == above[n][given]].sum() / total)
        if total
        else 0.0
        for n in levels
    }
    keys, place, counts = np.unique(
        truth * len(found.codes) + given, return_inverse=True, return_counts=True
    )
    sums = np.bincount(place, weights=weight[wrong], minlength=len(keys))
    of_code = np.bincount(found.truth, weights=weight, minlength=len(found.codes))
    rows = []
    for i in np.argsort(-sums, kind="stable")[:pairs]:
        true, answer = divmod(int(keys[i]), len(found.codes))
        common = [n for n in levels if above[n][true] == above[n][answer]]
        rows.append(
            {
                "true": found.codes[true],
                "true_title": tree.title(found.codes[true]),
                "given": found.codes[answer],
                "given_title": tree.title(found.codes[answer]),
                "n": int(counts[i]),
                "weight": float(sums[i]),
                "share": float(sums[i] / of_code[true]),
                "common": max(common, default=0),
            }
        )
    return {"wrong": total / float(weight.sum()), "within": within, "pairs": rows}


def _numbered(found: LevelOutcomes, tree: Nomenclature, level: int) -> NDArray[np.intp]:
    """Return for each code the number of its ancestor; a code without one is a branch by itself."""
    names = [tree.ancestor(code, level) or f"-{code}" for code in found.codes]
    return np.unique(names, return_inverse=True)[1].astype(np.intp)
