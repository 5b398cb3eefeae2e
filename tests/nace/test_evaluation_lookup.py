"""A model with a rules engine is judged by the answers that people get, the engine's included."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from autonoe.cli import main
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.evaluation import Options, assess, compare, evaluate, wilson
from autonoe_nace.evaluation.report import render
from autonoe_nace.model import NaceModel
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.manifest import CONFORMAL_FILE
from autonoe_nace.recoding.dual import of_prepared, probabilities
from autonoe_nace.registry.gating import gate
from autonoe_nace.training import TrainingParams, train
from autonoe_nace.training.first_stage import rates, worth
from autonoe_nace.training.held_out import Round, Scale, judge

PARAMS = TrainingParams(dim=12, epoch=8, bucket=4_000, lookup=True, titles=False, keep_texts=False)
DATA = ateco().subset(range(0, 6_000, 6))


@pytest.fixture(scope="module")
def model() -> NaceModel:
    return train(DATA, PARAMS)


@pytest.fixture(scope="module")
def parts(model: NaceModel) -> NaceModel:
    """Return the same model without its engine."""
    bare = model.manifest.calibration.model_copy(update={"lookup": None})
    manifest = model.manifest.model_copy(update={"calibration": bare, "id": "nace-parts"})
    return NaceModel(model.folder, manifest)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Return texts that the model learned from, which the engine finds, and others."""
    return ateco().subset(range(0, 6_000, 15))


def _right(model: NaceModel, data: Dataset, level: int) -> np.ndarray:
    truth = [model.nomenclature.ancestor(code, level) for code in data.codes]
    found = model.predict(data.texts, 1, level=level)
    return np.array([f.candidates[0].code == t for f, t in zip(found, truth, strict=True)])


def test_accuracy_is_that_of_the_answers(model: NaceModel, parts: NaceModel, data: Dataset) -> None:
    stages = [p.stage for p in model.predict(data.texts)]
    assert 50 < stages.count("lookup") < len(data)
    levels = evaluate(model, data)["levels"]
    for level in (1, 2, 3, 4):
        given = levels[str(level)]["top1"]["value"]
        assert given == pytest.approx(_right(model, data, level).mean()), level
    without = evaluate(parts, data)["levels"]["4"]["top1"]["value"]
    assert without == pytest.approx(_right(parts, data, 4).mean())
    assert levels["4"]["top1"]["value"] > without + 0.05, "the engine earns something here"


def test_the_threshold_is_the_cheapest_for_the_answers(model: NaceModel, data: Dataset) -> None:
    options = Options(replicates=20)
    found = assess(model, data, options)["threshold"]["overall"]
    right = _right(model, data, 4)
    confidence = np.array([p.confidence for p in model.predict(data.texts)])
    wrong, by_hand = options.costs.wrong_code, options.costs.of_review

    def cost(threshold: float) -> float:
        auto = confidence >= threshold
        return float((auto & ~right).sum() * wrong + (~auto).sum() * by_hand) / len(data)

    tried = {step / 100: cost(step / 100) for step in range(101)}
    least = min(tried.values())
    cheapest = max(t for t, value in tried.items() if value == pytest.approx(least))
    assert found["threshold"]["value"] == pytest.approx(cheapest)
    assert found["cost_per_1000"]["value"] == pytest.approx(1_000 * least)
    assert found["coverage"]["value"] == pytest.approx((confidence >= cheapest).mean())


def test_comparison_and_gate_count_what_the_engine_adds(
    model: NaceModel, parts: NaceModel, data: Dataset
) -> None:
    with_it, without = _right(model, data, 4), _right(parts, data, 4)
    pairs = compare(parts, model, data, replicates=20)["levels"]["4"]["pairs"]
    assert pairs["only_b"] == (with_it & ~without).sum() > 20
    assert pairs["only_a"] == (without & ~with_it).sum()
    other = ateco().subset(range(1, 6_000, 10))
    report = gate(model, parts, other, replicates=50)
    # the entries of the engine tell which of these texts were learned
    learned = set(model.prepare.all(DATA.texts))
    fresh = [i for i, text in enumerate(model.prepare.all(other.texts)) if text not in learned]
    assert report.left_out == len(other) - len(fresh) == report.learned_by_challenger > 0
    assert report.learned_by_champion is None
    other = other.subset(fresh)
    assert report.challenger == pytest.approx(_right(model, other, 4).mean())
    assert report.gained == (_right(model, other, 4) & ~_right(parts, other, 4)).sum() > 0


def test_answers_in_two_versions_start_from_the_answers(model: NaceModel, data: Dataset) -> None:
    texts = [*data.texts[:60], "..."]
    found = probabilities(model, texts)
    asked = model.predict(texts, len(model.codes))
    for row, prediction in zip(found[:-1], asked[:-1], strict=True):
        given = {c.code: c.probability for c in prediction.candidates}
        assert row == pytest.approx([given[code] for code in model.codes], abs=1e-7)
    assert not found[-1].any()
    assert not asked[-1].candidates
    alone = of_prepared(model, model.prepare.all(texts))
    assert np.abs(alone - found).max() > 0.1, "the parts alone say something else"


