"""Rule sets: ordered, named, versioned data that say how a text is prepared in one language."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError

NEUTRAL = "und"
"""BCP 47's tag for "undetermined": no stop words and no stemming, any alphabet."""


_SUFFIX = ".yaml"

_NO_WORDS = "\U000f0000 \U000f0001 _ \ud800 \t"
"""What no word may hold: the tokens of side variables, fastText's mark of a label, what UTF-8
cannot write."""


class Rule(BaseModel):
    """One step of preparation. Which of the optional fields count depends on ``kind``.

    Attributes
    ----------
    name : str
        Unique in its rule set.
    kind : str
        On the whole text: ``unicode`` (case, accents, ligatures), ``blank`` (a text that is one of
        ``phrases`` or matches ``pattern`` says nothing and becomes empty), ``remove`` (``phrases``
        are taken out wherever they stand), ``replace`` (``pattern`` becomes ``with``). Then one
        ``words`` (``pattern`` finds the words). On single words: ``drop`` (those in ``words`` or
        matching ``pattern``), ``stem`` (by Snowball's ``algorithm``).
    why : str
        The reason, for people.
    phrases : tuple of str
        As they read after the rules before; punctuation and blanks between words do not matter.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["unicode", "blank", "remove", "replace", "words", "drop", "stem"]
    why: str
    pattern: str = ""
    replacement: str = Field(default="", alias="with")
    words: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    algorithm: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        needed = {
            "blank": self.pattern or self.phrases,
            "remove": self.phrases,
            "replace": self.pattern,
            "words": self.pattern,
            "drop": self.words or self.pattern,
            "stem": self.algorithm,
        }
        if not needed.get(self.kind, True):
            raise ValueError(f"rule {self.name!r} of kind {self.kind!r} lacks its content")
        if self.pattern:
            re.compile(self.pattern)
        return self


class RuleSet(BaseModel):
    """The rules of one language, in the order in which they act.

    Attributes
    ----------
    language : str
        BCP 47 tag, or ``und`` for none.
    version : int
        Raised with each change that alters a prepared text.
    rules : tuple of Rule
        Rules on the whole text, then one of kind ``words``, then rules on single words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str
    version: int = Field(ge=1)
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _ordered(self) -> RuleSet:
        kinds = [rule.kind for rule in self.rules]
        if kinds.count("words") != 1:
            raise ValueError("a rule set needs exactly one rule of kind 'words'")
        cut = kinds.index("words")
        if {"drop", "stem"} & set(kinds[:cut]) or set(kinds[cut + 1 :]) - {"drop", "stem"}:
            raise ValueError("rules on the text stand before 'words', rules on words after it")
        found = re.findall(self.rules[cut].pattern, _NO_WORDS)
        if found:
            raise ValueError(
                "the rule of kind 'words' takes blanks, underscores, private-use characters or "
                f"surrogates for words: {found[0]!a}"
            )
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have the same name")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as the plain document that travels with a model."""
        # Without defaults, so that a field added later leaves the hash of older rules as it was.
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @property
    def sha256(self) -> str:
        """Hash of the rules' content; equal hashes prepare every text alike."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_dict(cls, document: Any) -> RuleSet:
        """Return the rule set of ``document``.

        Raises
        ------
        InvalidInputError
            If a rule is unknown, incomplete or out of order.
        """
        try:
            return cls.model_validate(document)
        except (ValidationError, re.error) as error:
            raise InvalidInputError(
                f"The preparation rules are not valid: {error}",
                hint="Compare with the rule sets in autonoe_nace/text/rules.",
            ) from error


@cache
def available_languages() -> tuple[str, ...]:
    """Return the languages that have a rule set, in alphabetical order."""
    folder = resources.files(__package__) / "rules"
    return tuple(
        sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX))
    )


@cache
def _built_in(language: str) -> RuleSet:
    file = resources.files(__package__) / "rules" / f"{language}.yaml"
    return RuleSet.from_dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def load_rules(language: str = NEUTRAL) -> RuleSet:
    """Return the built-in rule set of ``language``, or that of a YAML file of the same form.

    Parameters
    ----------
    language : str
        BCP 47 tag of a built-in rule set, or the path of a file that ends in ``.yaml``.

    Raises
    ------
    InvalidInputError
        If there is neither, or the file holds no valid rules.
    """
    if language in available_languages():
        return _built_in(language)
    if not language.endswith(_SUFFIX):
        raise InvalidInputError(
            f"There is no preparation for the language {language!r}.",
            hint=f"Choose one of {', '.join(available_languages())}; {NEUTRAL} fits any language.",
        )
    try:
        document = yaml.safe_load(Path(language).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(
            f"There is no file of rules {language}.", hint="Check the path."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"The file of rules {language} is no YAML in UTF-8.",
            hint="Compare with the rule sets in autonoe_nace/text/rules.",
        ) from error
    return RuleSet.from_dict(document)


def rules_for(language: str) -> RuleSet:
    """Return the rule set of ``language``, or the neutral one when the language has none."""
    known = language in available_languages() or language.endswith(_SUFFIX)
    return load_rules(language if known else NEUTRAL)
