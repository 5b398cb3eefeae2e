"""Training: the same bits each time, calibrated, interruptible, its sources on record."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import Dataset, ateco, examine
from autonoe_nace.evaluation import calibration_error
from autonoe_nace.model import NaceModel
from autonoe_nace.model.scores import softmax
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.training import TrainingParams, train
from autonoe_nace.training.assemble import code_hash
from autonoe_nace.training.calibrate import choose_temperature, choose_weights
from autonoe_nace.training.fit import fit
from autonoe_nace.training.held_out import Round, Scale, split
from autonoe_nace.training.material import gather

QUICK = TrainingParams(dim=16, epoch=8, bucket=5_000)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return ateco().subset(range(0, 8_000, 8))


@pytest.fixture(scope="module")
def model(data: Dataset) -> NaceModel:
    return train(data, QUICK)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("preset", ["fast", "full"])
def test_the_same_training_gives_the_same_bits_and_the_same_id(
    data: Dataset, tmp_path: Path, preset: str
) -> None:
    params = QUICK.model_copy(update={"preset": preset})
    first, second = (train(data, params).save(tmp_path / name) for name in ("1", "2"))
    names = {path.name for path in first.iterdir()} - {"model.json", "README.md"}
    assert {"model.bin", "conformal.json", "nomenclature.json", "preparation.json"} <= names
    assert ("linear-data.npy" in names) == ("neighbours-data.npy" in names) == (preset == "full")
    for name in names:
        assert _sha256(first / name) == _sha256(second / name), name
    one, two = NaceModel.load(first).manifest, NaceModel.load(second).manifest
    assert one.id == two.id
    assert one.hashes == two.hashes
    assert one.calibration == two.calibration


def test_another_seed_gives_another_model(data: Dataset, model: NaceModel) -> None:
    other = train(data, QUICK.model_copy(update={"seed": 2}))
    assert other.manifest.hashes["model"] != model.manifest.hashes["model"]
    assert other.id != model.id
    assert other.manifest.hashes["data"] == model.manifest.hashes["data"]


def test_the_number_of_threads_is_no_choice() -> None:
    assert TrainingParams().fasttext()["thread"] == 1
    with pytest.raises(InvalidInputError, match="thread"):
        TrainingParams.of(thread=4)


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"epoch": "x"}, {"lr": -1}, {"seed": -1}, {"no": 1}])
def test_parameters_out_of_range_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        TrainingParams.of(**wrong)


def test_the_manifest_says_what_was_learned_from(data: Dataset, model: NaceModel) -> None:
    manifest = model.manifest
    assert (manifest.nomenclature, manifest.language, manifest.level) == ("ateco2025", "it", 4)
    assert set(manifest.hashes) == {"model", "data", "rules", "code", "environment"}
    assert all(len(value) == 64 for value in manifest.hashes.values())
    assert manifest.hashes["code"] == code_hash()
    assert manifest.training["sources"][0]["texts"] == len(data)
    assert manifest.training["environment"]["fasttext-community"] == "0.11.9"
    assert manifest.size == sum(entry.size for entry in manifest.files.values())
    assert manifest.calibration.n > 50
    assert set(manifest.training["held_out"]) == {"1", "2", "3", "4"}


def test_the_manifest_says_how_near_duplicates_were_found(
    data: Dataset, model: NaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model.manifest.training["near_duplicates_by"] == "characters"
    monkeypatch.setattr("autonoe_nace.splitting.MOST_COMPARED", 100)
    crude = train(data.subset(range(300)), QUICK)
    assert crude.manifest.training["near_duplicates_by"] == "words"
    said = "near-duplicates are those with the same words only"
    assert said in (crude.save(tmp_path / "crude") / "README.md").read_text(encoding="utf-8")
    assert said not in (model.save(tmp_path / "fine") / "README.md").read_text(encoding="utf-8")


def test_canaries_hold_titles_and_no_row_of_the_data() -> None:
    rows = [f"secret activity number {i} of a person" for i in range(60)]
    codes = ["01.12", "10.71", "47.11"] * 20
    trained = train(examine(rows, codes, load_nomenclature("nace-rev2")), QUICK)
    titles = {node.title for node in trained.nomenclature.nodes.values()}
    assert len(trained.manifest.canary) >= 5
    assert {case.text for case in trained.manifest.canary} <= titles


def test_progress_moves_through_named_stages(data: Dataset) -> None:
    seen: list[tuple[str, float]] = []
    train(data, QUICK.model_copy(update={"epoch": 60}), progress=lambda s, x: seen.append((s, x)))
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages == [
        "preparing",
        "grouping near-duplicates",
        "learning for calibration",
        "calibrating",
        "learning",
        "finishing",
    ]
    shares = [share for stage, share in seen if stage == "learning"]
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares), "progress within a stage is visible"


def test_an_interrupted_training_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    children: list[int] = []
    others = _children()  # servers that this worker's other tests share

    def interrupt(share: float) -> None:
        children.extend(pid for pid in _children() if pid not in others)
        if share > 0:
            raise KeyboardInterrupt

    samples = [(f"word{i % 90} thing{i % 7}", f"{i % 50:02d}") for i in range(20_000)]
    with pytest.raises(KeyboardInterrupt):
        fit(samples, TrainingParams(epoch=1_000), tmp_path / "model.bin", interrupt)
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert list(tmp_path.iterdir()) == []


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_a_diverging_training_says_what_to_change(tmp_path: Path) -> None:
    samples = [(f"a{i % 3} b{i % 5}", f"{i % 40:02d}") for i in range(4_000)]
    params = TrainingParams(lr=10, epoch=60, word_ngrams=1, minn=0, maxn=0, dim=100)
    with pytest.raises(InvalidInputError, match="diverged") as caught:
        fit(samples, params, tmp_path / "model.bin", lambda _: None)
    assert "--lr" in caught.value.hint


def test_a_fasttext_that_cannot_train_ends_in_words(tmp_path: Path) -> None:
    with pytest.raises(AutonoeError) as caught:
        fit([], TrainingParams(), tmp_path / "model.bin", lambda _: None)
    assert caught.value.code == "training_failed"


def test_the_level_is_that_of_most_codes_unless_chosen(data: Dataset) -> None:
    tree = load_nomenclature("uksic2007")
    texts = [f"text {word}" for word in ("rice", "wheat", "beer", "bread", "shop")]
    five = examine(texts, ["01120", "01110", "11050", "10710", "47.11"], tree)
    material = gather(five, [], tree, TrainingParams(titles=False), _identity())
    assert material.level == 5
    assert [code for _, code in material.samples] == ["01120", "01110", "11050", "10710", "47110"]
    chosen = gather(five, [], tree, TrainingParams(titles=False, level=2), _identity())
    assert {code for _, code in chosen.samples} == {"01", "11", "10", "47"}


def test_extra_material_is_learned_once_and_never_judged(data: Dataset) -> None:
    tree = data.nomenclature
    extra = examine(["un testo in piu", "un testo in piu", data.texts[0]], ["01.12"] * 3, tree)
    with_extra = gather(data, [extra], tree, TrainingParams(titles=False), _identity())
    assert with_extra.own == len(data)
    assert len(with_extra.samples) == len(data) + 2
    assert [source["texts"] for source in with_extra.sources] == [len(data), 2]


def test_titles_are_learned_unless_switched_off_or_in_another_language() -> None:
    tree = load_nomenclature("uksic2007")
    data = examine(["rice", "beer"], ["01120", "11050"], tree)
    learned = {
        name: len(gather(data, [], tree, params, _identity(language)).samples)
        for name, params, language in (
            ("default", TrainingParams(), "en"),
            ("off", TrainingParams(titles=False), "en"),
            ("other", TrainingParams(), "fr"),
        )
    }
    assert learned["default"] > 700
    assert learned["off"] == learned["other"] == 2


@pytest.mark.parametrize("codes", [[], ["01.12", "01.12"]])
def test_nothing_to_learn_is_an_error(codes: list[str]) -> None:
    tree = load_nomenclature("nace-rev2")
    data = examine(["rice", "more rice"][: len(codes)], codes, tree)
    with pytest.raises(InvalidInputError):
        train(data, QUICK.model_copy(update={"titles": False}))


class _Flat:
    """A hierarchy of codes that are the labels themselves."""

    level = 1

    def __init__(self, codes: tuple[str, ...]) -> None:
        self.codes = codes

    def candidates(self, values: np.ndarray) -> np.ndarray:
        return values


def _round(truth: list[str], **scores: np.ndarray) -> Round:
    codes = tuple("abcdef")
    return Round(scores, codes, _Flat(codes), tuple(truth))  # type: ignore[arg-type]


def _drawn(logits: np.ndarray, rng: np.random.Generator) -> list[str]:
    odds = np.exp(logits.astype(float))
    return ["abcdef"[rng.choice(6, p=row / row.sum())] for row in odds]


def test_the_temperature_undoes_a_known_overconfidence() -> None:
    rng = np.random.default_rng(5)
    true = rng.normal(size=(4_000, 6)).astype(np.float32) * 2
    held = _round(_drawn(true, rng), fasttext=true * np.float32(2.5))
    found = choose_temperature([held], {})
    assert found.temperature == pytest.approx(2.5, rel=0.15)
    assert found.adapt == pytest.approx(0, abs=0.4)


def test_one_that_is_too_sure_only_of_easy_texts_is_softened_there_only() -> None:
    rng = np.random.default_rng(5)
    true = rng.normal(size=(6_000, 6)).astype(np.float32)
    true *= rng.choice([0.5, 3.0], size=(6_000, 1)).astype(np.float32)
    largest = softmax(true, 1.0).max(axis=1, keepdims=True)
    sharper = true * np.exp(np.float32(0.8) * (largest - np.float32(0.5)))
    held = _round(_drawn(true, rng), fasttext=sharper)
    found = choose_temperature([held], {})
    assert found.adapt > 0.4
    given = held.probabilities(found)
    right = [held.labels[j] == code for j, code in zip(given.argmax(1), held.truth, strict=True)]
    assert calibration_error(given.max(axis=1).tolist(), right) < 0.02
    alike = held.probabilities(Scale({}, 1.0))
    assert (alike.argmax(axis=1) == given.argmax(axis=1)).all(), "the order stays"


def test_texts_of_unseen_codes_make_the_model_less_sure() -> None:
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(2_000, 6)).astype(np.float32) * 3
    truth = ["abcdef"[row.argmax()] for row in logits]
    half = ["?" if i % 2 else code for i, code in enumerate(truth)]
    sure, unsure = (choose_temperature([_round(t, fasttext=logits)], {}) for t in (truth, half))
    assert unsure.temperature > sure.temperature


def test_weights_follow_what_each_part_knows() -> None:
    rng = np.random.default_rng(5)
    true = rng.normal(size=(3_000, 6)).astype(np.float32) * 2
    noise = rng.normal(size=(3_000, 6)).astype(np.float32)
    held = _round(_drawn(true, rng), fasttext=true / np.float32(2), linear=noise)
    found = choose_weights([held])
    assert found["fasttext"] == pytest.approx(2, rel=0.1)
    assert found["linear"] == pytest.approx(0, abs=0.1)
    assert choose_weights([_round(["a"], fasttext=true[:1])]) == {}


@pytest.mark.parametrize("rounds", [1, 3])
def test_no_group_is_held_out_twice(rounds: int) -> None:
    groups = [i // 3 for i in range(900)]
    parts = split(groups, share=0.2, rounds=rounds, seed=1)
    held = [{groups[i] for i in places} for pair in parts for places in pair]
    assert len(held) == 2 * rounds
    assert sum(map(len, held)) == len(set().union(*held)), "the sets share no group"
    assert sum(map(len, held)) == pytest.approx(300 * 0.2 * rounds, rel=0.05)
    assert split(groups, share=0.2, rounds=rounds, seed=1) == parts


@pytest.mark.parametrize("preset", ["fast", "full"])
def test_calibration_uses_no_text_twice(
    data: Dataset, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    fitted: list[list[tuple[str, str]]] = []
    told: dict[str, list[Round]] = {}
    module = sys.modules["autonoe_nace.training.train"]
    real = {name: getattr(module, name) for name in ("fit", "choose_weights", "judge")}
    monkeypatch.setattr(module, "fit", lambda s, *a: (fitted.append(list(s)), real["fit"](s, *a)))
    held: list[list[tuple[str, str]]] = []
    real_of = Round.of.__func__
    monkeypatch.setattr(
        Round,
        "of",
        classmethod(lambda c, e, h, s, *a: (held.append(list(s)), real_of(c, e, h, s, *a))[1]),
    )
    for name in ("choose_weights", "judge"):
        monkeypatch.setattr(
            module,
            name,
            lambda r, *a, n=name: (told.__setitem__(n, list(r)), real[n](r, *a))[1],
        )
    params = QUICK.model_copy(update={"preset": preset, "calibration_rounds": 2})
    train(data, params)
    first, second, final = fitted
    for learned, texts in ((first, held[:2]), (second, held[2:])):
        words = {" ".join(sorted(set(text.split()))) for text, _ in learned}
        assert all(" ".join(sorted(set(t.split()))) not in words for part in texts for t, _ in part)
        assert set(learned) < set(final)
    tuning, judging = held[0] + held[2], held[1] + held[3]
    assert not {text for text, _ in tuning} & {text for text, _ in judging}
    assert [r.truth for r in told["choose_weights"]] == [
        tuple(code for _, code in held[i]) for i in (0, 2)
    ]
    assert [r.truth for r in told["judge"]] == [tuple(code for _, code in held[i]) for i in (1, 3)]


def test_few_texts_are_not_calibrated_but_trained(data: Dataset) -> None:
    trained = train(data.subset(range(50)), QUICK)
    assert trained.manifest.calibration.n == 0
    assert trained.manifest.calibration.temperature == 1


def test_nomenclatures_without_titles_get_synthetic_canaries(data: Dataset) -> None:
    from autonoe_nace.nomenclature import Nomenclature

    bare = Nomenclature(
        "bare",
        language="und",
        nodes=[replace(node, title="") for node in data.nomenclature.nodes.values()],
    )
    trained = train(data.subset(range(100)), QUICK, bare)
    assert len(trained.manifest.canary) >= 5
    assert trained.manifest.language == "und"


def _identity(language: str = "en") -> object:
    from autonoe_nace.text import Preparation, load_rules

    return Preparation(load_rules(language))
