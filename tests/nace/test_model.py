"""The model's files: whole or refused, in a process of their own; its answers: probabilities."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path

import fasttext
import numpy as np
import pytest

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError
from autonoe_nace.model import NaceModel
from autonoe_nace.model import canary as canary_module
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.manifest import FileEntry
from autonoe_nace.model.nace_model import best
from autonoe_nace.model.scores import Scorer, softmax
from autonoe_nace.nomenclature import load_nomenclature

TEXTS = ["coltivazione di riso", "panificio", "commercio al dettaglio di scarpe", "trasporto merci"]


@pytest.fixture(scope="module")
def model(small_model: Path) -> NaceModel:
    return NaceModel.load(small_model)


@pytest.fixture
def folder(small_model: Path, tmp_path: Path) -> Path:
    """Return a copy of the model that a test may damage."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def _state_anew(folder: Path) -> None:
    """Make the manifest agree with the files, as a registry entry of a bad model would."""
    document = json.loads((folder / "model.json").read_text())
    for name in document["files"]:
        document["files"][name] = FileEntry.of(folder / name).model_dump()
    (folder / "model.json").write_text(json.dumps(document))


def test_a_saved_model_answers_like_the_one_in_memory(model: NaceModel, tmp_path: Path) -> None:
    again = NaceModel.load(model.save(tmp_path / "copy"))
    assert again.predict(TEXTS) == model.predict(TEXTS)
    assert again.id == model.id


def test_probabilities_are_those_of_fasttext_before_calibration(small_model: Path) -> None:
    file = small_model / "model.bin"
    ours, theirs = Scorer(file), fasttext.load_model(str(file))
    prepared = NaceModel.load(small_model, check=False).prepare.all(TEXTS)
    exact = softmax(ours.logits(prepared), 1.0)
    for row, text in zip(exact, prepared, strict=True):
        labels, scores = theirs.predict(text, k=5)
        columns = [ours.labels.index(label.removeprefix("__label__")) for label in labels]
        assert [float(row[j]) for j in columns] == pytest.approx(list(scores), abs=2e-3)


def test_candidates_are_ordered_titled_and_sum_to_one(model: NaceModel) -> None:
    for found in model.predict(TEXTS, k=10_000):
        values = [c.probability for c in found.candidates]
        assert len(values) == len(model.codes)
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-4)
        assert found.confidence == pytest.approx(values[0] - values[1])
        assert all(c.title for c in found.candidates)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_broader_levels_are_sums_of_what_lies_under_them(model: NaceModel, level: int) -> None:
    fine = model.predict(TEXTS, k=10_000)
    broad = model.predict(TEXTS, k=10_000, level=level)
    for below, above in zip(fine, broad, strict=True):
        sums: dict[str, float] = {}
        for c in below.candidates:
            code = model.nomenclature.ancestor(c.code, level) or ""
            sums[code] = sums.get(code, 0) + c.probability
        assert {c.code: c.probability for c in above.candidates} == pytest.approx(sums, abs=1e-5)


def test_the_answer_to_a_text_does_not_depend_on_its_neighbours(model: NaceModel) -> None:
    batch = model.predict([*TEXTS, "", *TEXTS] * 40)
    alone = [model.predict([text])[0] for text in TEXTS]
    for one, many in zip(alone, batch, strict=False):
        assert [c.code for c in one.candidates] == [c.code for c in many.candidates]
        assert one.confidence == pytest.approx(many.confidence, abs=1e-5)


@pytest.mark.parametrize("text", ["", "  ", "...", "idem", "\ud800", "\x00"])
def test_a_text_without_a_word_gets_no_candidate(model: NaceModel, text: str) -> None:
    found = model.predict([text])[0]
    assert found.candidates == ()
    assert found.confidence == 0


