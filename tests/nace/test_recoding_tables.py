"""Correspondence tables: the official ones, any by file, and what is said of a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError
from autonoe_nace.data.ateco2022 import ateco2022
from autonoe_nace.data.conditions import Condition
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.recoding import Correspondence, Relation, load_correspondence


def test_the_official_table_of_ateco_serves_both_directions_at_every_level() -> None:
    table = load_correspondence()
    assert (table.source.name, table.target.name) == ("ateco2025", "ateco2022")
    assert table.report.read == table.report.used == 6_678
    assert table.report.missing_source == ("46.89", "46.89.0", "46.89.00")
    classes = table.at(4)
    assert len(classes.links) == 1_171
    # what ISTAT states for classes is what its finest pairs say
    finest = [link for link in table.links if len(link[0]) == len(link[1]) == len("01.11.00")]
    lifted = Correspondence("finest", table.source, table.target, finest).at(4)
    assert set(lifted.links) == set(classes.links)
    back = load_correspondence("ateco2022", "ateco2025")
    assert set(back.links) == {(target, source) for source, target in table.links}
    assert back.report.missing_target == table.report.missing_source


def test_the_table_of_eurostat_is_within_those_of_two_countries(shared_data: Path) -> None:
    official = load_correspondence("nace-rev2.1", "nace-rev2").at(4)
    uri = shared_data / "data" / "correspondences" / "nace_rev21_to_rev2_derived.parquet"
    national = load_correspondence("nace-rev2.1", "nace-rev2", table=str(uri))
    assert set(official.links) < set(national.links)
    assert official.report.missing_source == national.report.missing_source == ("46.89",)
    kinds = official.summary()["relations"]
    assert sum(kinds.values()) == 650


@pytest.mark.parametrize(
    ("code", "relation", "targets"),
    [
        ("01.12", Relation.ONE_TO_ONE, {"01.12"}),
        ("46.89", None, set()),
        ("47.40", Relation.MANY_TO_MANY, None),
    ],
)
def test_each_code_has_its_relation(
    code: str, relation: Relation | None, targets: set[str] | None
) -> None:
    table = load_correspondence("nace-rev2.1", "nace-rev2").at(4)
    assert table.relation(code) is relation
    if targets is None:
        assert len(table.targets(code)) > 1
    else:
        assert set(table.targets(code)) == targets


def test_relations_agree_with_a_plain_count_of_the_pairs() -> None:
    table = load_correspondence().at(4)
    for code in {source for source, _ in table.links}:
        targets = [t for s, t in table.links if s == code]
        shared = any(sum(t == target for _, t in table.links) > 1 for target in targets)
        expected = {
            (False, False): Relation.ONE_TO_ONE,
            (False, True): Relation.MANY_TO_ONE,
            (True, False): Relation.ONE_TO_MANY,
            (True, True): Relation.MANY_TO_MANY,
        }[(len(targets) > 1, shared)]
        assert table.relation(code) is expected


@pytest.mark.parametrize(
    ("name", "columns", "pairs"),
    [
        ("wz2025_to_wz2008", ("wz2025", "wz2008"), 1_476),
        ("naics2017_to_nace_rev2", ("naics2017", "nace_rev2"), None),
        ("ateco2025_to_ateco2007v2022", ("", ""), 6_678),
    ],
)
def test_a_table_of_versions_that_nobody_listed_brings_its_own_codes(
    shared_data: Path, name: str, columns: tuple[str, str], pairs: int | None
) -> None:
    uri = shared_data / "data" / "correspondences" / f"{name}.parquet"
    source, target = columns
    table = load_correspondence("", "", table=str(uri), source_column=source, target_column=target)
    assert table.report.used == (pairs or table.report.used)
    assert table.report.used + len(table.report.problems) == table.report.read
    assert {str(kind) for kind in Relation} >= {str(table.relation(s)) for s, _ in table.links}


def test_french_codes_with_a_letter_go_by_file(shared_data: Path) -> None:
    data = shared_data / "data"
    table = load_correspondence(
        "naf-rev2",
        str(data / "nomenclatures" / "naf_2025_fr.parquet"),
        table=str(data / "correspondences" / "naf_rev2_to_naf2025_candidates_derived.parquet"),
    )
    assert table.level == (5, 5)
    assert table.report.missing_target == ("46.89Y",)
    assert table.targets("01.11Z") == ("01.11Y",)
    classes = table.at(4)
    assert "01.11" in classes.targets("01.11")


def test_each_bad_row_is_named(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(
        "new;old;part\n0111;A01.11;x\n01.11;01.11;x\n99.99;01.12;x\n01.12;98.7;x\n;01.13;x\n"
        "01.13;01.13\n01.14;01.14;y\n",
        encoding="utf-8",
    )
    table = load_correspondence(
        "nace-rev2.1", "nace-rev2", table=str(file), source_column="new", target_column="old"
    )
    assert table.links == (("01.11", "01.11"), ("01.13", "01.13"), ("01.14", "01.14"))
    assert [(p.row, p.kind) for p in table.report.problems] == [
        (2, "duplicate"),
        (3, "unknown_source_code"),
        (4, "unknown_target_code"),
        (5, "empty_code"),
        (6, "ragged_row"),
    ]
    said = "\n".join(table.report.lines())
    assert "unknown source code: 1 rows" in said
    assert table.reversed().report.counts()["unknown_target_code"] == 1
    only = load_correspondence(
        "nace-rev2.1",
        "nace-rev2",
        table=str(file),
        source_column="new",
        target_column="old",
        where=[Condition("part", "y")],
    )
    assert only.links == (("01.14", "01.14"),)


def test_a_table_of_classes_that_lacks_one_says_so(shared_data: Path, tmp_path: Path) -> None:
    table = load_correspondence("nace-rev2", "nace-rev2.1").at(4)
    file = tmp_path / "table.csv"
    rows = [f"{s},{t}" for s, t in table.links if s not in {"01.11", "96.09"}]
    file.write_text("\n".join(["old,new", *rows]), encoding="utf-8")
    read = load_correspondence("nace-rev2", "nace-rev2.1", table=str(file))
    assert read.report.missing_source == ("01.11", "96.09")
    assert "46.89" in read.report.missing_target


@pytest.mark.parametrize(
    ("content", "columns", "code"),
    [
        ("a\n1\n", ("", ""), "invalid_input"),
        ("a,b\nx1,y1\n", ("", ""), "no_usable_row"),
        ("a,b\n01.11,01.11\n", ("c", ""), "unknown_column"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    tmp_path: Path, content: str, columns: tuple[str, str], code: str
) -> None:
    file = tmp_path / "table.csv"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError) as refused:
        load_correspondence(
            "nace-rev2.1",
            "nace-rev2",
            table=str(file),
            source_column=columns[0],
            target_column=columns[1],
        )
    assert refused.value.code == code
    assert refused.value.hint


def test_versions_without_an_official_table_are_refused() -> None:
    with pytest.raises(InvalidInputError) as refused:
        load_correspondence("naf-rev2", "uksic2007")
    assert refused.value.code == "no_correspondence"


def test_a_finer_code_stands_for_the_class_above_it() -> None:
    table = load_correspondence("nace-rev2", "nace-rev2.1").at(4)
    assert table.resolve("01110") == "01.11"
    assert table.resolve("A01.11") == "01.11"
    assert table.resolve("99.88") is None


def test_a_level_that_the_table_does_not_reach_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no pairs at the levels 5"):
        load_correspondence("nace-rev2", "nace-rev2.1").at(5)


def test_the_hash_depends_on_the_pairs_and_not_on_their_order() -> None:
    tree = load_nomenclature("nace-rev2")
    pairs = [("01.11", "01.12"), ("01.13", "01.14")]
    one, other = (Correspondence("t", tree, tree, links) for links in (pairs, pairs[::-1]))
    assert one.sha256 == other.sha256
    assert one.sha256 != Correspondence("t", tree, tree, pairs[:1]).sha256


def test_the_texts_of_the_old_version_come_with_its_classes() -> None:
    data = ateco2022()
    assert len(set(data.codes)) == 615
    assert {data.nomenclature.level(code) for code in data.codes} == {4}
    assert not data.report.findings.get("unknown_code")
    labelled = dict(zip(data.texts, data.codes, strict=True))
    # below "sono escluse" a bullet belongs to the class that it names
    assert labelled["produzione di paste alimentari"] == "10.73"
    assert labelled["produzione di pane, panini, cialde eccetera"] == "10.71"
    assert (
        "attività sanitarie svolte da organizzazioni religiose, cfr. divisione 86" not in labelled
    )
