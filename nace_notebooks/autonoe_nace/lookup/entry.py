"""What is known of a looked-up text: how often each code was given to it, and what that says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_SMOOTHING = 0.5
"""Added to the count of each value of a qualifier, so that one unseen value does not forbid."""


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """What the engine says of one text.

    Attributes
    ----------
    code : str or None
        None when it is not sure: no entry, or several codes and nothing that tells them apart.
    score : float
        Share of the evidence for the best code, in [0, 1]; 0 when there is no entry.
    rule : str
        The rule that found entries: ``exact``, ``normalised`` or ``within``; empty when none.
    qualifiers : tuple of str
        Side variables, ``column=value``, that had a say.
    candidates : tuple of (str, float)
        The codes of the entries with their scores, the best first.
    """

    code: str | None
    score: float
    rule: str
    qualifiers: tuple[str, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()


NOTHING = LookupAnswer(None, 0.0, "")
"""The answer for a text that no rule finds."""


@dataclass
class Entry:
    """How often each code was given to a key, and with which values of the side variables."""

    codes: Counter[str] = field(default_factory=Counter)
    qualifiers: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Column, value, code: how often."""

    def add(self, other: Entry) -> None:
        """Count what ``other`` counts too."""
        self.codes.update(other.codes)
        for column, values in other.qualifiers.items():
            here = self.qualifiers.setdefault(column, {})
            for value, counts in values.items():
                here.setdefault(value, Counter()).update(counts)

    def to_list(self) -> list[Any]:
        """Return the form in which it is written."""
        return [dict(self.codes), self.qualifiers] if self.qualifiers else [dict(self.codes)]

    @classmethod
    def of(cls, document: Any) -> Entry:
        """Return the entry that :meth:`to_list` wrote.

        Raises
        ------
        ValueError, TypeError, AttributeError
            If it has another form.
        """
        codes, *rest = document
        entry = cls(Counter({str(code): int(n) for code, n in codes.items()}))
        for column, values in (rest[0] if rest else {}).items():
            entry.qualifiers[column] = {
                str(value): Counter({str(code): int(n) for code, n in counts.items()})
                for value, counts in values.items()
            }
        counted = [
            n for values in entry.qualifiers.values() for c in values.values() for n in c.values()
        ]
        if min(entry.codes.values(), default=0) < 1 or min(counted, default=0) < 0:
            raise ValueError("counts that cannot be")
        return entry

    def judge(self, rule: str, features: Mapping[str, str], min_score: float) -> LookupAnswer:
        """Return what the entry says of a text with the side variables ``features``.

        The share of each code is weighed by how often the values of the side variables came with
        it here (naive Bayes).

        Parameters
        ----------
        rule : str
            The rule that found the entry.
        features : mapping of str to str
            Column and value, in the form in which the index compares them; no empty value.
        min_score : float
            Share of the evidence that the best code needs.
        """
        if len(self.codes) == 1:
            (code,) = self.codes
            return LookupAnswer(code, 1.0, rule, (), ((code, 1.0),))
        weights = {code: math.log(n) for code, n in self.codes.items()}
        used = []
        for column, values in self.qualifiers.items():
            seen = values.get(features.get(column, ""))
            if seen is None:
                continue
            used.append(f"{column}={features[column]}")
            for code, n in self.codes.items():
                share = (seen[code] + _SMOOTHING) / (n + _SMOOTHING * len(values))
                weights[code] += math.log(share)
        largest = max(weights.values())
        odds = {code: math.exp(weight - largest) for code, weight in weights.items()}
        total = sum(odds.values())
        ranked = sorted(((c, o / total) for c, o in odds.items()), key=lambda x: (-x[1], x[0]))
        best, score = ranked[0]
        sure = score >= min_score
        return LookupAnswer(best if sure else None, score, rule, tuple(used), tuple(ranked))
