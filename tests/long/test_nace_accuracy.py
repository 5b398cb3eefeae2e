"""What the full preset promises on the UK index: all five folds, with notes, strictly, without.

Not part of ``make test``: it trains 45 models. Run it with ``make test-long``; it prints the table
of docs/guides/nace-model.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe_nace.training import TrainingParams, train
from support.uk_index import Figures, Material, fold_of

FOLDS = "01234"


def _cross_validated(
    shared_data: Path,
    material: Material,
    params: TrainingParams,
    capsys: pytest.CaptureFixture[str],
) -> Figures:
    figures = Figures()
    for fold in FOLDS:
        learned, judged, extra = fold_of(shared_data, fold, material)
        figures.add(train(learned, params, extra=extra), judged)
    with capsys.disabled():
        print(f"\n{material}: {figures.table()}\n{figures.by_section()}")  # noqa: T201  the table
    assert figures.n == 12_765
    return figures


@pytest.mark.timeout(7_200)
def test_with_notes_it_is_right_calibrated_and_covers(
    shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = _cross_validated(shared_data, "notes", TrainingParams(preset="full"), capsys)
    found = figures.table()
    assert found["top1"] >= 0.61
    assert found["top5"] >= 0.85
    assert found["division1"] >= 0.78
    assert found["division5"] >= 0.93
    assert found["ms"] < 1
    assert found["ece"] <= 0.03
    assert found["coverage"] == pytest.approx(0.9, abs=0.01)
    assert not figures.too_rarely_covered(), figures.by_section()


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize(
    ("material", "top1", "top5"), [("strict", 0.54, 0.80), ("alone", 0.49, 0.75)]
)
def test_with_less_material_it_stays_above_the_floor(
    shared_data: Path,
    material: Material,
    top1: float,
    top5: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # one round is enough where only accuracy is asked for
    params = TrainingParams(preset="full", calibration_rounds=1)
    found = _cross_validated(shared_data, material, params, capsys).table()
    assert found["top1"] >= top1
    assert found["top5"] >= top5
