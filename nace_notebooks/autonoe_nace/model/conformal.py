"""Conformal sets: codes among which the right one is, with the coverage that was asked for.

A code's score is 1 minus its probability. The scores of the right codes are known on texts that
served neither the calibrating models nor their temperature; a code joins the set of a new text when
its score is not larger than the quantile of those scores (Vovk, Gammerman and Shafer, 2005). The
quantile is that of the code's own texts where there are enough, else of its section's, else of all:
rare sections are then covered as often as common ones, and not at their expense.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.nomenclature import Nomenclature

Floats = NDArray[np.float32]

BEYOND = 3
"""Texts that must lie beyond a quantile for it to be taken: 30 texts for a coverage of 90 %."""

_DIGITS = 6


class Conformal:
    """The scores of right codes on the calibration texts.

    Parameters
    ----------
    scores : mapping of str to sequence of float
        By right code, one score in [0, 1] a text; 1 when the model does not know the code.
    nomenclature : Nomenclature
        Tells the section of a code.
    """

    def __init__(self, scores: Mapping[str, Sequence[float]], nomenclature: Nomenclature) -> None:
        self.scores = {code: tuple(sorted(values)) for code, values in sorted(scores.items())}
        self._nomenclature = nomenclature
        self._by_section: dict[str, list[float]] = {}
        for code, values in self.scores.items():
            self._by_section.setdefault(self._section(code), []).extend(values)
        self._all = [score for values in self.scores.values() for score in values]

    @property
    def n(self) -> int:
        """Number of calibration texts."""
        return len(self._all)

    def sections(self) -> dict[str, int]:
        """Return the number of calibration texts of each section."""
        return {section: len(values) for section, values in sorted(self._by_section.items())}

    @classmethod
    def learn(
        cls,
        rounds: Iterable[tuple[Floats, Sequence[str], Sequence[str]]],
        nomenclature: Nomenclature,
    ) -> Conformal:
        """Return the scores of right codes.

        Parameters
        ----------
        rounds : iterable of (array, sequence of str, sequence of str)
            Calibrated probabilities (texts x codes) of texts that served neither training nor
            calibration, the codes of the columns, and the right code of each text.
        nomenclature : Nomenclature
            What the codes belong to.
        """
        scores: dict[str, list[float]] = {}
        for probabilities, codes, truth in rounds:
            place = {code: i for i, code in enumerate(codes)}
            for row, code in zip(probabilities, truth, strict=True):
                given = float(row[place[code]]) if code in place else 0.0
                scores.setdefault(code, []).append(round(1 - given, _DIGITS))
        return cls(scores, nomenclature)

    @classmethod
    def from_dict(cls, document: Any, nomenclature: Nomenclature) -> Conformal:
        """Return what :meth:`to_dict` wrote.

        Raises
        ------
        AutonoeError
            If the document has another form.
        """
        try:
            scores = {str(k): [float(x) for x in v] for k, v in document["scores"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AutonoeError(
                "The model is damaged: its conformal scores have not the expected form.",
                hint="Fetch it again from the registry, or train it again.",
                code="model_damaged",
            ) from error
        return cls(scores, nomenclature)

    def to_dict(self) -> dict[str, Any]:
        """Return the plain document that travels with the model."""
        return {"scores": {code: list(values) for code, values in self.scores.items()}}

    def least_probabilities(self, codes: Sequence[str], coverage: float) -> Floats:
        """Return for each of ``codes`` the probability from which it joins a set.

        Raises
        ------
        InvalidInputError
            If the coverage is not strictly between 0 and 1, or there are too few texts for it.
        """
        if not 0 < coverage < 1:
            raise InvalidInputError(
                f"The coverage is {coverage}; it must lie between 0 and 1.",
                hint="0.9 gives sets that hold the right code nine times out of ten.",
            )
        everywhere = _quantile(self._all, coverage)
        if everywhere is None:
            raise InvalidInputError(
                f"The model was calibrated on {self.n} texts, too few for sets with a coverage of "
                f"{coverage:g}.",
                hint="Train on more texts, or ask for a lower coverage.",
                code="coverage_unknown",
            )
        sections = {
            name: found if has_own_limit(len(values), coverage) else None
            for name, values in self._by_section.items()
            if (found := _quantile(values, coverage)) is not None
        }
        least = np.empty(len(codes), dtype=np.float32)
        for i, code in enumerate(codes):
            own = self.scores.get(code, ())
            found = _quantile(own, coverage) if has_own_limit(len(own), coverage) else None
            if found is None:
                found = sections.get(self._section(code))
            least[i] = 1 - (everywhere if found is None else found)
        return least - np.float32(10.0**-_DIGITS)

    def _section(self, code: str) -> str:
        return self._nomenclature.ancestor(code, self._nomenclature.levels[0]) or ""


def has_own_limit(n: int, coverage: float) -> bool:
    """Return whether ``n`` calibration texts are enough for a limit of their own."""
    return n * (1 - coverage) >= BEYOND - 1e-9


def _quantile(scores: Sequence[float], coverage: float) -> float | None:
    """Return the score with the rank that covers a new text, or None when there is no such rank."""
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    if rank > len(scores):
        return None
    return float(np.partition(np.asarray(scores), rank - 1)[rank - 1])
