"""From a raw text to the words that a model sees. Pure: same text and rules, same result."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import snowballstemmer

from autonoe.errors import InvalidInputError
from autonoe_nace.text.features import FeatureTokens
from autonoe_nace.text.rules import Rule, RuleSet

Step = Callable[[str], str]

_LIGATURES = str.maketrans(
    {"\u0153": "oe", "\u00e6": "ae", "\u00f8": "o", "\u0142": "l", "\u0111": "d"}
)
"""Letters that people also type as plain ones, and that Unicode does not decompose."""

FEATURES_KEY = "features"
"""Where ``preparation.json`` keeps the side variables, beside the rules."""

MAX_CACHED_WORDS = 200_000
"""Words whose stem is remembered, at most: hostile texts must not make a server grow for ever."""


class Preparation:
    """Apply a rule set to texts.

    Parameters
    ----------
    rules : RuleSet
        What to do, in order.
    features : FeatureTokens, optional
        Side variables of the model, put after the prepared text.

    Examples
    --------
    >>> from autonoe_nace.text import load_rules
    >>> Preparation(load_rules("en"))("Growing of Café plants")
    'grow cafe plant'
    """

    def __init__(self, rules: RuleSet, features: FeatureTokens | None = None) -> None:
        self.rules = rules
        self.features = features or FeatureTokens(values={})
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

    @classmethod
    def from_dict(cls, document: Any) -> Preparation:
        """Return the preparation of a document written by :meth:`to_dict` (``preparation.json``).

        Raises
        ------
        InvalidInputError
            If the rules or the side variables in it are not valid.
        """
        if not isinstance(document, Mapping):
            return cls(RuleSet.from_dict(document))
        rules = {key: value for key, value in document.items() if key != FEATURES_KEY}
        features = document.get(FEATURES_KEY)
        known = FeatureTokens.from_dict(features) if features is not None else None
        return cls(RuleSet.from_dict(rules), known)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that travels with a model: the rules, and side variables if any."""
        document = self.rules.to_dict()
        if self.features.values:
            document[FEATURES_KEY] = self.features.to_dict()
        return document

    def all(
        self, texts: Iterable[str], features: Iterable[Mapping[str, str]] | None = None
    ) -> list[str]:
        """Return the prepared forms of ``texts``, in the same order.

        Parameters
        ----------
        texts : iterable of str
            As people typed them.
        features : iterable of mapping, optional
            Side variables of each text, ``{column: value}``; their tokens follow the words.
        """
        prepared = [self(text) for text in texts]
        if features is None or not self.features.values:
            return prepared
        append = self.features.append
        return [append(text, given) for text, given in zip(prepared, features, strict=True)]

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
