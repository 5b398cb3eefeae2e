"""Class texts: titles and notes taken apart, exclusions given to the class they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace.data import read_class_texts
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.nomenclature.notes import items, load_notes, reference

TREE = load_nomenclature("nace-rev2")

NOTE = """This class includes:
- production of dried meat
- production of meat products:
 • sausages, salami
 • pâtés;
- rendering"""


def test_items_carry_their_lead_in_and_leave_the_opening_out() -> None:
    assert items(NOTE) == [
        "production of dried meat",
        "production of meat products",
        "production of meat products sausages, salami",
        "production of meat products pâtés",
        "rendering",
    ]
    assert items("This class includes the manufacture of ice") == ["the manufacture of ice"]
    assert items("Cette classe comprend : - la culture - la vente - les semences") == [
        "la culture",
        "la vente",
        "les semences",
    ]
    assert items("Diese Klasse umfasst auch:\n- Handel mit Öl \u2013 Fett") == [
        "Handel mit Öl \u2013 Fett"
    ]
    assert items("") == []


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("manufacture of potato flour, see 10.31", ("manufacture of potato flour", "10.31")),
        ("Betrieb von Eissalons (s. 56.10)", ("Betrieb von Eissalons", "56.10")),
        ("la culture du riz, voir 01.12Z.", ("la culture du riz", "01.12Z")),
        ("coltivazione di riso, cfr. 01.12.00", ("coltivazione di riso", "01.12.00")),
        ("publishing, see division 58", ("publishing", "58")),
        ("wholesale of meat, see 46.32 and 46.17", None),
        ("wholesale of meat, see 46.32, 46.17", None),
        ("see 46.32", None),
        ("oversee 12 people", None),
        ("publishing, see section J", None),
    ],
)
def test_an_exclusion_names_one_code_or_nobodys(item: str, found: tuple[str, str] | None) -> None:
    assert reference(item) == found


def test_a_file_of_notes_gives_each_kind_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(
        "code,title,includes,includes_also,excludes,lang\n"
        '01.11,Growing of cereals,"- wheat\n- barley",- seeds,"- rice, see 01.12\n- flour",en\n'
        "01.11,Culture de céréales,- blé,,,fr\n"
        '01,Crop production,- farming,,"- beer, see 11.05",en\n',
        encoding="utf-8",
    )

    def read(*kinds: str, language: str = "en") -> dict[str, str]:
        data = read_class_texts(str(path), nomenclature=TREE, kinds=kinds, language=language)
        assert data.public
        return dict(zip(data.texts, data.codes, strict=True))

    assert read("title") == {"Growing of cereals": "01.11"}
    assert read("include") == {"wheat": "01.11", "barley": "01.11"}
    assert read("include_also") == {"seeds": "01.11"}
    assert read("exclude_ref") == {"rice": "01.12", "beer": "11.05"}
    assert read("title", "include", language="fr") == {
        "Culture de céréales": "01.11",
        "blé": "01.11",
    }
    for wrong in ([], ["exclude"]):
        with pytest.raises(InvalidInputError, match="kind"):
            read(*wrong)
    with pytest.raises(InvalidInputError, match="No class text"):
        read("title", language="de")


def test_a_file_of_texts_is_read_by_kind_and_language(shared_data: Path) -> None:
    path = shared_data / "data/labelled/nace_rev2_notes_en_fr_de_train.parquet"
    every = read_class_texts(str(path), nomenclature=TREE, language="fr")
    titles = read_class_texts(str(path), nomenclature=TREE, language="fr", kinds=["title"])
    assert len(every) > 3_000
    assert 400 < len(titles) < 620
    assert "title: " in " ".join(titles.report.notes)


@pytest.mark.parametrize(
    ("name", "tree", "texts"),
    [
        ("nace_rev2_notes_en", "nace-rev2", 4_500),
        ("nace_rev2_notes_de", "nace-rev2", 4_500),
        ("nace_rev2_notes_fr", "nace-rev2", 4_500),
        ("nace_rev21_en_titles_notes", "nace-rev2.1", 6_000),
    ],
)
def test_the_published_notes_are_taken_apart(
    shared_data: Path, name: str, tree: str, texts: int
) -> None:
    path = shared_data / "data" / "nomenclatures" / f"{name}.parquet"
    nomenclature = load_nomenclature(tree)
    data = read_class_texts(str(path), nomenclature=nomenclature)
    assert len(data) > texts
    assert len(set(data.codes)) > 590
    assert {nomenclature.level(code) for code in data.codes} == {4}
    lowered = [text.lower() for text in data.texts]
    assert not [t for t in lowered if t.startswith(("- ", "• ", "this class", "diese klasse"))]
    referred = read_class_texts(str(path), nomenclature=nomenclature, kinds=["exclude_ref"])
    notes = load_notes(str(path), nomenclature)
    excluded = [i for note in notes.values() for i in items(note.excludes) if reference(i)]
    assert len(referred) > 0.7 * len(excluded)


def test_ateco_has_class_texts_without_a_file() -> None:
    tree = load_nomenclature("ateco2025")
    data = read_class_texts("ateco2025", nomenclature=tree)
    assert len(data) > 9_000
    assert not any("cfr" in text.lower()[-15:] for text in data.texts)
    assert "ISTAT" in data.source


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("text,code\nrice,01.12\n", encoding="utf-8")
    with pytest.raises(InvalidInputError) as caught:
        read_class_texts(str(path), nomenclature=TREE)
    assert caught.value.code == "unknown_column"
