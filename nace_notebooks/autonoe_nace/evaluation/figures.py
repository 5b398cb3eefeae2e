"""Figures from counts; each works on the counts of the data and on those of all replicates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.evaluation.bootstrap import Counts, ratio

Floats = NDArray[np.float64]


def top_k(counts: Counts, k: int, prefix: str = "") -> Floats:
    """Return the share of texts whose true code is among the first ``k``, 1 to 5."""
    among = counts[f"{prefix}rank"][..., :k].sum(axis=-1)
    return ratio(among, counts[f"{prefix}weight"][..., 0])


def brier(counts: Counts, prefix: str = "") -> Floats:
    """Return the mean Brier score over all codes, in [0, 2]; 0 is perfect."""
    return ratio(counts[f"{prefix}brier"][..., 0], counts[f"{prefix}weight"][..., 0])


def calibration(counts: Counts, prefix: str = "") -> Floats:
    """Return the expected calibration error over bins of equal width, in [0, 1]."""
    gaps = np.abs(counts[f"{prefix}bin_hit"] - counts[f"{prefix}bin_sum"]).sum(axis=-1)
    return ratio(gaps, counts[f"{prefix}weight"][..., 0])


def precision(counts: Counts, prefix: str = "") -> Floats:
    """Return for each code the share of right ones among its answers; NaN without an answer."""
    return ratio(counts[f"{prefix}hit"], counts[f"{prefix}given"])


def recall(counts: Counts, prefix: str = "") -> Floats:
    """Return for each code the share of its texts that get it; NaN without a text."""
    return ratio(counts[f"{prefix}hit"], counts[f"{prefix}true"])


def f1(counts: Counts, prefix: str = "") -> Floats:
    """Return for each code the harmonic mean of both; NaN without text and answer."""
    both = counts[f"{prefix}true"] + counts[f"{prefix}given"]
    return ratio(2 * counts[f"{prefix}hit"], both)


def bias(counts: Counts, prefix: str = "") -> Floats:
    """Return for each code how many more texts get it than have it."""
    return np.asarray(counts[f"{prefix}given"] - counts[f"{prefix}true"])


def relative_bias(counts: Counts, prefix: str = "") -> Floats:
    """Return the bias as share of the true number; NaN without a text."""
    return ratio(bias(counts, prefix), counts[f"{prefix}true"])


def macro(per_code: Floats, counts: Counts, prefix: str = "") -> Floats:
    """Return the mean over the codes that have texts, every code weighing the same.

    A code that is never answered has no precision; it counts as 0, as scikit-learn does.
    """
    present = counts[f"{prefix}true"] > 0
    values = np.where(present, np.nan_to_num(per_code), 0.0)
    return ratio(values.sum(axis=-1), present.sum(axis=-1).astype(float))
