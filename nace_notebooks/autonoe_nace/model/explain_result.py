"""What an explanation says: contributions, words, parts, like texts, the note.

All shares are in calibrated logits: their sum is the logarithm of how many times more probable the
one label is than the other. 0.7 makes it twice, -0.7 half as probable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from autonoe_nace.model.explain_fasttext import Kind
from autonoe_nace.model.explain_html import plain, render
from autonoe_nace.model.explain_texts import NearText


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature of the text adds.

    Attributes
    ----------
    kind : str
        ``word``; ``characters``, an n-gram of a word, whose ends are written ``<`` and ``>``;
        ``words``, a run of words; ``feature``, a side variable; ``end``, fastText's mark of the end
        of every text; ``constant`` of the linear part; ``neighbours``, the like training texts.
    text : str
        The feature; ``column=value`` for a side variable.
    value : float
        Calibrated logits; positive speaks for the code, negative for the other.
    """

    kind: Kind
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class WordShare:
    """A word of the prepared text with all that it brings along.

    Attributes
    ----------
    word : str
        As the model saw it, or ``column=value``.
    value : float
        The word, its n-grams, and its equal part of the runs of words that it stands in.
    """

    word: str
    value: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a text has ``code`` rather than ``against``.

    Attributes
    ----------
    text, text_prepared : str
        As typed, and the words that the model saw.
    code, title, probability : str, str, float
        The code explained; by default the most probable.
    against, against_title, against_probability : str, str, float
        The code that it is compared with; by default the next one.
    labels : tuple of str
        What the model learned for the two: the codes themselves, or the subclass or class whose
        score decides where a code has several or none of its own.
    logit_difference : float
        Sum of all contributions: log of the ratio of the two labels' probabilities.
    log_odds : float
        Log of the ratio of the two codes' probabilities. It differs from ``logit_difference`` only
        where a code collects several labels.
    contributions : tuple of Contribution
        Those with the largest values, the largest first.
    rest : float
        Sum of the contributions not listed.
    words : tuple of WordShare
        The text word by word; with ``other`` they add up to ``logit_difference``.
    other : float
        What belongs to no word: the end mark, constants, like training texts.
    parts : dict of str to float
        The share of each part of the model; they add up to ``logit_difference``.
    stage : str
        ``lookup`` when the rules engine decided on the code, else ``model``.
    nearest : tuple of NearText
        Training texts most like this one; empty when the model keeps none.
    note : str
        Excerpt of the explanatory note of ``code``; empty when the model holds no notes.
    """

    text: str
    text_prepared: str
    code: str
    title: str
    probability: float
    against: str
    against_title: str
    against_probability: float
    labels: tuple[str, str]
    logit_difference: float
    log_odds: float
    contributions: tuple[Contribution, ...]
    rest: float
    words: tuple[WordShare, ...]
    other: float
    parts: dict[str, float]
    stage: str = "model"
    nearest: tuple[NearText, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as a plain document."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """Return the explanation as a notebook shows it."""
        return render(self)

    def __str__(self) -> str:
        """Return the explanation in lines of plain text."""
        return plain(self)
