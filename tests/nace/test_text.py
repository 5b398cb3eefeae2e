"""Preparation: the rules of each language, their order, and their pace."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe_nace.data import ateco
from autonoe_nace.tables import read_columns
from autonoe_nace.text import (
    Preparation,
    RuleSet,
    available_languages,
    load_rules,
    preparation,
    rule_effects,
    rules_for,
)

EXAMPLES = [
    ("en", "Growing of CAFÉ plants", "grow cafe plant"),
    ("en", "Bakers' yeast, n.e.c.", "baker yeast nec"),
    ("en", "Baker\u2019s yeast", "baker yeast"),
    ("en", "Not selling", "not sell"),
    ("fr", "L\u2019élevage d'\u0153ufs, n.c.a.", "elevag oeuf nca"),
    ("fr", "Boulangerie sans vente", "boulanger san vent"),
    ("it", "Attività dell'allevamento non da latte", "attiv allev non latt"),
    ("de", "Straßenbau und Bäckerei", "strassenbau backerei"),
    ("fr", "Voir Kbis ; vente de pain", "vent pain"),
    ("fr", "www.pain.fr vente 12345678900012 de pain", "vent pain"),
    ("en", "Our company is a 3-star hotel, see extract", "3 star hotel"),
    ("cy", "Tyfu\u2019r afalau a cheirios", "tyfu afalau cheirios"),
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
        ("fr", "Voir extrait K-bis !"),
        ("fr", "S.O."),
        ("en", "01 23 45 67 89"),
        ("en", "The company: see extract"),
        ("cy", "Gweler uchod"),
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
        "web-addresses": 0,
        "references": 0,
        "not-elsewhere-classified": 1,
        "possessive": 0,
        "long-numbers": 0,
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
        [{"name": "w", "kind": "words", "why": "w", "pattern": "\\S+"}],
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


@settings(deadline=None)
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


LONG = 5_000
HOSTILE = [
    "a." * (LONG // 2),
    "a" * LONG,
    "x" * (LONG - 1) + "y",
    "a@" * (LONG // 2),
    "a@a." * (LONG // 4),
    "-" * (LONG - 1) + "y",
    "see" + " " * (LONG - 10) + "z",
    "see " * (LONG // 4),
    "n. e. " * (LONG // 6),
    "l'" * (LONG // 2),
    "www." * (LONG // 4),
    "\u0308a" * (LONG // 2),
    "1" * LONG,
    "http://" * (LONG // 7),
]


@pytest.mark.parametrize("language", available_languages())
def test_no_text_makes_a_rule_search_for_long(language: str) -> None:
    """A thousand such texts in one request must not hold a server up."""
    prepare = Preparation(load_rules(language))
    for text in HOSTILE:
        times = []
        for _ in range(3):
            start = time.process_time()
            prepare(text)
            times.append(time.process_time() - start)
        assert min(times) < 0.02, (text[:12], times)
    assert all(len(word) <= preparation.LONGEST_CACHED_WORD for word in prepare._known)


@pytest.mark.parametrize("language", ["en", "fr", "it", "de"])
def test_preparation_reaches_25_000_texts_per_second_of_one_core(
    language: str, shared_data: Path
) -> None:
    """Real texts, every word new: no stem is remembered from an earlier run."""
    if language == "it":
        texts: list[str] = list(ateco().texts)
    else:
        table = read_columns(
            str(shared_data / "data/labelled/nace_rev2_notes_en_fr_de_train.parquet")
        )
        columns = table.columns
        texts = [
            t for t, lang in zip(columns["text"], columns["lang"], strict=True) if lang == language
        ]
    Preparation(load_rules(language)).all(texts[:10])
    speeds = []
    for _ in range(3):
        prepare = Preparation(load_rules(language))
        start = time.process_time()
        prepare.all(texts)
        speeds.append(len(texts) / (time.process_time() - start))
    assert max(speeds) > 25_000


def test_the_table_of_plain_forms_gives_what_the_whole_text_gives() -> None:
    def whole(text: str) -> str:
        folded = text.casefold().translate(preparation._LIGATURES)
        decomposed = unicodedata.normalize("NFKD", folded)
        return "".join(c for c in decomposed if not unicodedata.combining(c))

    for start in range(0x80, 0x30000, 64):
        text = "".join(map(chr, range(start, start + 64)))
        assert preparation._plain(text) == whole(text)
    assert len(preparation._PLAIN_FORMS) <= preparation._MOST_CHARACTERS
    assert preparation._plain("\u1100\u0323\u0301 \ufb03 A\u030a \u03a3") == "\u1100 ffi a \u03c3"


def test_effects_count_words_and_emptied_texts_and_show_an_example() -> None:
    prepare = Preparation(load_rules("en"))
    found = {e.rule.name: e for e in rule_effects(prepare, ["the shop", "idem", "shops of bread"])}
    assert list(found) == list(prepare.effects([]))
    stop, empty = found["stop-words"], found["no-information"]
    assert (stop.texts, stop.words_removed, stop.example) == (2, 2, ("the shop", "shop"))
    assert stop.share == pytest.approx(2 / 3)
    assert (empty.texts, empty.emptied, empty.example) == (1, 1, ("idem", ""))
    assert found["stem"].example == ("shops bread", "shop bread")
    assert rule_effects(prepare, [])[0].share == 0


def test_the_last_change_is_the_prepared_text() -> None:
    prepare = Preparation(load_rules("fr"))
    for text in ("L'\u00e9levage d'escargots, voir annexe", "idem", "Vente"):
        *_, (_, _, after) = prepare.changes(text)
        assert after.split() == prepare(text).split()


def test_rules_of_a_file_prepare_as_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "language: xx\nversion: 3\nrules:\n"
        "  - {name: case, kind: unicode, why: w}\n"
        "  - {name: gone, kind: remove, why: w, phrases: [see below, see]}\n"
        "  - {name: words, kind: words, why: w, pattern: '[a-z]+'}\n"
        "  - {name: ones, kind: drop, why: w, pattern: '[a-z]'}\n",
        encoding="utf-8",
    )
    rules = load_rules(str(path))
    assert rules_for(str(path)) == rules
    assert (rules.language, rules.version) == ("xx", 3)
    assert Preparation(rules)("Bread, SEE -- below; a seesaw") == "bread seesaw"
    for content in ("{", "[]", "language: xx"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidInputError):
            load_rules(str(path))
    with pytest.raises(InvalidInputError, match=r"missing\.yaml"):
        load_rules(str(tmp_path / "missing.yaml"))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_no_rule_set_ever_lets_a_token_or_a_surrogate_through(text: str) -> None:
    for language in available_languages():
        prepared = Preparation(load_rules(language))(f"{text}\U000f0000\ud800")
        assert not any(ord(c) >= 0xF0000 or ord(c) in range(0xD800, 0xE000) for c in prepared)
