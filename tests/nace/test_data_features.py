"""Side variables from the file to the data set and into a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autonoe.cli import main
from autonoe.errors import InvalidInputError
from autonoe_nace.data import examine, read_table
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature

TREE = load_nomenclature("nace-rev2")


def test_side_variables_stay_beside_their_texts(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(
        "text,code,nature,surface\n"
        "rice,01.12, 03 ,120\n"
        ",01.12,04,1\n"
        "bread,10.71,,80\n"
        "beer,11.05,05,\n",
        encoding="utf-8",
    )
    data = read_table(str(path), nomenclature=TREE, feature_columns=["nature", "surface", "nature"])
    assert dict(data.features) == {"nature": ("03", "", "05"), "surface": ("120", "80", "")}
    assert data.feature_rows()[0] == {"nature": "03", "surface": "120"}
    assert data.report.findings["missing_feature"].examples == (3, 4)
    part = data.subset([2, 0])
    assert dict(part.features) == {"nature": ("05", "03"), "surface": ("", "120")}
    assert read_table(str(path), nomenclature=TREE).feature_rows() == [{}, {}, {}]
    with pytest.raises(InvalidInputError, match="colour"):
        read_table(str(path), nomenclature=TREE, feature_columns=["colour"])


def test_the_hash_of_data_follows_its_side_variables() -> None:
    def digest(**features: list[str]) -> str:
        return examine(["rice", "beer"], ["01.12", "11.05"], TREE, features=features).sha256

    assert len({digest(), digest(a=["1", "2"]), digest(a=["2", "1"]), digest(b=["1", "2"])}) == 4
    assert digest(a=["1", "2"], b=["3", "4"]) == digest(b=["3", "4"], a=["1", "2"])


def test_a_text_whose_side_variables_differ_contradicts_nothing() -> None:
    texts, codes = ["food shop"] * 4, ["47.11", "46.39", "47.11", "47.29"]
    plain = examine(texts, codes, TREE).report.findings
    assert plain["conflicting_label"].count == 4
    features = {"nature": ["retail", "wholesale", "retail", "market"]}
    found = examine(texts, codes, TREE, features=features).report.findings
    assert set(found) == {"duplicate"}
    assert found["duplicate"].examples == (3,)


def test_codes_under_each_other_do_not_contradict() -> None:
    texts, codes = ["rice", "rice", "beer", "beer"], ["01", "01.12", "11.05", "11.07"]
    assert examine(texts, codes, TREE).report.findings["conflicting_label"].examples == (3, 4)
    assert TREE.on_one_path(["01.12", "01", "A", "01.1"])
    assert not TREE.on_one_path(["01.12", "01.11"])
    assert TREE.on_one_path([])


def test_a_side_variable_decides_where_the_text_cannot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.csv"
    rows = [f"food shop {i % 7},47.11,03,90\nfood shop {i % 7},46.39,04,5000\n" for i in range(40)]
    path.write_text("text,code,nature,surface\n" + "".join(rows), encoding="utf-8")
    columns = ["--feature-column", "nature", "--feature-column", "surface"]
    arguments = ["--data", str(path), "--output", str(tmp_path / "model"), *columns]
    arguments += ["--nomenclature", "nace-rev2", "--no-titles", "--bands", "insee-surface"]
    with pytest.raises(SystemExit) as left:
        main(
            ["nace", "train", *arguments, "--dim", "10", "--lr", "1", "--bucket", "2000", "--json"]
        )
    assert left.value.code == 0, capsys.readouterr().err
    model = NaceModel.load(tmp_path / "model", check=False)
    document = json.loads((tmp_path / "model" / "preparation.json").read_text(encoding="utf-8"))
    assert document["features"]["values"] == {"nature": ["03", "04"], "surface": ["1", "4"]}
    asked = [{"nature": "03", "surface": "100"}, {"nature": "04", "surface": "9999"}]
    found = model.predict(["food shop 3"] * 2, 1, features=asked)
    assert [p.candidates[0].code for p in found] == ["47.11", "46.39"]
    assert all(p.confidence > 0.5 for p in found)
