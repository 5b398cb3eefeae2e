"""The judgement of conformal sets, against the sets that people get, counted one by one."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from autonoe.cli import main
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.evaluation import Options, assess, wilson
from autonoe_nace.evaluation.report import render
from autonoe_nace.model import NaceModel
from autonoe_nace.training import TrainingParams, train

PARAMS = TrainingParams(
    dim=20, epoch=25, lr=1.0, minn=0, maxn=0, bucket=4_000, titles=False, keep_texts=False
)


@pytest.fixture(scope="module")
def model() -> NaceModel:
    return train(ateco().subset(range(0, 6_000, 6)), PARAMS)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Return texts that the model learned from, and others; two have a code of a group only."""
    found = ateco().subset(range(0, 6_000, 15))
    codes = ["01.1", "10.7", *found.codes[2:]]
    return Dataset(
        found.texts, tuple(codes), found.rows, found.nomenclature, found.report, found.source
    )


def _sets(model: NaceModel, data: Dataset, wanted: float) -> list[tuple[str, bool, int]]:
    """Return for each text with a class its section, whether its set holds it, and the size."""
    found = []
    for code, answer in zip(data.codes, model.predict(data.texts, coverage=wanted), strict=True):
        own = model.nomenclature.ancestor(code, 4)
        if own is not None and answer.conformal is not None:
            section = model.nomenclature.ancestor(code, 1) or ""
            found.append((section, own in answer.conformal, len(answer.conformal)))
    return found


@pytest.mark.parametrize("wanted", [0.4, 0.5])
def test_coverage_and_size_are_those_of_the_sets_that_people_get(
    model: NaceModel, data: Dataset, wanted: float
) -> None:
    given = assess(model, data, Options(replicates=200, coverage=wanted))["sets"]
    counted = _sets(model, data, wanted)
    covered = np.array([held for _, held, _ in counted])
    sizes = np.array([size for _, _, size in counted])
    assert (given["wanted"], given["level"], given["n"]) == (wanted, 4, len(data) - 2)
    assert given["coverage"]["value"] == pytest.approx(covered.mean())
    assert given["size"]["value"] == pytest.approx(sizes.mean())
    assert 0.3 < covered.mean() < 1, "some sets miss, most hold"
    assert len(set(sizes)) > 3, "sets differ in size"
    by_theory = 1.96 * covered.std() / np.sqrt(len(covered))
    half = (given["coverage"]["high"] - given["coverage"]["low"]) / 2
    assert half == pytest.approx(by_theory, rel=0.25)
    by_section = defaultdict(list)
    for section, held, size in counted:
        by_section[section].append((held, size))
    assert [row["section"] for row in given["sections"]] == sorted(by_section)
    for row in given["sections"]:
        own = by_section[row["section"]]
        assert row["n"] == len(own)
        assert row["title"] == model.nomenclature.title(row["section"])
        assert row["coverage"]["value"] == pytest.approx(np.mean([held for held, _ in own]))
        assert row["size"]["value"] == pytest.approx(np.mean([size for _, size in own]))
        if all(held for held, _ in own):
            assert row["coverage"] == pytest.approx(wilson(len(own), len(own)))
            assert row["coverage"]["low"] < 1
        assert 1 <= row["size"]["low"] <= row["size"]["value"] <= row["size"]["high"]
    json.dumps(given, allow_nan=False)


def test_weights_count_in_coverage_and_size(model: NaceModel, data: Dataset) -> None:
    weights = [1.0 + i % 4 for i in range(len(data))]
    given = assess(model, data, Options(replicates=20, weights=weights, coverage=0.5))["sets"]
    counted = _sets(model, data, 0.5)
    kept = np.array(weights[2:])
    covered = np.array([held for _, held, _ in counted])
    sizes = np.array([size for _, _, size in counted])
    assert given["coverage"]["value"] == pytest.approx((kept * covered).sum() / kept.sum())
    assert given["size"]["value"] == pytest.approx((kept * sizes).sum() / kept.sum())


def test_a_code_that_the_model_does_not_know_is_in_no_set(model: NaceModel, data: Dataset) -> None:
    unknown = next(c for c in model.nomenclature.at_level(4) if c not in model.codes)
    few = data.subset([2, 3])
    strange = Dataset(few.texts, (unknown,) * 2, few.rows, few.nomenclature, few.report)
    given = assess(model, strange, Options(replicates=20))["sets"]
    assert given["coverage"]["value"] == 0
    assert given["coverage"]["high"] == pytest.approx(wilson(0, 2)["high"])


def test_a_model_without_sets_is_judged_without_them(
    small_model: Path, model: NaceModel, data: Dataset
) -> None:
    bare = NaceModel.load(small_model, check=False)
    assert assess(bare, data, Options(replicates=20))["sets"] is None
    too_much = assess(model, data, Options(replicates=20, coverage=0.9999))
    assert too_much["sets"] is None
    broad = Dataset(("riso",), ("01.1",), (1,), data.nomenclature, data.report)
    assert assess(model, broad, Options(replicates=20))["sets"] is None
    assert "Do sets hold" not in render(too_much)


def test_the_command_and_the_page_say_how_often_sets_hold(
    model: NaceModel, data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model.save(tmp_path / "model")
    rows = [f'"{t.replace(chr(34), "")}";{c}' for t, c in zip(data.texts, data.codes, strict=True)]
    table, page = tmp_path / "gold.csv", tmp_path / "report.html"
    table.write_text("\n".join(["text;code", *rows]) + "\n", encoding="utf-8")
    arguments = ["--model", str(folder), "--data", str(table), "--replicates", "20"]
    with pytest.raises(SystemExit) as left:
        main(["nace", "evaluate", *arguments, "--coverage", "0.8", "--report", str(page)])
    assert not left.value.code
    counted = _sets(model, data, 0.8)
    share = np.mean([held for _, held, _ in counted])
    size = np.mean([size for _, _, size in counted])
    said = capsys.readouterr().out
    assert f"sets of 80%: {share:.3f} (" in said
    assert f"with {size:.1f} (" in said
    text = page.read_text(encoding="utf-8")
    assert "Do sets hold the right code?" in text
    assert f"for {100 * share:.1f} %" in text
