"""``autonoe nace rules``: what the rules are, and what each did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autonoe.cli import main
from autonoe_nace.text import available_languages, load_rules


def _run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main(["nace", "rules", *arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return int(left.value.code or 0), said.out


def test_all_rule_sets_are_listed_with_version_and_hash(capsys: pytest.CaptureFixture[str]) -> None:
    left, out = _run("show", "--json", capsys=capsys)
    found = {entry["language"]: entry for entry in json.loads(out)}
    assert left == 0
    assert set(found) == set(available_languages()) >= {"en", "fr", "de", "it"}
    assert found["fr"]["sha256"] == load_rules("fr").sha256
    assert found["fr"]["version"] == load_rules("fr").version
    left, out = _run("show", capsys=capsys)
    assert (left, len(out.splitlines())) == (0, len(found))


def test_the_rules_of_a_language_and_of_a_model_are_shown_in_order(
    small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, out = _run("show", "--language", "de", capsys=capsys)
    assert left == 0
    places = [out.index(f" {rule.name} ({rule.kind}): ") for rule in load_rules("de").rules]
    assert places == sorted(places)
    left, out = _run("show", "--model", str(small_model), "--json", capsys=capsys)
    document = json.loads(out)
    assert (left, document["language"]) == (0, "it")
    assert document["sha256"] == load_rules("it").sha256
    assert [rule["name"] for rule in document["rules"]] == [r.name for r in load_rules("it").rules]


def test_effects_are_counted_rule_by_rule(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, out = _run("effects", "--language", "en", "--json", "The Shops", "idem", capsys=capsys)
    document = json.loads(out)
    effects = {effect["rule"]: effect for effect in document["rules"]}
    assert left == 0
    assert document["prepared"] == ["shop", ""]
    assert effects["no-information"]["emptied"] == 1
    assert effects["stop-words"]["example"] == ["the shops", "shops"]
    path = tmp_path / "texts.csv"
    path.write_text("label\nvedi visura\nDi riso\n", encoding="utf-8")
    arguments = ["--data", str(path), "--text-column", "label", "--model", str(small_model)]
    left, out = _run("effects", *arguments, capsys=capsys)
    assert left == 0
    assert "2 texts, it version" in out
    assert "'di riso' -> 'riso'" in out


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["effects", "x"], 2),
        (["effects", "--language", "en"], 2),
        (["effects", "--language", "en", "--data", "missing.csv"], 2),
        (["show", "--language", "xx"], 2),
        (["show", "--language", "en", "--model", "m"], 2),
        (["show", "--model", "missing"], 1),
    ],
)
def test_what_cannot_be_shown_is_explained(
    arguments: list[str], left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = _run(*arguments, "--json", capsys=capsys)
    assert code == left
    assert json.loads(out)["error"]["hint"]
