"""457 real texts that Eurostat put into the notes of both versions, and what is made of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autonoe_nace.data import Dataset, examine
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.recoding import Correspondence, load_correspondence
from autonoe_nace.recoding.decide import Rules
from autonoe_nace.recoding.recode import Plan, recode
from autonoe_nace.recoding.recoded import RecodedRegister
from autonoe_nace.recoding.register import Columns
from autonoe_nace.training import TrainingParams, train

PARAMS = TrainingParams(level=4, dim=20, epoch=20, bucket=30_000, minn=0, maxn=0, lr=1.0)


@dataclass(frozen=True)
class DoublyCoded:
    """Two models, and texts with a code in each version that neither learned from."""

    old_model: NaceModel
    new_model: NaceModel
    texts: list[str]
    old: list[str]
    new: list[str]

    def as_new(self) -> Dataset:
        """Return the texts with their new codes."""
        return examine(self.texts, self.new, self.new_model.nomenclature)


@pytest.fixture(scope="session")
def doubly(shared_data: Path) -> DoublyCoded:
    """Train on the notes of each version without the groups of the texts in both."""
    folder = shared_data / "data" / "labelled"
    old = pd.read_parquet(folder / "nace_rev2_notes_en_fr_de_train.parquet")
    old = old[old.lang == "en"]
    new = pd.read_parquet(folder / "nace_rev21_notes_en_train.parquet")
    old, new = (d.assign(key=[re.sub(r"\W+", " ", t.lower()) for t in d.text]) for d in (old, new))
    both = old.merge(new, on="key", suffixes=("_old", "_new")).drop_duplicates("key")
    held = both[both.group_old.astype(int) % 3 == 0]
    models = []
    for name, rows, group in (("nace-rev2", old, "group_old"), ("nace-rev2.1", new, "group_new")):
        seen = rows[~rows.group.isin(held[group]) & ~rows.key.isin(held.key)]
        tree = load_nomenclature(name)
        models.append(train(examine(list(seen.text), list(seen.code), tree), PARAMS, tree))
    return DoublyCoded(*models, list(held.text_old), list(held.code_old), list(held.code_new))


@pytest.fixture(scope="session")
def forward() -> Correspondence:
    return load_correspondence("nace-rev2", "nace-rev2.1")


@pytest.fixture(scope="session")
def register(doubly: DoublyCoded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the texts as a register in the old version: each twice, with employment and year."""
    n = len(doubly.texts)
    table = {
        "unit": [f"u{i}" for i in range(2 * n)],
        "label": doubly.texts * 2,
        "nace": doubly.old * 2,
        "employees": [str(1 + i % 7) for i in range(2 * n)],
        "year": ["2023"] * n + ["2024"] * n,
    }
    path = tmp_path_factory.mktemp("register") / "register.parquet"
    pq.write_table(pa.table(table), path)
    return path


COLUMNS = Columns(text="label", code="nace", id="unit", weight="employees", period="year")
PLAN = Plan(COLUMNS, Rules(threshold=0.6), chunk_rows=150)


@pytest.fixture(scope="session")
def recoded(
    doubly: DoublyCoded,
    forward: Correspondence,
    register: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> RecodedRegister:
    output = str(tmp_path_factory.mktemp("recoded") / "out")
    return recode(str(register), forward, doubly.new_model, output, plan=PLAN)


def rows_of(register: RecodedRegister) -> pd.DataFrame:
    """Return all rows of a recoded register, with the decisions of people."""
    return pa.Table.from_batches(list(register.batches())).to_pandas()
