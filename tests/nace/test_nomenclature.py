"""Nomenclatures: built in and from a file, codes in any spelling, nesting."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import BUILT_IN, Nomenclature, load_nomenclature
from autonoe_nace.nomenclature.tree import compact

SIZES = {
    "ateco2025": {1: 22, 2: 87, 3: 287, 4: 651, 5: 920, 6: 1290},
    "ateco2022": {1: 21, 2: 88, 3: 272, 4: 615, 5: 920, 6: 1241},
    "nace-rev2": {1: 21, 2: 88, 3: 272, 4: 615},
    "nace-rev2.1": {1: 22, 2: 87, 3: 287, 4: 651},
    "naf-rev2": {1: 21, 2: 88, 3: 272, 4: 615, 5: 732},
    "uksic2007": {1: 21, 2: 88, 3: 272, 4: 615, 5: 731},
}


@pytest.mark.parametrize("name", SIZES)
def test_built_in_nomenclatures_are_whole(name: str) -> None:
    tree = load_nomenclature(name)
    assert {level: len(tree.at_level(level)) for level in tree.levels} == SIZES[name]
    assert all(tree.title(code) for code in tree.nodes)
    assert all(tree.ancestor(code, 1) for code in tree.nodes), "each code lies in a section"
    assert tree.attribution


def test_every_built_in_nomenclature_is_tested() -> None:
    assert set(SIZES) == set(BUILT_IN)


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("nace-rev2", "0111", "01.11"),
        ("nace-rev2", " 01.11 ", "01.11"),
        ("nace-rev2", "A01.11", "01.11"),
        ("nace-rev2", "c", "C"),
        ("nace-rev2", "C", "C"),
        ("nace-rev2", "1.11", None),
        ("nace-rev2", "01.11Z", None),
        ("nace-rev2", "", None),
        ("naf-rev2", "0111z", "01.11Z"),
        ("naf-rev2", "01.11Z", "01.11Z"),
        ("uksic2007", "01110", "01110"),
        ("uksic2007", "01.11/0", "01110"),
        ("uksic2007", "0111", "01.11"),
        ("ateco2025", "011100", "01.11.00"),
        ("ateco2025", "01.11", "01.11"),
    ],
)
def test_codes_are_read_in_any_spelling(name: str, raw: str, code: str | None) -> None:
    assert load_nomenclature(name).parse(raw) == code


def test_sections_of_divisions_are_those_of_the_official_list() -> None:
    tree = load_nomenclature("uksic2007")
    found = [tree.ancestor(code, 1) for code in ("01110", "10.71", "47", "47.1", "62.01", "98200")]
    assert found == ["A", "C", "G", "G", "J", "T"]


def test_a_code_of_an_unknown_subclass_falls_back_to_its_class_and_never_further() -> None:
    tree = load_nomenclature("uksic2007")
    assert tree.parse("43990") is None
    assert tree.nearest("43990") == "43.99"
    assert tree.nearest("00990") is None
    assert tree.nearest("4399") == "43.99"
    assert tree.nearest("439") is None


def test_descendants_and_ancestors_mirror_each_other() -> None:
    tree = load_nomenclature("naf-rev2")
    for code in tree.at_level(5):
        assert code in tree.descendants(tree.ancestor(code, 4) or "", 5)
        assert code in tree.descendants(tree.ancestor(code, 1) or "", 5)


def test_a_nomenclature_survives_the_journey_through_a_model_folder() -> None:
    tree = load_nomenclature("naf-rev2")
    again = Nomenclature.from_dict(tree.to_dict())
    assert again.nodes == tree.nodes
    assert again.sha256 == tree.sha256


@pytest.mark.parametrize("document", [None, {}, {"nodes": [[1]]}, [1], {"nodes": 3}])
def test_documents_of_another_form_are_refused(document: object) -> None:
    with pytest.raises(InvalidInputError):
        Nomenclature.from_dict(document)


def test_a_file_needs_only_codes(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("code\nA\n01\n01.1\n01.11\nB\n05\n", encoding="utf-8")
    tree = load_nomenclature(str(path))
    assert tree.name == "mine"
    assert [node.level for node in tree.nodes.values()] == [1, 2, 3, 4, 1, 2]
    assert tree.ancestor("01.11", 1) == "A"
    assert tree.ancestor("05", 1) == "B"


def test_a_file_can_state_levels_parents_and_languages(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "code;title;level;parent;lang\nX1;Autre;class;Y;fr\nX1;Other;class;Y;en\n"
        "Y;Haut;section;;fr\nY;Top;section;;en\n",
        encoding="utf-8",
    )
    tree = load_nomenclature(str(path), language="en")
    assert (tree.title("X1"), tree.level("X1"), tree.ancestor("X1", 1)) == ("Other", 4, "Y")
    assert load_nomenclature(str(path)).language == "fr"
    with pytest.raises(InvalidInputError, match="fr, en"):
        load_nomenclature(str(path), language="de")


def test_the_published_files_are_read_as_they_are(shared_data: Path) -> None:
    folder = shared_data / "data" / "nomenclatures"
    naf = load_nomenclature(str(folder / "naf_2025_fr.parquet"), language="fr")
    assert len(naf.at_level(5)) == 747
    assert naf.ancestor("01.11Y", 1) == "A"
    nace = load_nomenclature(str(folder / "nace_rev2_titles_26lang.parquet"), language="en")
    assert nace.title("01.12") == load_nomenclature("nace-rev2").title("01.12")


@pytest.mark.parametrize(
    ("content", "said"),
    [("title\nx\n", "code"), ("code\n!!\n", "'!!'"), ("code\n", "no code"), ("", "empty")],
)
def test_files_that_hold_no_nomenclature_are_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=said):
        load_nomenclature(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_nomenclature("nace-rev3")
    assert "ateco2025" in caught.value.hint


def test_compact_keeps_section_letters_that_stand_alone() -> None:
    assert [compact(code) for code in ("a", "A.01", "01.1", "1Z")] == ["A", "01", "011", "1Z"]
