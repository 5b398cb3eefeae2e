"""A register to try recoding on: real texts with their real codes, invented employment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from autonoe_nace.data import Dataset

YEARS = ("2023", "2024")
_LARGEST = 500


def example_register(data: Dataset, *, seed: int = 1) -> pa.Table:
    """Return a register of one unit a text and year: ``unit, text, code, employees, year``.

    Employment is drawn, most units small and a few large, as in a business register; it stands for
    whatever makes one unit matter more than another.

    Parameters
    ----------
    data : Dataset
        Texts with codes of the old version.
    seed : int
        Of the drawn numbers.
    """
    drawn = np.random.default_rng(seed)
    n = len(data)
    # Zipf's law is how sizes of firms are distributed
    sizes = np.minimum(drawn.zipf(1.8, size=n * len(YEARS)), _LARGEST)
    return pa.table(
        {
            "unit": [f"unit-{i}" for _ in YEARS for i in range(n)],
            "text": list(data.texts) * len(YEARS),
            "code": list(data.codes) * len(YEARS),
            "employees": [str(size) for size in sizes],
            "year": [year for year in YEARS for _ in range(n)],
        }
    )