def test_odd_texts_get_finite_answers(model: NaceModel) -> None:
    for found in model.predict(["x" * 5_000, "riso\nriso", "__label__01.12", "\u65e5\u672c", "7"]):
        assert all(np.isfinite(c.probability) for c in found.candidates)
        assert 0 <= found.confidence <= 1


def test_wrong_questions_are_refused(model: NaceModel) -> None:
    for wrong in ({"k": 0}, {"level": 5}, {"level": 0}):
        with pytest.raises(InvalidInputError):
            model.predict(TEXTS, **wrong)
    with pytest.raises(InvalidInputError):
        model.predict("one text")
    with pytest.raises(InvalidInputError):
        model.predict([None])  # type: ignore[list-item]
    assert model.predict([]) == []


def test_equal_scores_go_to_the_first_code() -> None:
    values = np.array([[0.2, 0.3, 0.3, 0.2]], dtype=np.float32)
    assert best(values, 2).tolist() == [[1, 2]]
    assert best(values, 4).tolist() == [[1, 2, 0, 3]]
    assert best(values, 9).tolist() == [[1, 2, 0, 3]]


def test_classes_share_their_probability_among_known_subclasses() -> None:
    tree = load_nomenclature("uksic2007")
    hierarchy = Hierarchy(["10511", "10512", "10.51", "01.12"], tree, 5)
    assert hierarchy.codes == ("01120", "10511", "10512")
    values = hierarchy.candidates(np.array([[0.3, 0.1, 0.4, 0.2]], dtype=np.float32))
    assert values[0].tolist() == pytest.approx([0.2, 0.6, 0.2], abs=1e-4)
    codes, rolled = hierarchy.roll_up(values, 4)
    assert codes == ("01.12", "10.51")
    assert rolled[0].tolist() == pytest.approx([0.2, 0.8], abs=1e-4)


def test_labels_of_several_broader_levels_add_up() -> None:
    tree = load_nomenclature("uksic2007")
    hierarchy = Hierarchy(["10511", "10512", "10520", "10.51", "10.5", "10.52"], tree, 5)
    assert hierarchy.codes == ("10511", "10512", "10520")
    values = hierarchy.candidates(np.array([[0.3, 0.1, 0.1, 0.2, 0.2, 0.1]], dtype=np.float32))
    # 10.52 has one subclass, 10520: .1 + .1; the shares follow .3, .1 and .2.
    expected = [0.3 + 0.2 * 3 / 4 + 0.2 * 3 / 6, 0.1 + 0.2 / 4 + 0.2 / 6, 0.2 + 0.2 * 2 / 6]
    assert values[0].tolist() == pytest.approx(expected, abs=1e-4)
    assert values.sum() == pytest.approx(1)


def test_deeper_labels_count_for_the_level_above() -> None:
    hierarchy = Hierarchy(["10511", "10512", "01120"], load_nomenclature("uksic2007"), 4)
    assert hierarchy.codes == ("01.12", "10.51")
    values = hierarchy.candidates(np.array([[0.5, 0.3, 0.2]], dtype=np.float32))
    assert values[0].tolist() == pytest.approx([0.2, 0.8])


def test_files_that_are_cut_or_changed_anywhere_are_refused_at_once(folder: Path) -> None:
    for name in ("model.bin", "nomenclature.json", "preparation.json"):
        path = folder / name
        whole = path.read_bytes()
        for part in range(25):
            offset = len(whole) * part // 25
            changed = bytearray(whole)
            changed[offset] ^= 0xFF
            for bad in (whole[:offset], bytes(changed)):
                path.write_bytes(bad)
                with pytest.raises(AutonoeError) as caught:
                    NaceModel.load(folder)
                assert caught.value.code == "model_damaged"
        path.write_bytes(whole)
    assert NaceModel.load(folder).id


