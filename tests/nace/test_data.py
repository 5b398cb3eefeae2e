"""Reading labelled texts: all that is odd is counted by row number, nothing ends in a traceback."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import ateco, examine, read_table, read_texts
from autonoe_nace.data.conditions import Condition
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.tables import read_columns

TREE = load_nomenclature("nace-rev2")


def _csv(folder: Path, content: str | bytes, name: str = "data.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_each_oddity_is_counted_with_its_rows(tmp_path: Path) -> None:
    uri = _csv(
        tmp_path,
        "text,code\n"
        "growing of rice,01.12\n"  # 1
        ",01.12\n"  # 2 empty
        "see extract,01.12\n"  # 3 says nothing
        "growing rice,0112\n"  # 4 repeats row 1
        "bakery,99.99\n"  # 5 unknown
        "bread bakery,10.71\n"  # 6
        "bread bakery,47.24\n"  # 7 contradicts row 6
        "scaffolding,43990\n"  # 8 subclass of a known class
        "barley,01.11,surplus\n"  # 9 a field too many
        "wheat\n",  # 10 a field too few, hence no code
    )
    data = read_table(uri, nomenclature=TREE)
    found = data.report.to_dict()["findings"]
    assert {name: entry["rows"] for name, entry in found.items()} == {
        "empty_text": [2],
        "no_information": [3],
        "unknown_code": [5, 10],
        "coarsened_code": [8],
        "duplicate": [4],
        "conflicting_label": [6, 7],
        "ragged_row": [9, 10],
    }
    assert (data.report.read, data.report.used) == (10, 6)
    assert data.rows == (1, 4, 6, 7, 8, 9)
    assert data.codes == ("01.12", "01.12", "10.71", "47.24", "43.99", "01.11")
    left_out = {row for e in found.values() if "left out" in e["treatment"] for row in e["rows"]}
    assert left_out == set(range(1, 11)) - set(data.rows), "each row is used or accounted for"


def test_the_language_of_the_texts_decides_what_says_nothing() -> None:
    texts, codes = ["sans objet", "riz"], ["01.12", "01.12"]
    assert examine(texts, codes, TREE).report.used == 2
    assert examine(texts, codes, TREE, language="fr").rows == (2,)


def test_the_report_names_at_most_ten_rows_and_the_full_count(tmp_path: Path) -> None:
    uri = _csv(tmp_path, "text,code\nrice,01.12\n" + "x,00.00\n" * 25)
    data = read_table(uri, nomenclature=TREE)
    found = data.report.findings["unknown_code"]
    assert (found.count, len(found.examples)) == (25, 10)
    assert any("25 rows" in line and ", ..." in line for line in data.report.lines())


def test_many_unknown_codes_raise_the_question_of_the_nomenclature(tmp_path: Path) -> None:
    uri = _csv(tmp_path, "text,code\nrice,01.12\nwheat,77.77\n")
    assert any("--nomenclature" in note for note in read_table(uri, nomenclature=TREE).report.notes)
    fine = _csv(tmp_path, "text,code\nrice,01.12\nwheat,01.11\n")
    assert read_table(fine, nomenclature=TREE).report.notes == ()


@pytest.mark.parametrize(
    ("raw", "encoding", "noted"),
    [
        ("caf\u00e9".encode(), "utf-8", False),
        (b"\xef\xbb\xbftext,code\ncaf\xc3\xa9,56.30\n", "utf-8", False),
        ("caf\u00e9 \u20ac".encode("cp1252"), "cp1252", True),
        (b"caf\xe9 \x81", "latin-1", True),
    ],
)
def test_encodings_are_recognised_and_guesses_reported(
    tmp_path: Path, raw: bytes, encoding: str, noted: bool
) -> None:
    content = raw if raw.startswith(b"\xef") else b"text,code\n" + raw + b",56.30\n"
    uri = _csv(tmp_path, content)
    assert read_columns(uri).encoding == encoding
    data = read_table(uri, nomenclature=TREE)
    assert data.texts[0].startswith("caf\u00e9")
    assert bool([note for note in data.report.notes if encoding in note]) is noted


def test_utf_16_and_other_delimiters_are_read(tmp_path: Path) -> None:
    uri = _csv(tmp_path, "text;code\nrice;01.12\n".encode("utf-16"))
    assert read_table(uri, nomenclature=TREE).codes == ("01.12",)
    uri = _csv(tmp_path, "code\ttext\n01.12\trice, white\n")
    assert read_table(uri, nomenclature=TREE).texts == ("rice, white",)


def test_a_wrong_column_lists_those_that_exist(tmp_path: Path) -> None:
    uri = _csv(tmp_path, "libelle,ape\nriz,01.12\n")
    with pytest.raises(InvalidInputError, match="'libelle', 'ape'") as caught:
        read_table(uri, nomenclature=TREE)
    assert caught.value.code == "unknown_column"
    assert read_table(uri, nomenclature=TREE, text_column="libelle", code_column="ape").codes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\r", "names no column"),
        (b"text,code\n", "no row"),
        (b"text,code\nrice,99.99\n", "No row"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (gzip.compress(b"text,code", mtime=0), "archive"),
        (b"PAR1 and no more", "cut or damaged"),
        (b"a\x00b\x00", "binary"),
        (b"\xff\xfea", "UTF-16"),
    ],
)
def test_files_that_hold_no_data_are_refused_in_words(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said) as caught:
        read_table(_csv(tmp_path, content), nomenclature=TREE)
    assert caught.value.hint


def test_a_quote_that_never_closes_is_an_error_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autonoe_nace.tables._MAX_FIELD", 1_000)
    uri = _csv(tmp_path, 'text,code\n"rice,01.12\n' + "wheat,01.11\n" * 200)
    with pytest.raises(InvalidInputError, match="line"):
        read_table(uri, nomenclature=TREE)


@pytest.mark.parametrize("name", ["missing.csv", ".", "a\x00b", "ftp://host/file.csv"])
def test_addresses_that_lead_nowhere_are_refused(tmp_path: Path, name: str) -> None:
    uri = name if "://" in name else str(tmp_path / name)
    with pytest.raises(InvalidInputError):
        read_table(uri, nomenclature=TREE)


def test_an_object_store_that_does_not_answer_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr("autonoe_nace.tables.TIMEOUT_S", 1)
    with pytest.raises(AutonoeError) as caught:
        read_table("s3://bucket/key.csv", nomenclature=TREE)
    assert caught.value.code == "unavailable"


def test_parquet_keeps_leading_zeros_and_numbers_get_them_back(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"text": ["rice", "beer"], "code": ["0112", "1105"]}), path)
    assert read_table(str(path), nomenclature=TREE).codes == ("01.12", "11.05")
    pq.write_table(pa.table({"text": ["rice", "beer", None], "code": [112, 1105, 1105]}), path)
    data = read_table(str(path), nomenclature=TREE)
    assert data.codes == ("01.12", "11.05")
    assert data.report.findings["padded_code"].examples == (1,)
    assert data.report.findings["empty_text"].examples == (3,)
    assert any("numbers" in note for note in data.report.notes)


def test_a_cut_parquet_file_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"text": ["rice"] * 500, "code": ["0112"] * 500}), path)
    whole = path.read_bytes()
    for size in (4, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InvalidInputError):
            read_table(str(path), nomenclature=TREE)


def test_conditions_keep_rows_and_their_numbers(tmp_path: Path) -> None:
    uri = _csv(tmp_path, "text,code,fold\nrice,01.12,0\nwheat,01.11,1\nbeer,11.05,1\n,11.05,1\n")
    one = read_table(uri, nomenclature=TREE, where=[Condition.parse("fold=1")])
    rest = read_table(uri, nomenclature=TREE, where=[Condition.parse("fold != 1")])
    assert (one.rows, rest.rows) == ((2, 3), (1,))
    assert one.report.read == 3
    assert one.report.findings["empty_text"].examples == (4,)
    with pytest.raises(InvalidInputError, match="fold=9"):
        read_table(uri, nomenclature=TREE, where=[Condition.parse("fold=9")])
    with pytest.raises(InvalidInputError, match="form"):
        Condition.parse("fold")


def test_texts_alone_keep_their_order_and_empty_ones(tmp_path: Path) -> None:
    uri = _csv(tmp_path, 'text\nb\n""\na\n')
    assert read_texts(uri) == ["b", "", "a"]


def test_the_default_data_are_ateco_2025_with_its_attribution() -> None:
    data = ateco()
    assert len(data) > 7_500
    assert len(set(data.codes)) == 651
    assert {data.nomenclature.level(code) for code in data.codes} == {4}
    assert "ISTAT" in data.source
    assert "CC BY 4.0" in data.source
    assert not any("cfr" in text.lower() for text in data.texts)
    assert data.sha256 == ateco().sha256


def test_the_hash_of_data_follows_content_and_order() -> None:
    texts, codes = ["rice", "wheat"], ["01.12", "01.11"]
    data = examine(texts, codes, TREE)
    assert examine(texts, codes, TREE).sha256 == data.sha256
    assert examine(texts[::-1], codes[::-1], TREE).sha256 != data.sha256
    assert data.subset([1]).texts == ("wheat",)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=8)), max_size=12))
def test_every_row_is_used_or_counted_whatever_it_holds(rows: list[tuple[str, str]]) -> None:
    data = examine([text for text, _ in rows], [code for _, code in rows], TREE)
    unused = set(range(1, len(rows) + 1)) - set(data.rows)
    named = {
        row
        for finding in data.report.findings.values()
        if finding.treatment.startswith("left out")
        for row in finding.examples
    }
    assert unused <= named or len(unused) > 10
    assert data.report.used == len(data)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
@example(b"\r")
@example(b"text,code\r1,2\r")
def test_no_bytes_make_the_reader_raise_anything_but_its_own_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "f"
    path.write_bytes(content)
    with suppress(AutonoeError):
        assert read_columns(str(path)).columns
