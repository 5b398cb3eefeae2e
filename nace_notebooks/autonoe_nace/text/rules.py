"""Rule sets: ordered, named, versioned data that say how a text is prepared in one language."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autonoe.errors import InvalidInputError

NEUTRAL = "und"
"""BCP 47's tag for "undetermined": no stop words and no stemming, any alphabet."""


class Rule(BaseModel):
    """One step of preparation. Which of the optional fields count depends on ``kind``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["unicode", "blank", "replace", "words", "drop", "stem"]
    why: str
    pattern: str = ""
    replacement: str = Field(default="", alias="with")
    words: tuple[str, ...] = ()
    algorithm: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        needed = {
            "blank": self.pattern,
            "replace": self.pattern,
            "words": self.pattern,
            "drop": self.words,
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
        names = [rule.name for rule in self.rules]
        if len(set(names)) != len(names):
            raise ValueError("two rules have the same name")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the rules as the plain document that travels with a model."""
        return self.model_dump(mode="json", by_alias=True)

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


def available_languages() -> tuple[str, ...]:
    """Return the languages that have a rule set, in alphabetical order."""
    folder = resources.files(__package__) / "rules"
    return tuple(
        sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))
    )


@cache
def load_rules(language: str = NEUTRAL) -> RuleSet:
    """Return the built-in rule set of ``language``.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    if language not in available_languages():
        raise InvalidInputError(
            f"There is no preparation for the language {language!r}.",
            hint=f"Choose one of {', '.join(available_languages())}; {NEUTRAL} fits any language.",
        )
    file = resources.files(__package__) / "rules" / f"{language}.yaml"
    return RuleSet.from_dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def rules_for(language: str) -> RuleSet:
    """Return the rule set of ``language``, or the neutral one when the language has none."""
    return load_rules(language if language in available_languages() else NEUTRAL)
