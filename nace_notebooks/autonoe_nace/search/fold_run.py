"""One fold of one candidate: train, judge, tell. This is what workers run."""

from __future__ import annotations

import time
from typing import Any

from autonoe.errors import AutonoeError
from autonoe_nace.evaluation.evaluate import summary
from autonoe_nace.evaluation.outcomes import observe
from autonoe_nace.search.folds import Folded
from autonoe_nace.training import TrainingParams, train

Result = dict[str, Any]

LOST = frozenset({"worker_lost", "out_of_memory", "fold_failed"})
"""Errors that can be gone another time: ``resume`` tries these folds again."""


def run_fold(material: Folded, params: dict[str, Any], candidate: int, fold: int) -> Result:
    """Train a candidate without one fold and judge it on that fold.

    Parameters
    ----------
    material : Folded
        The texts and their folds.
    params : dict
        All training parameters of the candidate.
    candidate, fold : int
        Numbers, from 0.

    Returns
    -------
    dict
        ``candidate``, ``fold``, ``params``, ``n``, ``n_learned``, ``level`` (the finest),
        ``levels`` (as :func:`autonoe_nace.evaluation.evaluate` gives), ``ranks`` (place of the
        right code among five for each text, 5 for none), ``train_s``, ``predict_ms`` (a text),
        ``bytes`` and ``model``; or ``error`` (``code``, ``message``, ``hint``) in place of the
        figures when this candidate cannot be trained.
    """
    head: Result = {"candidate": candidate, "fold": fold, "params": params}
    try:
        learned, judged = material.split(fold)
        began = time.monotonic()
        model = train(learned, TrainingParams.of(**params), extra=material.extra)
        trained = time.monotonic()
        found = observe(model, judged)
        seconds = time.monotonic() - trained
    except AutonoeError as error:
        return {**head, **error.as_dict()}
    except MemoryError:
        return {**head, **_out_of_memory().as_dict()}
    return {
        **head,
        "n": len(judged),
        "n_learned": len(learned),
        "level": found.finest.level,
        "levels": {str(level): summary(found, rows) for level, rows in found.levels.items()},
        "ranks": found.finest.rank.tolist(),
        "train_s": trained - began,
        "predict_ms": 1_000 * seconds / len(judged),
        "bytes": model.manifest.size,
        "model": model.id,
    }


def lost(candidate: int, fold: int, params: dict[str, Any], error: AutonoeError) -> Result:
    """Return the result of a fold whose worker could not tell."""
    return {"candidate": candidate, "fold": fold, "params": params, **error.as_dict()}


def settled(result: Result) -> bool:
    """Tell whether a fold need not be run again."""
    return "error" not in result or result["error"]["code"] not in LOST


def _out_of_memory() -> AutonoeError:
    return AutonoeError(
        "The fold needed more memory than a worker has.",
        hint="Raise --memory, or lower bucket or dim.",
        code="out_of_memory",
    )
