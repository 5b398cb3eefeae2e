"""A small search for the tests: 48 texts, three folds, seconds a candidate."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from autonoe_nace.search import SearchPlan
from autonoe_nace.search.folds import gather

ROWS = (
    ("growing of rice", "01.12"),
    ("rice farm", "01.12"),
    ("growing of wheat", "01.11"),
    ("wheat farm", "01.11"),
    ("brewing of beer", "11.05"),
    ("beer brewery", "11.05"),
    ("bread bakery", "10.71"),
    ("bakery of cakes", "10.71"),
)
PLACES = ("north", "south", "east", "west", "old", "new")
QUICK = {"dim": 5, "epoch": 5, "bucket": 500, "titles": False, "calibration_share": 0.0}
OPTIONS = ["--set", "; ".join(f"{name}={value}" for name, value in QUICK.items())]


def write_table(folder: Path) -> Path:
    """Write the texts with their folds, and return the file."""
    path = folder / "texts.csv"
    lines = [
        f"{place} {text},{code},f{i % 3}"
        for i, (place, (text, code)) in enumerate(product(PLACES, ROWS))
    ]
    path.write_text("\n".join(["text,code,fold", *lines]) + "\n", encoding="utf-8")
    return path


def make_plan(data: Path | str, candidates: list[dict[str, Any]], **values: Any) -> SearchPlan:
    """Return a plan over ``data``; a file's hash goes into it."""
    plan = SearchPlan.of(
        **{
            "kind": "grid",
            "material": {"data": str(data), "nomenclature": "nace-rev2"},
            "base": QUICK,
            "candidates": candidates,
            "fold_column": "fold",
            **values,
        }
    )
    if isinstance(data, str):
        return plan
    return plan.model_copy(update={"sha256": gather(plan).sha256})
