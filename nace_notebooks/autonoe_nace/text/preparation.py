"""From a raw text to the words that a model sees. Pure: same text and rules, same result."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import Stemmer

from autonoe.errors import InvalidInputError
from autonoe_nace.text.features import FeatureTokens
from autonoe_nace.text.rules import Rule, RuleSet

Step = Callable[[str], str]

_LIGATURES = str.maketrans(
    {"\u0153": "oe", "\u00e6": "ae", "\u00f8": "o", "\u0142": "l", "\u0111": "d"}
)
"""Letters that people also type as plain ones, and that Unicode does not decompose."""

_MOST_CHARACTERS = 20_000
"""Characters whose plain form is remembered: a hostile text may hold a million."""

LONGEST_CACHED_WORD = 64
"""Characters; a longer word is hardly one that comes again, and would fill the memory."""

_WORD = re.compile(r"[^\W_]+")
_PUNCTUATION = 12
"""Characters around the words of a phrase that says nothing, such as " - N / A - "."""

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
        names = [rule.name for rule in self.rules.rules if rule.kind != "words"]
        counts = dict.fromkeys(names, 0)
        for text in texts:
            for rule, _, _ in self.changes(text):
                counts[rule.name] += 1
        return counts

    def changes(self, text: str) -> Iterator[tuple[Rule, str, str]]:
        """Yield (rule, before, after) for each rule that changes ``text``, in rule order."""
        for rule, step in self._text_rules:
            after = step(text)
            if after != text:
                yield rule, text, after
            text = after
        words = self._words.findall(text)
        for rule, step in self._word_rules:
            kept = [word for word in map(step, words) if word]
            if kept != words:
                yield rule, " ".join(words), " ".join(kept)
            words = kept

    def _remember(self, word: str) -> str:
        kept = word
        for _, step in self._word_rules:
            kept = step(kept)
            if not kept:
                break
        if len(word) <= LONGEST_CACHED_WORD:
            if len(self._known) >= MAX_CACHED_WORDS:
                self._known.clear()
            self._known[word] = kept
        return kept


def _text_step(rule: Rule) -> Step:
    if rule.kind == "unicode":
        return _plain
    if rule.kind == "blank":
        return _blank_step(rule)
    if rule.kind == "remove":
        return _remove_step(rule)
    pattern = re.compile(rule.pattern)
    return lambda text: pattern.sub(rule.replacement, text)


def _blank_step(rule: Rule) -> Step:
    phrases = frozenset(" ".join(_WORD.findall(phrase)) for phrase in rule.phrases)
    pattern = re.compile(rule.pattern) if rule.pattern else None
    # Most texts are longer than any such phrase: they need not be cut into words twice.
    longest = max(map(len, phrases), default=0) + _PUNCTUATION

    def step(text: str) -> str:
        if len(text) <= longest and " ".join(_WORD.findall(text)) in phrases:
            return ""
        return "" if pattern is not None and pattern.fullmatch(text.strip()) else text

    return step


def _remove_step(rule: Rule) -> Step:
    # The longest first: of "see extract" and "see extract attached" the second is meant.
    phrases = sorted((_WORD.findall(phrase) for phrase in rule.phrases), key=len, reverse=True)
    spelt = "|".join(r"[\W_]+".join(map(re.escape, words)) for words in phrases)
    pattern = re.compile(rf"\b(?:{spelt})\b")
    return lambda text: pattern.sub(" ", text)


def _word_step(rule: Rule) -> Step:
    if rule.kind == "drop":
        return _drop_step(rule)
    try:
        # Its own cache is off: MAX_CACHED_WORDS bounds ours, over all steps.
        stem = Stemmer.Stemmer(rule.algorithm, 0).stemWord
    except KeyError as error:
        raise InvalidInputError(
            f"The rule {rule.name!r} asks for the unknown stemmer {rule.algorithm!r}.",
            hint=f"Known: {', '.join(Stemmer.algorithms())}.",
        ) from error
    return lambda word: str(stem(word)) if len(word) > 2 else word


def _drop_step(rule: Rule) -> Step:
    dropped = frozenset(rule.words)
    pattern = re.compile(rule.pattern) if rule.pattern else None

    def step(word: str) -> str:
        if word in dropped or (pattern is not None and pattern.fullmatch(word)):
            return ""
        return word

    return step


def _plain(text: str) -> str:
    """Return ``text`` in lower case and without accents."""
    return text.lower() if text.isascii() else text.translate(_PLAIN_FORMS)


class _PlainForms(dict[int, str]):
    """The plain form of each character, worked out when it is first met.

    Case folding and NFKD look at one character at a time once the combining marks are left out, so
    that a table gives what the whole text would give, four times as fast.
    """

    def __missing__(self, number: int) -> str:
        decomposed = unicodedata.normalize("NFKD", chr(number).casefold().translate(_LIGATURES))
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
        if len(self) < _MOST_CHARACTERS:
            self[number] = plain
        return plain


_PLAIN_FORMS = _PlainForms()
