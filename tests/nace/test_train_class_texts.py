"""`autonoe nace train` with class texts, without them, and with one kind of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autonoe.cli import main

QUICK = ["--dim", "5", "--epoch", "2", "--bucket", "500", "--calibration-share", "0"]
NOTES = """text,code,kind
Growing of rice,01.12,title
paddy fields,01.12,include
wild rice,01.12,include
rice seedlings,01.12,include_also
rice milling,10.61,exclude_ref
"""
TITLES = 1
INCLUDES = 2


@pytest.mark.parametrize(
    ("options", "taken"),
    [
        ([], None),
        (["--class-texts", "{notes}"], 5),
        (["--class-texts", "{notes}", "--class-text-kind", "title"], TITLES),
        (["--class-texts", "{notes}", "--class-text-kind", "include"], INCLUDES),
        (
            [
                *("--class-texts", "{notes}", "--class-text-kind", "include"),
                *("--class-text-kind", "exclude_ref"),
            ],
            INCLUDES + 1,
        ),
    ],
)
def test_class_texts_are_learned_when_they_are_named_and_only_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], taken: int | None
) -> None:
    data, notes, model = tmp_path / "data.csv", tmp_path / "notes.csv", tmp_path / "model"
    data.write_text("text,code\ngrowing of wheat,01.11\nbrewing of beer,11.05\n", encoding="utf-8")
    notes.write_text(NOTES, encoding="utf-8")
    arguments = ["--data", str(data), "--nomenclature", "nace-rev2", "--no-titles"]
    arguments += [option.format(notes=notes) for option in options]
    with pytest.raises(SystemExit) as left:
        main(["nace", "train", *arguments, "--output", str(model), "--json", *QUICK])
    assert not left.value.code, capsys.readouterr().out
    sources = json.loads((model / "model.json").read_text(encoding="utf-8"))["training"]["sources"]
    assert [source["texts"] for source in sources] == ([2] if taken is None else [2, taken])
    if taken is not None:
        assert sources[1]["source"] == "notes.csv"


def test_a_kind_that_does_not_exist_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, notes = tmp_path / "data.csv", tmp_path / "notes.csv"
    data.write_text("text,code\ngrowing of wheat,01.11\nbrewing of beer,11.05\n", encoding="utf-8")
    notes.write_text(NOTES, encoding="utf-8")
    arguments = ["--data", str(data), "--nomenclature", "nace-rev2", "--class-texts", str(notes)]
    arguments += ["--class-text-kind", "footnote", "--output", str(tmp_path / "model"), "--json"]
    with pytest.raises(SystemExit) as left:
        main(["nace", "train", *arguments])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (left.value.code, error["code"]) == (2, "invalid_input")
    assert "footnote" in error["message"]
    assert "exclude_ref" in error["hint"]
    assert not (tmp_path / "model").exists()
