"""A small gold standard whose figures can be counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from autonoe_nace.annotation.store import describe


def gold_rows(folder: Path, said: dict[str, Any] | None = None) -> Path:
    """Write a gold standard of five texts below ``folder`` and return its address.

    Their weights make the figures: of the automatic ones 10 of 20 are right, of the others that
    could be coded 3 of 4, of all 13 of 24; 6 of 10 of the others cannot be coded. ``said`` is what
    a pull found about the round.
    """
    rows = [
        # request, code, model's code, weight, confidence, auto, status
        ("a", "01.12", "01.12", 10.0, 0.9, True, "coded"),
        ("b", "01.11", "01.12", 10.0, 0.9, True, "coded"),
        ("c", "01.12", "10.71", 1.0, 0.1, False, "coded"),
        ("d", "10.71", "10.71", 3.0, 0.3, False, "coded"),
        ("e", "", "10.71", 6.0, 0.2, False, "cannot_be_coded"),
    ]
    names = ["request_id", "code", "model_code", "weight", "model_confidence", "auto", "status"]
    found = pa.table(
        {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    )
    n = len(rows)
    extra = {
        "position": pa.array([0] * n, pa.int32()),
        "stratum": pa.array(["s"] * n),
        "model_version": pa.array(["1"] * n),
        "annotated_at": pa.array([datetime(2026, 1, 2, tzinfo=UTC)] * n),
        "coder": pa.array(["ana"] * n),
    }
    for name, column in extra.items():
        found = found.append_column(name, column)
    place = folder / "gold"
    place.mkdir(parents=True)
    pq.write_table(describe(found, said) if said else found, place / "round-1.parquet")
    # corrected later: only the newest counts
    earlier = found.slice(0, 1).set_column(
        found.schema.get_field_index("code"), "code", pa.array(["10.71"])
    )
    position = found.schema.get_field_index("annotated_at")
    earlier = earlier.set_column(
        position, "annotated_at", pa.array([datetime(2026, 1, 1, tzinfo=UTC)])
    )
    pq.write_table(earlier, place / "round-0.parquet")
    return place
