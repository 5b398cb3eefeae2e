"""Preparation: the rules of each language, their order, and their pace."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe_nace.text import Preparation, RuleSet, available_languages, load_rules, rules_for

EXAMPLES = [
    ("en", "Growing of CAFÉ plants", "grow cafe plant"),
    ("en", "Bakers' yeast, n.e.c.", "baker yeast nec"),
    ("en", "Baker\u2019s yeast", "baker yeast"),
    ("en", "Not selling", "not sell"),
    ("fr", "L\u2019élevage d'\u0153ufs, n.c.a.", "elevag oeuf nca"),
    ("fr", "Boulangerie sans vente", "boulanger san vent"),
    ("it", "Attività dell'allevamento non da latte", "attiv allev non latt"),
    ("de", "Straßenbau und Bäckerei", "strassenbau backerei"),
    ("und", "Търговия на дребно", "търговия на дребно"),
    ("und", "\uff23\uff2f\uff26\uff26\uff25\uff25", "coffee"),
]


@pytest.mark.parametrize(("language", "raw", "prepared"), EXAMPLES)
def test_each_language_prepares_as_its_rules_say(language: str, raw: str, prepared: str) -> None:
    assert Preparation(load_rules(language))(raw) == prepared


@pytest.mark.parametrize(
    ("language", "raw"),
    [
        ("en", "see extract"),
        ("en", " - N/A - "),
        ("en", "..."),
        ("fr", "IDEM"),
        ("fr", "sans objet"),
        ("it", "vedi visura"),
        ("de", "siehe Handelsregister"),
        ("und", "\ud83d\ude00\ufe0f"),
        ("und", "\ud800"),
    ],
)
def test_texts_without_information_become_empty(language: str, raw: str) -> None:
    assert Preparation(load_rules(language))(raw) == ""


def test_german_umlauts_and_their_spelling_out_are_one_word() -> None:
    prepare = Preparation(load_rules("de"))
    assert prepare("Bäckerei") == prepare("Baeckerei") == prepare("Ba\u0308ckerei")


def test_effects_count_the_texts_that_each_rule_changed() -> None:
    effects = Preparation(load_rules("en")).effects(["the shop", "idem", "shops", "shop n.e.c."])
    assert effects == {
        "case-and-accents": 0,
        "no-information": 1,
        "not-elsewhere-classified": 1,
        "possessive": 0,
        "stop-words": 1,
        "stem": 1,
    }


@pytest.mark.parametrize("language", available_languages())
def test_rules_survive_the_journey_through_a_model_folder(language: str) -> None:
    rules = load_rules(language)
    again = RuleSet.from_dict(rules.to_dict())
    assert again == rules
    assert again.sha256 == rules.sha256
    assert all(rule.why for rule in rules.rules)


def test_a_change_of_a_rule_changes_the_hash() -> None:
    document = load_rules("en").to_dict()
    document["rules"][-2]["words"].remove("the")
    assert RuleSet.from_dict(document).sha256 != load_rules("en").sha256


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"name": "w", "kind": "words", "why": "w"}],
        [{"name": "w", "kind": "words", "why": "w", "pattern": "("}],
        [{"name": "w", "kind": "shell", "why": "w", "pattern": "a"}],
        [
            {"name": "s", "kind": "stem", "why": "w", "algorithm": "english"},
            {"name": "w", "kind": "words", "why": "w", "pattern": "a"},
        ],
        "rules",
    ],
)
def test_rules_that_cannot_work_are_refused(rules: object) -> None:
    with pytest.raises(InvalidInputError):
        RuleSet.from_dict({"language": "xx", "version": 1, "rules": rules})


def test_an_unknown_stemmer_is_refused() -> None:
    words = {"name": "w", "kind": "words", "why": "w", "pattern": "a"}
    stem = {"name": "s", "kind": "stem", "why": "w", "algorithm": "klingon"}
    rules = RuleSet.from_dict({"language": "xx", "version": 1, "rules": [words, stem]})
    with pytest.raises(InvalidInputError, match="klingon"):
        Preparation(rules)


def test_unknown_languages_are_an_error_by_name_and_neutral_by_default() -> None:
    with pytest.raises(InvalidInputError, match="xx"):
        load_rules("xx")
    assert rules_for("xx").language == "und"


@given(st.text())
def test_any_text_gives_single_spaced_words_and_the_same_twice(text: str) -> None:
    prepare = Preparation(load_rules("fr"))
    once = prepare(text)
    assert once == prepare(text)
    assert once == " ".join(once.split())
    assert "__" not in once  # fastText's mark of a label
    once.encode()  # a lone surrogate would not


def test_the_cache_of_stems_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autonoe_nace.text.preparation.MAX_CACHED_WORDS", 100)
    prepare = Preparation(load_rules("en"))
    prepare.all(f"word{i}" for i in range(1_000))
    assert len(prepare._known) <= 100


def test_preparation_reaches_25_000_texts_per_second_of_one_core() -> None:
    texts = [
        f"Retail sale of part {i % 700} for machines in specialised shops" for i in range(9_000)
    ]
    prepare = Preparation(load_rules("en"))
    start = time.process_time()
    prepare.all(texts)
    assert len(texts) / (time.process_time() - start) > 25_000
