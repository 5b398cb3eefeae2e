"""What a model answers: candidates, confidence, fallback and the set that covers the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code with its title, its calibrated probability in [0, 1] and its level (1 to 6)."""

    code: str
    title: str
    probability: float
    level: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes
    ----------
    candidates : tuple of Candidate
        The most probable codes, the best first; empty when the text holds no usable word.
    confidence : float
        Probability of the first minus that of the second, in [0, 1]: the one index that tuning,
        serving and monitoring share.
    text_prepared : str
        The words that the model saw, side variables included.
    fallback : Candidate or None
        The best code of the deepest level whose confidence reaches the wanted one; None when it
        was not asked for, or no level reaches it.
    conformal : tuple of str or None
        Codes among which the right one is, with the coverage that was asked for; in the order of
        their probability. None when it was not asked for.
    stage : {"lookup", "model"}
        Who decided on the first candidate: the rules engine or the statistical model.
    """

    candidates: tuple[Candidate, ...]
    confidence: float
    text_prepared: str
    fallback: Candidate | None = None
    conformal: tuple[str, ...] | None = None
    stage: Literal["lookup", "model"] = "model"
