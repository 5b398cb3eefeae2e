"""Side variables: tokens that meet no n-gram of a word, and numbers cut into classes by a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe_nace.text import FeatureTokens, Preparation, features, load_bands, load_rules

GIVEN = {
    "nature": ["03", "30", "", "03", " 30 "],
    "surface": ["119", "120", "120,5", "9000", "?"],
}


def _tokens() -> FeatureTokens:
    return FeatureTokens.learn(GIVEN, bands=load_bands("insee-surface"))


def test_each_value_is_one_character_of_its_own() -> None:
    known = _tokens()
    assert known.values == {"nature": ("03", "30"), "surface": ("1", "2", "4")}
    seen = [known.tokens({c: v}) for c in GIVEN for v in GIVEN[c]]
    assert [len(token) for token in seen] == [1, 1, 0, 1, 1, 1, 1, 1, 1, 0]
    assert len({*seen} - {""}) == 5
    assert known.tokens({"surface": "60", "nature": "30"}).split() == [seen[1], seen[5]]
    assert [known.describe(seen[1]), known.describe(seen[8])] == [
        ("nature", "30"),
        ("surface", "4"),
    ]
    assert known.describe("bread") is None
    assert known.describe("b") is None


def test_unknown_and_missing_values_have_no_token() -> None:
    known = _tokens()
    assert known.tokens({"nature": "99", "colour": "red", "surface": ""}) == ""
    assert known.tokens({}) == ""


def test_a_text_that_says_nothing_is_not_coded_by_its_side_variables() -> None:
    known = _tokens()
    assert known.append("", {"nature": "03"}) == ""
    assert known.append("bread", {"nature": "99"}) == "bread"
    assert known.append("bread", {"nature": "03"}).split()[0] == "bread"


def test_rare_values_get_no_token_when_asked() -> None:
    assert FeatureTokens.learn(GIVEN, min_count=2).values["nature"] == ("03", "30")
    assert FeatureTokens.learn({"a": ["x", "y", "x"]}, min_count=2).values == {"a": ("x",)}


def test_fasttext_gives_a_token_no_ngram_that_a_word_could_have(tmp_path: Path) -> None:
    """Against fastText itself: each n-gram of a token holds the private-use character."""
    import fasttext

    token = _tokens().tokens({"nature": "03"})
    source = tmp_path / "train.txt"
    source.write_text(f"__label__a bread shop {token}\n__label__b bread oven\n" * 20, "utf-8")
    model = fasttext.train_supervised(str(source), minn=2, maxn=4, bucket=1_000, dim=4, verbose=0)
    ngrams, _ = model.get_subwords(token)
    assert ngrams
    assert all(token in ngram for ngram in ngrams)


def test_the_preparation_carries_rules_and_side_variables_in_one_document() -> None:
    prepare = Preparation(load_rules("en"), _tokens())
    document = json.loads(json.dumps(prepare.to_dict()))
    again = Preparation.from_dict(document)
    rows = [{"nature": "03", "surface": "50"}, {"nature": "30"}, {}]
    texts = ["Bakeries", "Bakeries", "Bakeries"]
    prepared = again.all(texts, rows)
    assert prepared == prepare.all(texts, rows)
    assert len(set(prepared)) == 3
    assert prepared[2] == "bakeri"
    assert again.rules.sha256 == load_rules("en").sha256
    assert Preparation.from_dict(load_rules("en").to_dict()).features.columns == ()


@pytest.mark.parametrize("document", [None, 3, {"features": 1}, {"values": {"a": 1}}])
def test_documents_of_another_form_are_refused(document: object) -> None:
    with pytest.raises(InvalidInputError):
        FeatureTokens.from_dict(document)
    with pytest.raises(InvalidInputError):
        Preparation.from_dict({**load_rules("en").to_dict(), "features": document or 1})


def test_a_column_of_numbers_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInputError, match="'surface' has 6,000") as caught:
        FeatureTokens.learn({"surface": [str(i) for i in range(6_000)]})
    assert "bands" in caught.value.hint
    monkeypatch.setattr(features, "MOST", 2)
    with pytest.raises(InvalidInputError, match="together"):
        FeatureTokens.learn({"a": ["1", "2"], "b": ["1"]})


@pytest.mark.parametrize(
    ("surface", "found"),
    [
        ("0", ""),
        ("-5", ""),
        ("0.5", "1"),
        ("120", "1"),
        ("120.01", "2"),
        ("400", "2"),
        ("401", "3"),
        ("2 500", "3"),
        ("2500,5", "4"),
        ("1e9", "4"),
        ("nan", ""),
        ("inf", ""),
        ("", ""),
        ("large", ""),
    ],
)
def test_exactly_120_square_metres_are_in_the_first_class(surface: str, found: str) -> None:
    """INSEE's production code puts them into the fourth."""
    assert load_bands("insee-surface")["surface"].classify(surface) == found


def test_bands_of_a_file_can_close_on_the_left(tmp_path: Path) -> None:
    path = tmp_path / "bands.yaml"
    path.write_text(
        "name: mine\nversion: 1\nbands:\n  staff:\n    edges: [0, 10]\n    closed: left\n"
        "    classes: [few, many]\n",
        encoding="utf-8",
    )
    band = load_bands(str(path))["staff"]
    assert [band.classify(v) for v in ("-1", "0", "9", "10")] == ["", "few", "few", "many"]


@pytest.mark.parametrize(
    "bands",
    [
        "x",
        "name: a\nversion: 1\nbands: {s: {edges: [0], classes: [a, b]}}",
        "name: a\nversion: 1\nbands: {s: {edges: [5, 0], classes: [a, b]}}",
        "name: a\nversion: 1\nbands: {s: {edges: [0, 5], classes: [a, a]}}",
        "name: a\nversion: 1\nbands: {s: {edges: [.nan], classes: [a]}}",
        "name: a\nbands: {}",
        "{",
    ],
)
def test_bands_that_cannot_work_are_refused(tmp_path: Path, bands: str) -> None:
    path = tmp_path / "bands.yaml"
    path.write_text(bands, encoding="utf-8")
    with pytest.raises(InvalidInputError, match="not valid") as caught:
        load_bands(str(path))
    assert "insee-surface" in caught.value.hint
    with pytest.raises(InvalidInputError, match="neither"):
        load_bands(str(tmp_path / "none.yaml"))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["nature", "surface", "x"]), st.text()))
def test_any_side_variables_give_known_tokens_only(given_features: dict[str, str]) -> None:
    known = _tokens()
    for token in known.tokens(given_features).split():
        assert known.describe(token) is not None