@pytest.mark.parametrize("part", range(10))
def test_a_cut_file_with_a_true_hash_ends_the_child_only(folder: Path, part: int) -> None:
    path = folder / "model.bin"
    whole = path.read_bytes()
    # The head holds the sizes by which the reader allocates; it is cut more finely.
    size = [0, 4, 60, 200, 2_000, *(len(whole) * x // 6 for x in range(1, 6))][part]
    path.write_bytes(whole[:size])
    _state_anew(folder)
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(folder)
    assert caught.value.code == "model_damaged"


@pytest.mark.parametrize("offset", [0, 8, 12, 20, 60, 76, 84, 92, 100, 130])
def test_a_changed_head_with_a_true_hash_is_refused_or_harmless(folder: Path, offset: int) -> None:
    path = folder / "model.bin"
    changed = bytearray(path.read_bytes())
    changed[offset : offset + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(bytes(changed))
    _state_anew(folder)
    loaded = None
    with suppress(AutonoeError):
        loaded = NaceModel.load(folder)
    if loaded is not None:
        canary_module.check_cases(loaded)


def test_a_model_that_answers_otherwise_than_stated_is_refused(folder: Path) -> None:
    document = json.loads((folder / "model.json").read_text())
    document["canary"][3]["probability"] = 1 - document["canary"][3]["probability"]
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(AutonoeError, match="answers"):
        NaceModel.load(folder)


def test_a_model_without_canaries_is_refused(folder: Path) -> None:
    document = json.loads((folder / "model.json").read_text())
    document["canary"] = []
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(AutonoeError, match="canary"):
        NaceModel.load(folder)


def test_rules_that_no_longer_fit_are_refused(folder: Path) -> None:
    path = folder / "preparation.json"
    rules = json.loads(path.read_text())
    rules["rules"] = [rule for rule in rules["rules"] if rule["kind"] != "stem"]
    path.write_text(json.dumps(rules))
    _state_anew(folder)
    with pytest.raises(AutonoeError, match="answers"):
        NaceModel.load(folder)


@pytest.mark.parametrize(
    "manifest",
    ["", "{", "[]", "null", "{}", '{"format": 99}', "[" * 100_000, '{"format": 1, "id": 3}'],
)
def test_a_damaged_manifest_is_refused(folder: Path, manifest: str) -> None:
    (folder / "model.json").write_text(manifest)
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(folder)
    assert caught.value.code in {"model_damaged", "model_format"}


def test_a_manifest_that_names_other_files_is_refused(folder: Path) -> None:
    document = json.loads((folder / "model.json").read_text())
    document["files"]["../model.bin"] = document["files"].pop("model.bin")
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(folder)
    assert caught.value.code == "model_damaged"


def test_a_child_that_never_answers_is_given_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(canary_module, "TIMEOUT_S", 0.5)
    with pytest.raises(AutonoeError, match=r"0\.5 s"):
        NaceModel.load(folder)


def test_an_empty_folder_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(tmp_path)
    assert caught.value.code == "model_missing"


def test_saving_replaces_a_model_and_nothing_else(model: NaceModel, tmp_path: Path) -> None:
    target = model.save(tmp_path / "a" / "model")
    assert model.save(target) == target
    named = {"README.md", "model.json", *model.manifest.files}
    assert {path.name for path in target.iterdir()} == named
    assert {"model.bin", "nomenclature.json", "preparation.json"} <= named
    assert [path.name for path in target.parent.iterdir()] == ["model"], "no scratch folder stays"
    other = tmp_path / "b"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(ConflictError):
        model.save(other)
    assert (other / "thesis.txt").read_text() == "years of work"


def test_the_card_names_data_limits_and_licence(small_model: Path) -> None:
    card = (small_model / "README.md").read_text(encoding="utf-8")
    for part in ("library_name: fasttext", "ISTAT", "CC BY 4.0", "## Limits", "## Reproduce"):
        assert part in card


def test_threads_share_one_model(model: NaceModel) -> None:
    expected, found = model.predict(TEXTS), []
    threads = [
        threading.Thread(target=lambda: found.append(model.predict(TEXTS))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
