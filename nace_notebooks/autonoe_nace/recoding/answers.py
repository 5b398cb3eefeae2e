"""What a dual answer holds: codes of both versions, a consistent pair, and what was in doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autonoe_nace.model import Candidate
from autonoe_nace.recoding.correspondence import Relation

_REASONS = {
    "second model": "shares from a model of the target version",
    "shares": "shares as given, for example of a bridging table",
    "equal": "nothing tells them apart: equal shares",
}


@dataclass(frozen=True, slots=True)
class CodePair:
    """A code of each version; ``target`` is None when no code of that version corresponds."""

    source: str
    target: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """That the answer's source code has several targets, which ones, and what chose among them.

    Attributes
    ----------
    code : str
        The source code.
    relation : Relation
        One-to-many or many-to-many.
    candidates : tuple of Candidate
        Its targets, the most probable first; their probabilities, given the source code, sum to 1.
    basis : {"second model", "shares", "equal"}
        Where these probabilities come from.
    """

    code: str
    relation: Relation
    candidates: tuple[Candidate, ...]
    basis: str

    @property
    def why(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.code} corresponds to {len(self.candidates)} codes ({self.relation}); "
            f"{_REASONS[self.basis]}"
        )


@dataclass(frozen=True, slots=True)
class DualPrediction:
    """The answer for one text in two versions.

    Attributes
    ----------
    source, target : tuple of Candidate
        The most probable codes of each version, the best first. Empty without a usable word.
    pair : CodePair or None
        The answer: two codes that the table allows together. Of one model it begins with that
        model's first code; of two it is the most probable pair.
    pairs : tuple of CodePair
        The most probable pairs.
    source_confidence, target_confidence : float
        Probability of the pair's code minus that of the best other code of its version, not below
        0: the index that is used everywhere.
    ambiguity : Ambiguity or None
        None when the pair's source code has one target, or none.
    """

    source: tuple[Candidate, ...]
    target: tuple[Candidate, ...]
    pair: CodePair | None
    pairs: tuple[CodePair, ...]
    source_confidence: float
    target_confidence: float
    ambiguity: Ambiguity | None

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as a plain document."""
        found = self.ambiguity
        return {
            "source": [_code_document(code) for code in self.source],
            "target": [_code_document(code) for code in self.target],
            "pair": _pair_document(self.pair) if self.pair else None,
            "pairs": [_pair_document(pair) for pair in self.pairs],
            "source_confidence": self.source_confidence,
            "target_confidence": self.target_confidence,
            "ambiguity": found
            and {
                "code": found.code,
                "relation": str(found.relation),
                "candidates": [_code_document(code) for code in found.candidates],
                "basis": found.basis,
                "why": found.why,
            },
        }


NOTHING = DualPrediction((), (), None, (), 0.0, 0.0, None)
"""The answer for a text without a usable word."""


def _code_document(code: Candidate) -> dict[str, Any]:
    return {
        "code": code.code,
        "title": code.title,
        "level": code.level,
        "probability": code.probability,
    }


def _pair_document(pair: CodePair) -> dict[str, Any]:
    return {"source": pair.source, "target": pair.target, "probability": pair.probability}
