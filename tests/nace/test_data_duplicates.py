"""What repeats and contradicts itself, and files split so that near-duplicates stay together."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from autonoe.cli import main
from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import examine, read_table
from autonoe_nace.data.duplicates import find_duplicates
from autonoe_nace.data.split_file import split
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.tables import read_columns, write_columns

TREE = load_nomenclature("nace-rev2")
TEXTS = ["Beer brewing", "brewing beer", "rice", "Rice!", "rice", "concrete blocks", "tattoos"]
CODES = ["11.05", "11.05", "01.12", "01.12", "46.38", "23.61", "96.09"]


def test_repeats_conflicts_and_groups_are_counted() -> None:
    found = find_duplicates(examine(TEXTS, CODES, TREE))
    assert (found.texts, found.distinct, found.repeated) == (7, 5, 1)
    assert found.group_of == (0, 0, 1, 1, 1, 2, 3)
    assert (found.groups, found.mixed_groups) == (4, 1)
    assert found.group_sizes == {1: 2, 2: 1, 3: 1}
    (conflict,) = found.conflicts
    assert conflict.to_dict() == {
        "text": "rice",
        "features": {},
        "codes": {"01.12": 2, "46.38": 1},
        "rows": [3, 4, 5],
        "agree": 0,
    }
    assert found.conflicting_rows == 3
    assert found.ceiling == pytest.approx(6 / 7)
    assert found.largest[0] == {"texts": 3, "examples": ["rice", "Rice!"]}
    assert found.to_dict(0)["conflicts"] == []


def test_a_conflict_says_how_far_its_codes_agree_and_side_variables_resolve_it() -> None:
    texts, codes = ["soda", "soda"], ["11.05", "11.07"]
    (conflict,) = find_duplicates(examine(texts, codes, TREE)).conflicts
    assert conflict.agree == 3
    beside = examine(texts, codes, TREE, features={"nature": ["a", "b"]})
    assert find_duplicates(beside).conflicts == ()
    assert find_duplicates(beside).ceiling == 1
    same = examine(texts, codes, TREE, features={"nature": ["a", "a"]})
    assert find_duplicates(same).conflicts[0].features == {"nature": "a"}


def test_a_split_is_into_folds_or_parts_and_never_both() -> None:
    groups = [0, 0, 1, 1, 1, 2, 3, 4, 5]
    assert split(groups, k=3).column == "fold"
    assert set(split(groups, share=0.3).values) == {"train", "test"}
    assert split(groups, share=0.3, seed=1) == split(groups, share=0.3, seed=1)
    for wrong in ({}, {"k": 2, "share": 0.2}, {"k": 99}):
        with pytest.raises(InvalidInputError):
            split(groups, **wrong)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "coded.csv"
    rows = [
        f"{text} {i},{code},x{i}" for i in range(9) for text, code in zip(TEXTS, CODES, strict=True)
    ]
    path.write_text("\n".join(["text,code,fold", *rows, ",01.11,left out"]) + "\n", "utf-8")
    return path


def _run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["nace", *arguments])
    return int(left.value.code or 0), capsys.readouterr().out


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_split_file_keeps_all_columns_and_whole_groups(
    data: Path,
    ending: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / f"split.{ending}"
    arguments = ["--data", str(data), "--nomenclature", "nace-rev2", "--output", str(output)]
    left, out = _run("split", *arguments, "--test-share", "0.3", "--json", capsys=capsys)
    document = json.loads(out)
    assert (left, document["rows"], document["column"]) == (0, 63, "part")
    assert document["compared"] == "characters"
    columns = read_columns(str(output)).columns
    assert list(columns) == ["text", "code", "fold", "group", "part"]
    assert columns["fold"][0] == "x0"
    parts = defaultdict(set)
    for group, part in zip(columns["group"], columns["part"], strict=True):
        parts[group].add(part)
    assert all(len(found) == 1 for found in parts.values())
    assert document["sizes"]["test"] == columns["part"].count("test") > 0
    left, out = _run("split", *arguments, "--folds", "2", capsys=capsys)
    assert (left, set(read_columns(str(output)).columns["fold"])) == (0, {"0", "1"})
    assert not list(tmp_path.glob("tmp*")), "nothing half-written stays"
    monkeypatch.setattr("autonoe_nace.splitting.MOST_COMPARED", 5)
    left, out = _run("split", *arguments, "--folds", "2", "--json", capsys=capsys)
    assert (left, json.loads(out)["compared"]) == (0, "words")


def test_the_report_of_duplicates_is_a_document_and_words(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["duplicates", "--data", str(data), "--nomenclature", "nace-rev2"]
    left, out = _run(*arguments, "--json", capsys=capsys)
    document = json.loads(out)
    assert (left, document["texts"], document["conflicting_texts"]) == (0, 63, 9)
    assert document["near_duplicates"]["compared_characters"] is True
    left, out = _run(*arguments, "--shown", "1", capsys=capsys)
    assert left == 0
    assert "'rice 0': 01.12 (2), 46.38 (1)" in out
    left, _ = _run("split", *arguments[1:], "--output", "x", "--json", capsys=capsys)
    assert left == 2


def test_class_texts_are_written_for_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "extra.parquet"
    arguments = ["class-texts", "ateco2025", "--nomenclature", "ateco2025", "--kind", "title"]
    left, out = _run(*arguments, "--output", str(output), "--json", capsys=capsys)
    assert (left, json.loads(out)["texts"]) == (0, 2_861)
    tree = load_nomenclature("ateco2025")
    assert len(read_table(str(output), nomenclature=tree)) == 2_861


def test_columns_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    columns = {"a": ["é", 'x"\n,'], "b": ["", "2"]}
    for name in ("t.csv", "t.parquet"):
        path = tmp_path / name
        write_columns(str(path), columns)
        assert read_columns(str(path)).columns == columns
    assert pq.read_table(tmp_path / "t.parquet").schema.names == ["a", "b"]
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 3
    with pytest.raises(InvalidInputError):
        write_columns(str(tmp_path / "no" / "t.csv"), columns)


def test_a_store_that_does_not_answer_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("autonoe_nace.tables.TIMEOUT_S", 1)
    with pytest.raises(AutonoeError) as caught:
        write_columns("s3://bucket/key.csv", {"a": ["1"]})
    assert caught.value.code == "unavailable"
