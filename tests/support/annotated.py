"""Made-up prediction logs whose truth is known, for the tests of sampling and annotation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from autonoe_nace.logs.record import SCHEMA
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.nomenclature.tree import Node

LAST = date(2026, 11, 20)
TREE = Nomenclature(
    "test",
    language="und",
    nodes=[
        *(Node(letter, 1, "", "") for letter in "ABC"),
        *(Node(f"{n:02d}", 2, "", "ABC"[n % 3]) for n in range(1, 31)),
    ],
)


def population(n: int, seed: int = 7) -> pa.Table:
    """Return logs of ``n`` predictions; their truth is in ``stage``."""
    random = np.random.default_rng(seed)
    confidence = random.beta(1.2, 0.7, n)
    code = random.choice([f"{k:02d}" for k in range(1, 31)], n, p=random.dirichlet(np.ones(30)))
    right = random.random(n) < 0.3 + 0.68 * confidence
    rows = {
        "request_id": [f"r{i:06d}" for i in range(n)],
        "position": [0] * n,
        "time": [
            datetime(2026, 11, 20, 12, tzinfo=UTC) - timedelta(days=i % 8 * 10) for i in range(n)
        ],
        "text": [f"text {i}" for i in range(n)],
        "codes": [[c] for c in code],
        "stage": ["right" if good else "wrong" for good in right],
        "probabilities": [[float((1 + c) / 2)] for c in confidence],
        "confidence": confidence.tolist(),
        "auto": (confidence >= 0.8).tolist(),
        "error": [""] * n,
        "deployment": ["one"] * n,
    }
    return pa.table({f.name: pa.array(rows.get(f.name, [None] * n), f.type) for f in SCHEMA})


def store(folder: Path, rows: pa.Table) -> str:
    """Write the logs by day as the ETL does and return their address."""
    days: dict[str, list[int]] = {}
    for index, moment in enumerate(rows["time"].to_pylist()):
        days.setdefault(moment.date().isoformat(), []).append(index)
    for day, indices in days.items():
        place = folder / f"date={day}"
        place.mkdir(parents=True)
        pq.write_table(rows.take(indices), place / "predictions.parquet")
    return str(folder)
