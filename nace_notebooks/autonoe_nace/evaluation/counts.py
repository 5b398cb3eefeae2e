"""From answers to columns of counts: what is summed at each level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation.bootstrap import Columns
from autonoe_nace.evaluation.measures import BINS
from autonoe_nace.evaluation.outcomes import TOP, LevelOutcomes

STEPS = 100
THRESHOLDS = np.arange(STEPS + 1) / STEPS
"""Thresholds that are tried: 0, .01, ... 1. A text is automatic when its confidence reaches one."""

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def add_level(columns: Columns, found: LevelOutcomes, weights: Floats, prefix: str = "") -> None:
    """Add the columns of one level; the names of its blocks begin with ``prefix``.

    Blocks: ``weight``, ``rank`` (6 columns: place of the true code, the last for "not among five"),
    ``brier``, ``true``, ``given`` and ``hit`` (a column a code), ``bin_weight``, ``bin_hit`` and
    ``bin_sum`` (a column a bin of probability).
    """
    rows, weight = found.rows, weights[found.rows]
    hits = weight * found.right
    size = len(found.codes)
    bins = np.minimum((found.probability * BINS).astype(np.intp), BINS - 1)
    columns.add(f"{prefix}weight", rows, weight)
    columns.add(f"{prefix}rank", rows, weight, found.rank, TOP + 1)
    columns.add(f"{prefix}brier", rows, weight * found.brier)
    columns.add(f"{prefix}true", rows, weight, found.truth, size)
    columns.add(f"{prefix}given", rows, weight, found.first, size)
    columns.add(f"{prefix}hit", rows, hits, found.first, size)
    columns.add(f"{prefix}bin_weight", rows, weight, bins, BINS)
    columns.add(f"{prefix}bin_hit", rows, hits, bins, BINS)
    columns.add(f"{prefix}bin_sum", rows, weight * found.probability, bins, BINS)


def add_steps(
    columns: Columns,
    found: LevelOutcomes,
    weights: Floats,
    groups: Places | None = None,
    size: int = 1,
    prefix: str = "",
) -> None:
    """Add the columns behind every threshold: ``step_weight`` and ``step_hit``.

    Parameters
    ----------
    columns : Columns
        Where to add them.
    found : LevelOutcomes
        The answers of the level.
    weights : array
        Of all texts of the data set.
    groups : array of int, optional
        A group for each answer, such as its section; each gets columns of its own.
    size : int
        Number of groups.
    prefix : str
        How the names of the blocks begin.
    """
    rows, weight = found.rows, weights[found.rows]
    places = steps(found.confidence)
    if groups is not None:
        places = places + groups * len(THRESHOLDS)
    width = size * len(THRESHOLDS)
    columns.add(f"{prefix}step_weight", rows, weight, places, width)
    columns.add(f"{prefix}step_hit", rows, weight * found.right, places, width)


def steps(confidence: Floats) -> Places:
    """Return for each confidence the highest threshold that it reaches, as position."""
    found = np.searchsorted(THRESHOLDS, confidence, side="right") - 1
    return np.clip(found, 0, STEPS).astype(np.intp)


def reaching(per_step: Floats) -> Floats:
    """Return the sums over all texts that reach each threshold (last axis: thresholds)."""
    return np.flip(np.cumsum(np.flip(per_step, axis=-1), axis=-1), axis=-1)
