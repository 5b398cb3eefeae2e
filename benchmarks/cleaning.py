"""Texts prepared per second of one core, beside the stock method and a plain rewrite.

All three apply the French rules to the same texts in the same run and must give the same words. The
stock method is what offices publish: a pandas Series, a regular expression for each rule, Snowball
in Python for each word. The plain rewrite is the same without pandas, expressions compiled once and
each stem remembered. Figures are of CPU time, so that a busy machine distorts them less.
"""

from __future__ import annotations

import random
import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
from snowballstemmer.french_stemmer import FrenchStemmer

from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.text import Preparation, RuleSet, load_rules
from benchmarks.measurement import Measurement, interleaved

TEXTS = 10_000
SINGLE = 200
"""Texts given one at a time, as a server gets them."""

_SEED = 20251122
_LIGATURES = (("\u0153", "oe"), ("\u00e6", "ae"))
Prepare = Callable[[Sequence[str]], list[str]]


def measure(_folder: Path, *, pairs: int) -> list[Measurement]:
    """Return the three figures; raise AssertionError if the methods give other words."""
    texts = corpus()
    rules = load_rules("fr")
    expected = Preparation(rules).all(texts)
    for method in (stock_method(rules), plain_rewrite(rules)):
        assert method(texts) == expected
    ours = lambda: _speed(_ours(rules), texts)  # noqa: E731
    mine, pandas = interleaved(ours, lambda: _speed(stock_method(rules), texts), pairs=pairs)
    again, plain = interleaved(ours, lambda: _speed(plain_rewrite(rules), texts), pairs=pairs)
    single, alone = interleaved(
        lambda: _speed_of_single(_ours(rules), texts),
        lambda: _speed_of_single(stock_method(rules), texts),
        pairs=pairs,
    )
    unit = "texts/s/core"
    return [
        Measurement("NACE cleaning, one list", unit, mine, pandas, "pandas and regexes"),
        Measurement("NACE cleaning, one list", unit, again, plain, "plain rewrite"),
        Measurement("NACE cleaning, text by text", unit, single, alone, "pandas and regexes"),
    ]


def corpus(size: int = TEXTS, seed: int = _SEED) -> list[str]:
    """Return ``size`` short French texts as firms write them: parts of titles, noise, capitals."""
    chosen = random.Random(seed)
    titles = [n.title for n in load_nomenclature("naf-rev2").nodes.values() if n.level >= 4]
    parts = [part.strip() for title in titles for part in re.split(r"[,;:]", title) if part.strip()]
    before = ["", "", "", "Activit\u00e9 principale : ", "Vente et ", "S.A.R.L. ", "\u00c0 Lyon, "]
    after = [
        "",
        "",
        "",
        " (voir extrait Kbis)",
        ", n.c.a.",
        " 82345678900012",
        " www.firme.fr",
        "!",
    ]
    found = []
    for _ in range(size):
        text = chosen.choice(parts)
        if chosen.random() < 0.3:
            text = f"{text} et {chosen.choice(parts)}"
        text = chosen.choice(before) + text + chosen.choice(after)
        found.append(text.upper() if chosen.random() < 0.3 else text)
    # One text in fifty says nothing.
    return [
        chosen.choice(["idem", "S.O.", "voir Kbis"]) if not i % 50 else t
        for i, t in enumerate(found)
    ]


def _ours(rules: RuleSet) -> Prepare:
    return Preparation(rules).all


def stock_method(rules: RuleSet) -> Prepare:
    """Return the preparation by a pandas Series and one regular expression after another."""
    steps = _patterns(rules)
    empty, stop = _sets(rules)
    stem = FrenchStemmer().stemWord

    def prepare(texts: Sequence[str]) -> list[str]:
        series = pd.Series(list(texts), dtype="object").str.casefold()
        for ligature, plain in _LIGATURES:
            series = series.str.replace(ligature, plain, regex=False)
        series = series.str.normalize("NFKD").str.replace(r"[\u0300-\u036f]", "", regex=True)
        says_nothing = series.str.replace(r"[\W_]+", " ", regex=True).str.strip().isin(empty)
        series = series.mask(says_nothing | series.str.fullmatch(rules.rules[1].pattern), "")
        for pattern, replacement in steps:
            series = series.str.replace(pattern, replacement, regex=True)
        words = series.str.findall(r"[^\W_]+")
        words = words.map(lambda found: [w for w in found if not re.fullmatch(r"\d{5,}", w)])
        words = words.map(lambda found: [w for w in found if w not in stop])
        stems = words.map(lambda found: [stem(w) if len(w) > 2 else w for w in found])
        return list(stems.str.join(" "))

    return prepare


def plain_rewrite(rules: RuleSet) -> Prepare:
    """Return the same in a plain loop: compiled expressions, each stem remembered."""
    steps = [(re.compile(pattern), replacement) for pattern, replacement in _patterns(rules)]
    empty, stop = _sets(rules)
    stem = cache(FrenchStemmer().stemWord)
    digits, blank = re.compile(r"\d{5,}"), re.compile(rules.rules[1].pattern)
    separators, found_words = re.compile(r"[\W_]+"), re.compile(r"[^\W_]+")

    def prepare_one(text: str) -> str:
        text = text.casefold()
        for ligature, plain in _LIGATURES:
            text = text.replace(ligature, plain)
        text = "".join(
            c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
        )
        if separators.sub(" ", text).strip() in empty or blank.fullmatch(text):
            return ""
        for pattern, replacement in steps:
            text = pattern.sub(replacement, text)
        words = (w for w in found_words.findall(text) if w not in stop and not digits.fullmatch(w))
        return " ".join(stem(w) if len(w) > 2 else w for w in words)

    return lambda texts: [prepare_one(text) for text in texts]


def _patterns(rules: RuleSet) -> list[tuple[str, str]]:
    """Return the rules that replace or remove, as expressions that pandas takes."""
    found = []
    for rule in rules.rules:
        if rule.kind == "replace":
            found.append((rule.pattern, rule.replacement))
        elif rule.kind == "remove":
            spelt = sorted((re.findall(r"[^\W_]+", p) for p in rule.phrases), key=len, reverse=True)
            alternatives = "|".join(r"[\W_]+".join(map(re.escape, words)) for words in spelt)
            found.append((rf"\b(?:{alternatives})\b", " "))
    return found


def _sets(rules: RuleSet) -> tuple[frozenset[str], frozenset[str]]:
    phrases = next(rule.phrases for rule in rules.rules if rule.kind == "blank")
    stop = next(rule.words for rule in rules.rules if rule.words)
    return frozenset(" ".join(re.findall(r"[^\W_]+", p)) for p in phrases), frozenset(stop)


def _speed(prepare: Prepare, texts: Sequence[str]) -> float:
    begun = time.process_time()
    prepare(texts)
    return len(texts) / (time.process_time() - begun)


def _speed_of_single(prepare: Prepare, texts: Sequence[str]) -> float:
    begun = time.process_time()
    for text in texts[:SINGLE]:
        prepare([text])
    return SINGLE / (time.process_time() - begun)
