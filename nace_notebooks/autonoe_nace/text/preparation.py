"""From a raw text to the words that a model sees. Pure: same text and rules, same result."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable

import snowballstemmer

from autonoe.errors import InvalidInputError
from autonoe_nace.text.rules import Rule, RuleSet

Step = Callable[[str], str]

_LIGATURES = str.maketrans(
    {"\u0153": "oe", "\u00e6": "ae", "\u00f8": "o", "\u0142": "l", "\u0111": "d"}
)
"""Letters that people also type as plain ones, and that Unicode does not decompose."""

MAX_CACHED_WORDS = 200_000
"""Words whose stem is remembered, at most: hostile texts must not make a server grow for ever."""


class Preparation:
    """Apply a rule set to texts.

    Parameters
    ----------
    rules : RuleSet
        What to do, in order.

    Examples
    --------
    >>> from autonoe_nace.text import load_rules
    >>> Preparation(load_rules("en"))("Growing of Café plants")
    'grow cafe plant'
    """

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        cut = [rule.kind for rule in rules.rules].index("words")
        self._text_rules = [(rule, _text_step(rule)) for rule in rules.rules[:cut]]
        self._text_steps = [step for _, step in self._text_rules]
        self._words = re.compile(rules.rules[cut].pattern)
        self._word_rules = [(rule, _word_step(rule)) for rule in rules.rules[cut + 1 :]]
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Return the prepared form of ``text``: words between single blanks, possibly none."""
        for step in self._text_steps:
            text = step(text)
        known, out = self._known, []
        for word in self._words.findall(text):
            kept = known.get(word)
            if kept is None:
                kept = self._remember(word)
            if kept:
                out.append(kept)
        return " ".join(out)

    def all(self, texts: Iterable[str]) -> list[str]:
        """Return the prepared forms of ``texts``, in the same order."""
        return [self(text) for text in texts]

    def effects(self, texts: Iterable[str]) -> dict[str, int]:
        """Return, by rule name and in rule order, how many of ``texts`` the rule changed."""
        counts: Counter[str] = Counter()
        for text in texts:
            for rule, step in self._text_rules:
                after = step(text)
                counts[rule.name] += after != text
                text = after
            words = self._words.findall(text)
            for rule, step in self._word_rules:
                after_words = [kept for kept in map(step, words) if kept]
                counts[rule.name] += after_words != words
                words = after_words
        return {rule.name: counts[rule.name] for rule in self.rules.rules if rule.kind != "words"}

    def _remember(self, word: str) -> str:
        kept = word
        for _, step in self._word_rules:
            kept = step(kept)
            if not kept:
                break
        if len(self._known) >= MAX_CACHED_WORDS:
            self._known.clear()
        self._known[word] = kept
        return kept


def _text_step(rule: Rule) -> Step:
    if rule.kind == "unicode":
        return _plain
    pattern = re.compile(rule.pattern)
    if rule.kind == "blank":
        return lambda text: "" if pattern.fullmatch(text.strip()) else text
    return lambda text: pattern.sub(rule.replacement, text)


def _word_step(rule: Rule) -> Step:
    if rule.kind == "drop":
        dropped = frozenset(rule.words)
        return lambda word: "" if word in dropped else word
    try:
        stem = snowballstemmer.stemmer(rule.algorithm).stemWord
    except KeyError as error:
        raise InvalidInputError(
            f"The rule {rule.name!r} asks for the unknown stemmer {rule.algorithm!r}.",
            hint=f"Known: {', '.join(snowballstemmer.algorithms())}.",
        ) from error
    return lambda word: str(stem(word)) if len(word) > 2 else word


def _plain(text: str) -> str:
    """Return ``text`` in lower case and without accents (NFKD, combining marks left out)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LIGATURES))
    return "".join(c for c in decomposed if not unicodedata.combining(c))
