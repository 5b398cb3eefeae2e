"""Welsh index entries and French notes of NAF 2025 through the same code as everything else."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from autonoe_nace.data import Dataset, read_table
from autonoe_nace.evaluation import evaluate
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, rules_for
from autonoe_nace.training import TrainingParams, train

QUICK = {"dim": 20, "epoch": 15, "bucket": 30_000, "minn": 0, "maxn": 0, "lr": 1.0}


def _judged(data: Dataset, language: str, level: int) -> tuple[NaceModel, dict[str, Any], float]:
    """Train on four fifths, judge on the rest; return also the share of its most frequent code."""
    prepared = Preparation(rules_for(language)).all(data.texts)
    learned, held = hold_out(near_duplicate_groups(prepared), share=0.2, seed=1)
    params = TrainingParams(language=language, level=level, calibration_share=0, **QUICK)
    model = train(data.subset(learned), params)
    kept = data.subset(held)
    codes = [model.nomenclature.ancestor(code, level) for code in kept.codes]
    frequent = Counter(codes).most_common(1)[0][1] / len(codes)
    return model, evaluate(model, kept)["levels"][str(level)], frequent


@pytest.mark.timeout(300)
def test_welsh_goes_through_the_same_code(shared_data: Path) -> None:
    uri = shared_data / "data" / "labelled" / "uksic2007_cy_train.parquet"
    tree = load_nomenclature("uksic2007")
    data = read_table(str(uri), nomenclature=tree, language="cy")
    assert len(data) == 12_767
    model, found, frequent = _judged(data.subset(range(0, len(data), 5)), "cy", 2)
    assert model.manifest.language == "cy"
    assert found["top1"]["low"] > 2 * frequent
    assert found["top5"]["value"] > found["top1"]["value"]
    answer = model.predict(["Tyfu reis"], 1)[0]
    assert model.nomenclature.level(answer.candidates[0].code) == 2


@pytest.mark.timeout(300)
def test_french_subclasses_with_a_letter_go_through_the_same_code(shared_data: Path) -> None:
    folder = shared_data / "data"
    tree = load_nomenclature(str(folder / "nomenclatures" / "naf_2025_fr.parquet"), language="fr")
    uri = folder / "labelled" / "naf_2025_notes_fr_train.parquet"
    data = read_table(str(uri), nomenclature=tree)
    assert len(data) == 4_740
    assert not {"unknown_code", "coarsened_code"} & data.report.findings.keys()
    model, found, frequent = _judged(data, "fr", 5)
    assert model.manifest.level == 5
    assert found["top1"]["low"] > 10 * frequent
    answer = model.predict(["culture du riz"], 1)[0].candidates[0]
    assert answer.code[-1].isalpha()
    assert answer.title
