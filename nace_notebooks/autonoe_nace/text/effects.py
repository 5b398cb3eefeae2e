"""What each rule of preparation does to given texts: how often, how many words, an example."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from autonoe_nace.text.preparation import Preparation
from autonoe_nace.text.rules import Rule

EXAMPLE_CHARACTERS = 60
"""Longest text that serves as an example, so that a table stays readable."""


@dataclass
class Effect:
    """The work of one rule on a number of texts.

    Attributes
    ----------
    rule : Rule
        Name, kind and reason.
    texts : int
        Texts that it changed.
    share : float
        Of all texts, in [0, 1].
    words_removed : int
        Words between blanks before, minus after.
    emptied : int
        Texts that held something before and nothing after.
    example : tuple of str
        Before and after, of the first short text that it changed; empty when it changed none.
    """

    rule: Rule
    texts: int = 0
    share: float = 0.0
    words_removed: int = 0
    emptied: int = 0
    example: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the effect as a plain document."""
        return {
            "rule": self.rule.name,
            "kind": self.rule.kind,
            "texts": self.texts,
            "share": self.share,
            "words_removed": self.words_removed,
            "emptied": self.emptied,
            "example": list(self.example),
        }


def rule_effects(prepare: Preparation, texts: Iterable[str]) -> list[Effect]:
    """Return the effect of each rule of ``prepare`` on ``texts``, in the order of the rules.

    Each rule is measured on what the rules before it left.
    """
    found = {r.name: Effect(r) for r in prepare.rules.rules if r.kind != "words"}
    total = 0
    for text in texts:
        total += 1
        for rule, before, after in prepare.changes(text):
            effect = found[rule.name]
            effect.texts += 1
            effect.words_removed += len(before.split()) - len(after.split())
            effect.emptied += bool(before.strip()) and not after.strip()
            if not effect.example and len(before) <= EXAMPLE_CHARACTERS:
                effect.example = (before, after)
    for effect in found.values():
        effect.share = effect.texts / total if total else 0.0
    return list(found.values())
