"""The rules engine: what it finds, when it keeps silent, what side variables decide, its worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.cli import main
from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import Dataset, examine, read_table
from autonoe_nace.data.conditions import Condition
from autonoe_nace.lookup import (
    LookupIndex,
    SynonymSet,
    beside_model,
    load_synonyms,
    lookup_baseline,
)
from autonoe_nace.lookup import index as index_module
from autonoe_nace.model import NaceModel
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.text import load_bands, load_rules

TREE = load_nomenclature("nace-rev2")
ROWS = [
    ("Brewing of beer", "11.05", "", ""),
    ("bread and cake bakery", "10.71", "", ""),
    ("bread, cake, sweets: shop", "47.24", "", ""),
    ("food shop", "47.11", "retail", "200"),
    ("food shop", "47.11", "retail", "300"),
    ("food shop", "46.39", "wholesale", "3000"),
    ("food shop", "46.39", "wholesale", ""),
    ("see extract", "01.11", "", ""),
]


def _data(rows: list[tuple[str, str, str, str]] = ROWS) -> Dataset:
    texts, codes, nature, surface = zip(*rows, strict=True)
    beside = {"nature": nature, "surface": surface}
    return examine(texts, codes, TREE, features=beside, language="en")


def _index(**options: object) -> LookupIndex:
    chosen = {"titles": False, "synonyms": load_synonyms("en"), **options}
    return LookupIndex.build(_data(), TREE, load_rules("en"), **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "code", "rule"),
    [
        ("BREWING  of beer", "11.05", "exact"),
        ("Beer, brewing", "11.05", "normalised"),
        ("cake bread", None, "within"),  # a bakery and a shop hold both words
        ("bakery for cake", "10.71", "within"),
        ("beer", None, ""),  # one word alone is not looked for within entries
        ("wine", None, ""),
        ("see extract", None, ""),
        ("", None, ""),
        ("\ud800", None, ""),
    ],
)
def test_the_surest_rule_that_finds_one_code_answers(
    text: str, code: str | None, rule: str
) -> None:
    answer = _index().code(text)
    assert (answer.code, answer.rule) == (code, rule)
    assert (answer.score == 1) is (code is not None)


def test_side_variables_tell_apart_what_the_text_does_not() -> None:
    index = _index(bands=load_bands("insee-surface"))
    silent = index.code("food shop")
    assert (silent.code, silent.rule, silent.qualifiers) == (None, "exact", ())
    assert dict(silent.candidates) == pytest.approx({"46.39": 0.5, "47.11": 0.5})
    retail = index.code("Food SHOP", {"nature": " Retail ", "colour": "red"})
    assert (retail.code, retail.qualifiers) == ("47.11", ("nature=retail",))
    assert retail.score == pytest.approx((2.5 / 3) / (2.5 / 3 + 0.5 / 3))
    large = index.code("shop, food", {"surface": "9000"})
    assert large.candidates[0][0] == "46.39"
    assert large.qualifiers == ("surface=4",)
    torn = index.code("food shop", {"nature": "retail", "surface": "9000"})
    assert torn.code is None
    assert index.code("food shop", {"nature": "unheard of"}).qualifiers == ()


def test_the_least_score_decides_between_an_answer_and_silence() -> None:
    nature = {"nature": "retail"}
    assert _index(min_score=0.9).code("food shop", nature).code is None
    assert _index(min_score=0.8).code("food shop", nature).code == "47.11"
    for wrong in (0.5, 1.1, float("nan")):
        with pytest.raises(InvalidInputError):
            _index(min_score=wrong)


def test_synonyms_make_one_of_what_is_said_in_several_ways() -> None:
    assert _index().code("beer brewery").code is None
    mine = SynonymSet.from_dict(
        {"language": "en", "synonyms": [{"means": "brewing of beer", "said": ["beer brewery"]}]}
    )
    answer = _index(synonyms=mine).code("A Beer-Brewery")
    assert (answer.code, answer.rule) == ("11.05", "normalised")


def test_only_the_rules_that_are_asked_for_answer() -> None:
    index = _index(using=["exact"])
    assert index.code("brewing of beer").code == "11.05"
    assert index.code("beer, brewing").rule == ""
    for wrong in ([], ["fuzzy"]):
        with pytest.raises(InvalidInputError, match="rule"):
            _index(using=wrong)


def test_titles_and_extra_material_fill_gaps_and_never_outvote_the_coded_texts() -> None:
    extra = _data([("brewing of beer", "47.25", "", ""), ("cider press", "11.03", "", "")])
    index = LookupIndex.build(_data(), TREE, load_rules("en"), extra=[extra], titles=True)
    assert index.code("brewing of beer").code == "11.05"
    assert index.code("cider press").code == "11.03"
    assert index.code("Growing of rice").code == "01.12"
    assert [source["texts"] for source in index.sources][:2] == [7, 2]
    assert _index().code("Growing of rice").code is None


def test_codes_are_answered_at_the_level_that_was_asked_for() -> None:
    index = LookupIndex.build(_data(), TREE, load_rules("en"), level=2, titles=False)
    assert index.code("brewing of beer").code == "11"
    assert index.level == 2
    with pytest.raises(InvalidInputError, match="level 5"):
        LookupIndex.build(_data(), TREE, load_rules("en"), level=5, titles=False)


def test_an_index_survives_its_file_and_answers_the_same(tmp_path: Path) -> None:
    index = _index(bands=load_bands("insee-surface"), using=["exact", "normalised"])
    again = LookupIndex.load(index.save(tmp_path / "lookup.json"))
    assert again.sha256 == index.sha256
    for text, *_ in ROWS:
        for features in ({}, {"nature": "retail", "surface": "200"}):
            assert again.code(text, features) == index.code(text, features)
    assert _index().sha256 != index.sha256


def test_a_missing_or_damaged_index_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "lookup.json"
    with pytest.raises(AutonoeError) as caught:
        LookupIndex.load(path)
    assert caught.value.code == "lookup_missing"
    document = _index().to_dict()
    broken = [
        {"format": 99},
        {"entries": {"exact": {"x": [{}]}, "normalised": {}}},
        {"entries": {"exact": {"x": [{"11.05": "many"}]}, "normalised": {}}},
        {
            "entries": {
                "exact": {"x": [{"a": 1, "b": 1}, {"n": {"v": {"a": -9}}}]},
                "normalised": {},
            }
        },
        {"entries": {"exact": {"x": [{"a": 1, "b": 1}, {"n": {"v": 3}}]}, "normalised": {}}},
        {"entries": 3},
        {"min_score": 0.1},
        {"min_score": float("nan")},
        {"using": ["shell"]},
    ]
    contents = [json.dumps({**document, **change}) for change in broken]
    for content in ("{", "[]", '{"format": 1}', *contents):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(AutonoeError):
            LookupIndex.load(path)


def test_a_common_word_is_not_searched_in_thousands_of_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "_MOST_ENTRIES", 0)
    assert _index().code("bakery for cake").rule == ""


def test_the_baseline_counts_what_is_answered_and_what_is_right() -> None:
    judged = _data(
        [
            ("brewing of beer", "11.05", "", ""),
            ("beer: brewing", "11.07", "", ""),
            ("bakery for cake", "10.71", "", ""),
            ("food shop", "47.11", "retail", ""),
            ("food shop", "47.11", "", ""),
            ("tattoo studio", "96.09", "", ""),
            ("repair", "95", "", ""),  # broader than the level: does not count
        ]
    )
    found = lookup_baseline(_index(), judged)
    assert found["rules"] == {
        "exact": {"n_auto": 2, "n_right": 2},
        "normalised": {"n_auto": 1, "n_right": 0},
        "within": {"n_auto": 1, "n_right": 1},
    }
    assert (found["n"], found["n_auto"], found["n_right"]) == (6, 4, 3)
    assert (found["auto_rate"], found["accuracy_auto"]) == (4 / 6, 3 / 4)
    assert (found["ambiguous"], found["by_qualifiers"]) == (1, 1)
    nothing = lookup_baseline(_index(), judged.subset([5]))
    assert (nothing["auto_rate"], nothing["accuracy_auto"]) == (0, None)
    with pytest.raises(InvalidInputError):
        lookup_baseline(_index(), judged.subset([6]))


def test_on_the_uk_index_the_rules_code_a_fifth_and_nine_tenths_of_it_rightly(
    shared_data: Path,
) -> None:
    """Fold 0, near-duplicates kept apart; notes and titles as entries."""
    folder = shared_data / "data" / "labelled"
    tree = load_nomenclature("uksic2007")

    def read(name: str, where: str) -> Dataset:
        condition = [Condition.parse(where)]
        return read_table(str(folder / f"{name}.parquet"), nomenclature=tree, where=condition)

    train, test = (read("uksic2007_en_train", where) for where in ("fold!=0", "fold=0"))
    notes = read("nace_rev2_notes_en_fr_de_train", "lang=en")
    index = LookupIndex.build(
        train, tree, load_rules("en"), load_synonyms("en"), extra=[notes], level=4
    )
    found = lookup_baseline(index, test)
    assert found["auto_rate"] > 0.17
    assert found["accuracy_auto"] > 0.87
    sure = found["rules"]["exact"]["n_right"] + found["rules"]["normalised"]["n_right"]
    asked = found["rules"]["exact"]["n_auto"] + found["rules"]["normalised"]["n_auto"]
    assert sure / asked > 0.96


def test_the_rules_are_shown_beside_a_model_on_the_same_texts(small_model: Path) -> None:
    model = NaceModel.load(small_model, check=False)
    tree = model.nomenclature
    titles = [n for n in tree.nodes.values() if n.level == 4][:40]
    data = examine([n.title for n in titles], [n.code for n in titles], tree)
    index = LookupIndex.build(data.subset(range(0, 40, 2)), tree, load_rules("it"), titles=False)
    found = beside_model(index, model, data)
    assert found["lookup"]["n"] == 40
    assert found["lookup"]["auto_rate"] >= 0.5
    assert found["model"]["id"] == model.id
    shares = [v for k, v in found["model"].items() if k != "id"]
    assert all(0 <= share <= 1 for share in shares)
    floor = found["lookup"]["n_right"] / 40
    assert found["together"]["accuracy"] >= max(floor, found["model"]["accuracy"])
    assert beside_model(index, model, data.subset([1]))["model"]["accuracy"] in (0, 1)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40), st.dictionaries(st.sampled_from(["nature", "x"]), st.text()))
def test_any_text_gets_an_answer_and_the_same_twice(text: str, features: dict[str, str]) -> None:
    index = _index()
    answer = index.code(text, features)
    assert answer == index.code(text, features)
    assert 0 <= answer.score <= 1
    assert answer.code is None or answer.candidates[0][0] == answer.code


@pytest.mark.parametrize("language", ["en", "fr", "de", "it", "xx"])
def test_the_synonyms_of_each_language_are_read_and_reach_prepared_words(language: str) -> None:
    synonyms = load_synonyms(language)
    assert bool(synonyms.synonyms) is (language != "xx")
    for synonym in synonyms.synonyms:
        index = LookupIndex.build(
            examine([f"tango {synonym.means}"], ["96.09"], TREE, language=language),
            TREE,
            load_rules(language),
            synonyms,
            titles=False,
        )
        for said in synonym.said:
            assert index.code(f"{said} tango").code == "96.09", said


@pytest.mark.parametrize("content", ["[]", "synonyms: [{means: a}]", "{", "words: 1"])
def test_synonyms_that_cannot_work_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "synonyms.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidInputError):
        load_synonyms(str(path))
    with pytest.raises(InvalidInputError):
        load_synonyms(str(tmp_path / "none.yaml"))


def test_build_code_and_evaluate_from_the_command_line(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, index = tmp_path / "coded.csv", tmp_path / "lookup.json"
    lines = [",".join(f'"{value}"' for value in row) for row in ROWS]
    data.write_text("\n".join(["text,code,nature,surface", *lines]) + "\n", encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["nace", "lookup", *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(left.value.code or 0), said.out

    columns = ["--feature-column", "nature", "--feature-column", "surface"]
    build = ["build", "--data", str(data), "--nomenclature", "nace-rev2", "--output", str(index)]
    left, out = run(*build, *columns, "--bands", "insee-surface", "--json")
    built = json.loads(out)
    assert (left, built["path"], built["level"]) == (0, str(index), 4)
    left, out = run(
        "code", "--index", str(index), "--feature", "nature=retail", "--json", "Food shop"
    )
    assert json.loads(out)["answers"][0]["code"] == "47.11"
    left, out = run("code", "--index", str(index), "--data", str(data), *columns)
    assert (left, out.count("[not sure]"), out.count("[not found]")) == (0, 0, 1)
    left, out = run("evaluate", "--index", str(index), "--data", str(data), *columns, "--json")
    assert (left, json.loads(out)["lookup"]["accuracy_auto"]) == (0, 1)
    left, out = run("evaluate", "--index", str(index), "--data", str(data))
    assert left == 0
    assert "rules:" in out
    for wrong in (
        ["code", "--index", str(index)],
        ["code", "--index", str(index), "--feature", "nature", "x"],
        [*build, "--rule", "fuzzy"],
        [*build[:-1], str(tmp_path / "no" / "folder")],
    ):
        left, out = run(*wrong, "--json")
        assert left == 2, wrong
        assert json.loads(out)["error"]["hint"]
    left, out = run("code", "--index", str(small_model / "model.json"), "x", "--json")
    assert (left, json.loads(out)["error"]["code"]) == (1, "lookup_damaged")
