"""The full preset, the first stage, fallbacks, sets and side variables, on one small real model."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.model.cli import predict as predict_command
from autonoe_nace.model.manifest import FileEntry
from autonoe_nace.model.vectors import Vectors
from autonoe_nace.training import TrainingParams, train

PARAMS = TrainingParams(
    preset="full", lookup=True, dim=16, epoch=20, bucket=5_000, titles=False, keep_texts=False
)
TEXTS = ["coltivazione di riso", "panificio", "commercio al dettaglio di scarpe", "trasporto merci"]


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Return 900 Italian texts with a side variable that tells retail trade from the rest."""
    small = ateco().subset(range(0, 7_200, 8))
    kind = tuple("shop" if code.startswith("47") else "other" for code in small.codes)
    return replace(small, features={"kind": kind})


@pytest.fixture(scope="module")
def saved(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(data, PARAMS).save(tmp_path_factory.mktemp("full") / "model")


@pytest.fixture(scope="module")
def model(saved: Path) -> NaceModel:
    return NaceModel.load(saved)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """Return a copy of the model that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def _replace(folder: Path, name: str, content: bytes) -> None:
    """Change a file and make the manifest agree, as a registry entry of a hostile model would."""
    (folder / name).write_bytes(content)
    document = json.loads((folder / "model.json").read_text())
    document["files"][name] = FileEntry.of(folder / name).model_dump()
    (folder / "model.json").write_text(json.dumps(document))


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def _too_large(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[len(changed) // 2] = 2**31 - 1
    return changed


def _negative(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[0] = -5
    return changed


@pytest.mark.parametrize(
    "name",
    ["linear-indices.npy", "linear-indptr.npy", "neighbours-indices.npy", "neighbours-labels.npy"],
)
@pytest.mark.parametrize("change", [_too_large, _negative, lambda a: a.astype(float)])
def test_an_index_outside_its_matrix_is_refused(
    folder: Path, name: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    _replace(folder, name, _npy(change(np.load(folder / name))))
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(folder, check=False)
    assert caught.value.code == "model_damaged"


class _Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.mark,)  # type: ignore[return-value]


def test_a_pickle_in_an_array_file_is_never_opened(folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    hostile = np.array([_Trap(mark)], dtype=object)
    for content in (_npy(hostile), pickle.dumps(hostile)):
        _replace(folder, "linear-data.npy", content)
        with pytest.raises(AutonoeError) as caught:
            NaceModel.load(folder, check=False)
        assert caught.value.code == "model_damaged"
    assert not mark.exists()


def test_a_cut_array_or_vocabulary_is_refused(folder: Path) -> None:
    for name in ("ngrams.json", "ngrams.npy", "linear-data.npy", "conformal.json", "lookup.json"):
        whole = (folder / name).read_bytes()
        _replace(folder, name, whole[: len(whole) // 2])
        with pytest.raises(AutonoeError) as caught:
            NaceModel.load(folder, check=False)
        assert caught.value.code == "model_damaged", name
        _replace(folder, name, whole)
    assert NaceModel.load(folder, check=False).id


def test_each_part_scores_each_label_and_weights_are_learned(model: NaceModel) -> None:
    scores = model.ensemble.scores(model.prepare.all(TEXTS))
    assert tuple(scores) == model.ensemble.parts == ("fasttext", "linear", "neighbours")
    assert {s.shape for s in scores.values()} == {(len(TEXTS), len(model.ensemble.labels))}
    assert set(model.manifest.calibration.weights) == set(scores)
    assert all(np.isfinite(s).all() for s in scores.values())


def test_the_nearest_text_of_a_training_text_is_itself(model: NaceModel, data: Dataset) -> None:
    prepared = [
        model.prepare.all([data.texts[i]], [data.feature_rows()[i]])[0] for i in range(0, 900, 90)
    ]
    neighbours = model.ensemble.neighbours
    assert neighbours is not None
    assert model.ensemble.vectors is not None
    found = neighbours.scores(model.ensemble.vectors(prepared)).argmax(axis=1)
    labels = [model.ensemble.labels[j] for j in found]
    right = [label == data.codes[i] for label, i in zip(labels, range(0, 900, 90), strict=True)]
    assert sum(right) >= 8


def test_vectors_are_the_same_alone_and_in_a_batch() -> None:
    texts = ["grow rice", "rice rice mill", "", "grow", "unseen"]
    vectors = Vectors.learn(texts[:4], most=1_000)
    batch = vectors(texts).toarray()
    for row, text in zip(batch, texts, strict=True):
        assert vectors([text]).toarray()[0].tolist() == row.tolist()
    assert np.linalg.norm(batch[0]) == pytest.approx(np.sqrt(2), abs=1e-5), "two blocks of norm 1"
    assert not batch[2].any()
    assert len(Vectors.learn(texts[:4], most=5)) == 5


def test_arrays_are_mapped_and_not_copied(model: NaceModel) -> None:
    linear = model.ensemble.linear
    assert linear is not None
    base = linear.weights.data
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap), "workers share the pages of the file"


def test_a_fallback_is_the_deepest_level_that_is_sure(model: NaceModel) -> None:
    wanted = 0.3
    found = model.predict(TEXTS, fallback_at=wanted)
    for prediction, text in zip(found, TEXTS, strict=True):
        by_level = {n: model.predict([text], level=n)[0] for n in (4, 3, 2, 1)}
        sure = [n for n, p in by_level.items() if p.confidence >= wanted]
        if not sure:
            assert prediction.fallback is None
            continue
        best = by_level[sure[0]].candidates[0]
        assert prediction.fallback is not None
        assert (prediction.fallback.level, prediction.fallback.code) == (sure[0], best.code)
        assert prediction.fallback.probability == pytest.approx(best.probability, abs=1e-5)
        assert prediction.fallback.title
    assert all(p.fallback == p.candidates[0] for p in model.predict(TEXTS, fallback_at=0))
    assert all(p.fallback is None for p in model.predict(TEXTS, fallback_at=1))
    assert all(p.fallback is None for p in model.predict(TEXTS))


def test_sets_grow_with_the_coverage_and_hold_the_first(model: NaceModel) -> None:
    narrow, wide = (model.predict(TEXTS, coverage=c) for c in (0.3, 0.8))
    for less, more in zip(narrow, wide, strict=True):
        assert less.conformal is not None
        assert more.conformal is not None
        assert less.conformal[0] == more.conformal[0] == more.candidates[0].code
        assert set(less.conformal) <= set(more.conformal)
        assert set(more.conformal) <= set(model.codes)
    broad = model.predict(TEXTS, coverage=0.8, level=2)
    for fine, above in zip(wide, broad, strict=True):
        assert fine.conformal is not None
        assert set(above.conformal or ()) == {
            model.nomenclature.ancestor(c, 2) for c in fine.conformal
        }
    with pytest.raises(InvalidInputError, match="coverage"):
        model.predict(TEXTS, coverage=0.9999)


def test_side_variables_move_the_answer_and_unknown_ones_do_not(model: NaceModel) -> None:
    def retail(kind: dict[str, str]) -> float:
        answer = model.predict(["vendita di scarpe"], 1_000, level=2, features=[kind])[0]
        return {c.code: c.probability for c in answer.candidates}["47"]

    assert retail({"kind": "shop"}) > retail({"kind": "other"})
    assert retail({"kind": "never seen"}) == pytest.approx(retail({}), abs=1e-6)
    assert retail({"colour": "red"}) == pytest.approx(retail({}), abs=1e-6)
    with pytest.raises(InvalidInputError, match="side variables for 1"):
        model.predict(TEXTS, features=[{}])


def test_the_rules_engine_answers_first_where_it_is_sure(model: NaceModel, data: Dataset) -> None:
    assert model.lookup is not None
    rows = data.feature_rows()
    sure = [i for i, a in enumerate(model.lookup.code_all(data.texts, rows)) if a.code][:50]
    worth = model.manifest.calibration.lookup
    assert worth is not None
    assert 0 < worth < 1
    found = model.predict([data.texts[i] for i in sure], 10_000, features=[rows[i] for i in sure])
    looked = [p for p in found if p.stage == "lookup"]
    assert looked
    for i, prediction in zip(sure, found, strict=True):
        given = {c.code: c.probability for c in prediction.candidates}
        code = model.lookup.code(data.texts[i], rows[i]).code
        assert sum(given.values()) == pytest.approx(1, abs=1e-4)
        assert given[str(code)] >= worth - 1e-6
        if prediction.stage == "lookup":
            assert prediction.candidates[0].code == code
    assert model.predict(["qualcosa di mai visto"])[0].stage == "model"


def test_the_command_shows_fallback_set_and_side_variables(saved: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> dict[str, object]:
        done = CliRunner().invoke(
            predict_command, ["--model", str(saved), "--json", *arguments], catch_exceptions=False
        )
        return json.loads(done.stdout)["predictions"][0]

    asked = ["--coverage", "0.8", "--fallback-at", "0.0", "-k", "2"]
    found = run("vendita di scarpe", "--feature", "kind=shop", *asked)
    assert found["stage"] == "model"
    assert found["fallback"] == found["candidates"][0]  # type: ignore[index]
    assert found["conformal"]
    assert found["fallback"]["level"] == 4  # type: ignore[index]
    table = tmp_path / "texts.csv"
    table.write_text("text,kind\nvendita di scarpe,shop\n")
    again = run("--data", str(table), "--feature-column", "kind", *asked)
    assert again["candidates"] == found["candidates"]
    for wrong in (["x", "--feature", "kind"], ["x", "--feature-column", "kind"]):
        with pytest.raises(InvalidInputError):
            CliRunner().invoke(
                predict_command, ["--model", str(saved), *wrong], catch_exceptions=False
            )
