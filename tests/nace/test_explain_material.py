"""What a model carries for explanations: published texts by default, others when told, notes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autonoe.errors import AutonoeError
from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.model.explain_notes import NotesBook
from autonoe_nace.model.manifest import FileEntry
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.nomenclature.notes import load_notes
from autonoe_nace.text import Preparation, load_rules
from autonoe_nace.training import TrainingParams, train

SMALL = {"dim": 10, "epoch": 5, "bucket": 2_000, "calibration_share": 0}


def _train(*, public: bool, keep: bool | None, titles: bool) -> NaceModel:
    data = replace(ateco().subset(range(0, 4_000, 10)), public=public)
    params = TrainingParams.of(**SMALL, keep_texts=keep, titles=titles)
    return train(data, params, notes=load_notes("ateco2025", data.nomenclature))


def test_published_texts_are_kept_and_found_again() -> None:
    model = _train(public=True, keep=None, titles=True)
    text = ateco().subset(range(0, 4_000, 10)).texts[7]
    near = model.nearest(text, 3)
    assert len(near) == 3
    assert near[0].similarity == pytest.approx(1, abs=1e-3)
    assert near[0].similarity >= near[1].similarity >= near[2].similarity
    found = model.explain(text)
    assert found.nearest[0].text == near[0].text
    assert near[0].text in str(found)
    # each text once, although titles repeat those of the level above
    assert len({(x.text, x.code[:5]) for x in model.nearest("coltivazione di riso", 20)}) == 20


@pytest.mark.parametrize(("public", "keep", "titles"), [(False, None, False), (True, False, True)])
def test_other_texts_do_not_travel(public: bool, keep: bool | None, titles: bool) -> None:
    model = _train(public=public, keep=keep, titles=titles)
    assert "texts.json" not in model.manifest.files
    assert model.nearest("coltivazione di riso") == ()
    assert model.explain("coltivazione di riso").nearest == ()


def test_a_firms_texts_are_kept_when_told_so() -> None:
    model = _train(public=False, keep=True, titles=False)
    document = json.loads((model.folder / "texts.json").read_text())
    assert len(document["texts"]) == len(document["codes"]) == 400


def test_notes_travel_and_say_what_concerns_the_text(tmp_path: Path) -> None:
    model = NaceModel.load(_train(public=False, keep=False, titles=False).save(tmp_path / "model"))
    assert "scarpe" not in model.note("01.11", "scarpe")
    assert "scarpini da calcio" in model.note("47.72", "scarpini")
    noted = next(code for code in model.codes if model.note(code))
    found = model.explain("scarpini da calcio", code=noted)
    assert found.note == model.note(noted, "scarpini da calcio")
    assert found.note in str(found)
    assert model.note("no such code") == ""
    # files of explanations are held by hash like any other
    path = tmp_path / "model" / "notes.json"
    path.write_text(path.read_text().replace("scarpini", "stivaletti"))
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(tmp_path / "model")
    assert caught.value.code == "model_damaged"


@pytest.mark.parametrize("name", ["notes.json", "texts.json"])
@pytest.mark.parametrize("content", ["[", "[1]", '{"texts": ["a"], "codes": []}', '{"a": 3}'])
def test_damaged_material_with_a_true_hash_is_said(tmp_path: Path, name: str, content: str) -> None:
    folder = _train(public=True, keep=None, titles=False).save(tmp_path / "model")
    (folder / name).write_text(content)
    document = json.loads((folder / "model.json").read_text())
    document["files"][name] = FileEntry.of(folder / name).model_dump()
    (folder / "model.json").write_text(json.dumps(document))
    with pytest.raises(AutonoeError) as caught:
        NaceModel.load(folder).explain("coltivazione di riso")
    assert caught.value.code == "model_damaged"


def test_the_published_notes_of_eurostat_are_excerpted(shared_data: Path) -> None:
    tree = load_nomenclature("nace-rev2")
    file = shared_data / "data/nomenclatures/nace_rev2_notes_en.parquet"
    book = NotesBook(load_notes(str(file), tree, language="en"))
    english = Preparation(load_rules("en"))
    assert "rice" in book.excerpt("01.11", english("rice"), english)
    assert book.excerpt("01.11", english("rice"), english).startswith("Not here: ")
    for code in tree.at_level(4):
        assert len(book.excerpt(code, english("growing of wheat"), english)) <= 600