def test_sets_and_card_are_learned_with_the_engine(model: NaceModel) -> None:
    given = model.manifest.calibration.lookup
    assert given is not None
    document = json.loads((model.folder / CONFORMAL_FILE).read_text(encoding="utf-8"))
    scores = [score for own in document["scores"].values() for score in own]
    assert len(scores) == model.manifest.training["held_out"]["4"]["n"]
    by_engine = [score for score in scores if score == pytest.approx(1 - given, abs=1.1e-6)]
    assert by_engine, "a right answer of the engine has the score 1 - worth"


def test_a_round_puts_what_the_engine_is_sure_of_first(model: NaceModel) -> None:
    hierarchy = Hierarchy(("01.11", "01.12", "10.71"), model.nomenclature, 4)
    scores = {"fasttext": np.log(np.array([[0.7, 0.2, 0.1]] * 4, dtype=np.float32))}
    truth = ("01.12", "01.11", "10.71", "10.71")
    looked_up = ("01.12", None, "01.11", "96.09")
    held = Round(scores, hierarchy.codes, hierarchy, truth, looked_up)
    found = held.probabilities(Scale({}, lookup=0.75))
    expected = [[0.25 * 0.7 / 0.8, 0.75, 0.25 * 0.1 / 0.8], [0.7, 0.2, 0.1], [0.75] * 3]
    expected[2] = [0.75, 0.25 * 0.2 / 0.3, 0.25 * 0.1 / 0.3]
    assert found[:3].tolist() == pytest.approx(np.array(expected), abs=1e-6)
    assert found[3].tolist() == pytest.approx([0.7, 0.2, 0.1], abs=1e-6), "an unknown code"
    assert worth([held]) == pytest.approx((1 + 1) / (3 + 2))
    assert judge([held], Scale({}), model.nomenclature)["4"]["top1"]["value"] == 0.25
    with_engine = judge([held], Scale({}, lookup=0.75), model.nomenclature)
    assert with_engine["4"]["top1"]["value"] == 0.5


@pytest.fixture(scope="module")
def plain() -> tuple[NaceModel, list[Round]]:
    """Return a model without an engine, and the texts that it was judged on in training."""
    module = sys.modules["autonoe_nace.training.train"]
    told: list[Round] = []
    with pytest.MonkeyPatch.context() as patch:
        real = module.judge
        patch.setattr(module, "judge", lambda r, *a: (told.extend(r), real(r, *a))[1])
        trained = train(DATA, PARAMS.model_copy(update={"lookup": False}))
    return trained, told[: len(told) // 2]


def test_a_model_keeps_what_rules_alone_did_when_it_was_trained(
    model: NaceModel, plain: tuple[NaceModel, list[Round]]
) -> None:
    trained, rounds = plain
    found = trained.manifest.training["lookup_held_out"]
    pairs = [pair for part in rounds for pair in zip(part.looked_up, part.truth, strict=True)]
    answered = [(code, true) for code, true in pairs if code is not None]
    right = sum(code == true for code, true in answered)
    assert found["n"] == trained.manifest.training["held_out"]["4"]["n"] == len(pairs)
    assert (found["n_auto"], found["n_right"]) == (len(answered), right)
    assert 0 < found["n_auto"] < found["n"]
    assert found["auto_rate"] == wilson(len(answered), len(pairs))
    assert found["accuracy"] == wilson(right, len(answered))
    assert model.manifest.training["lookup_held_out"] == found, "whether it answers first or not"
    assert trained.first_stage is None
    assert not (trained.folder / "lookup.json").exists()
    assert rates([Round({}, (), rounds[0].hierarchy, ("01.11",))], trained.nomenclature, 4) == {}


def test_the_rules_stand_beside_every_model(
    plain: tuple[NaceModel, list[Round]],
    data: Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trained, _ = plain
    kept = trained.manifest.training["lookup_held_out"]
    document = assess(trained, data, Options(replicates=20))
    assert document["lookup"] is None
    assert document["lookup_held_out"] == kept
    rate = 100 * kept["auto_rate"]["value"]
    assert f"{rate:.1f} %" in render(document).partition("Look-up by rules, no model")[2][:400]
    folder = trained.save(tmp_path / "model")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"codes a share of {kept['auto_rate']['value']:.3f} (" in card
    assert f"; {kept['accuracy']['value']:.3f} (" in card
    table = tmp_path / "gold.csv"
    rows = [f'"{t.replace(chr(34), "")}";{c}' for t, c in zip(data.texts, data.codes, strict=True)]
    table.write_text("\n".join(["text;code", *rows]) + "\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["nace", "evaluate", "--model", str(folder), "--data", str(table)])
    said = capsys.readouterr().out
    assert f"on {kept['n']:,} texts held out in training: {rate:.1f}% coded" in said
