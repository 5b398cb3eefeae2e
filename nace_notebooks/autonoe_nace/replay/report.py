"""What a replay found: identical, or which answers differ and what else is different."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

EXAMPLES = 100
"""Differences that are listed one by one, at most; all are counted."""

What = Literal["codes", "probabilities", "confidence", "stage", "fallback"]


@dataclass(frozen=True)
class Difference:
    """One answer that came out otherwise. It names the record and holds no text of a user.

    Attributes
    ----------
    request_id, position : str, int
        The record in the log.
    what : str
        The first thing that differs: ``codes``, ``probabilities``, ``confidence``, ``stage`` or
        ``fallback``.
    logged, replayed : str
        Both values; for probabilities, the pair that is farthest apart.
    """

    request_id: str
    position: int
    what: What
    logged: str
    replayed: str


@dataclass
class ModelUsed:
    """A model that gave logged answers.

    Attributes
    ----------
    name, version, sha256 : str
        As logged.
    model_id : str
        Of the model that was found; empty when it was not.
    rows : int
        Records that it answered, those that cannot be replayed included.
    problem : str
        Why it could not be used; empty when it could.
    environment : dict of str to list of str
        What is not as it was when the model was trained: name to ``[then, now]``. ``code`` stands
        for the sources of Autonoe. Answers can be identical all the same.
    """

    name: str
    version: str
    sha256: str
    model_id: str = ""
    rows: int = 0
    problem: str = ""
    environment: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class ReplayReport:
    """The result of a replay.

    Attributes
    ----------
    rows, identical : int
        Records read, and those whose answer came out the same.
    differing : dict of str to int
        Number of records by what differs first.
    not_replayed : dict of str to int
        Number of records by reason: ``pseudonymised`` (the log holds no text), ``refused`` (the
        record had an error and no answer), ``no_model``.
    differences : list of Difference
        The first hundred.
    models : list of ModelUsed
        In the order of their first record.
    tolerance : float
        Largest difference of a probability that counts as none.
    """

    tolerance: float
    rows: int = 0
    identical: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    not_replayed: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    models: list[ModelUsed] = field(default_factory=list)

    @property
    def replayed(self) -> int:
        """Records that were answered again."""
        return self.identical + sum(self.differing.values())

    @property
    def passed(self) -> bool:
        """Whether something was replayed, and all of it came out the same."""
        return self.identical > 0 and not self.differing

    def add(self, difference: Difference | None) -> None:
        """Count one record."""
        if difference is None:
            self.identical += 1
            return
        self.differing[difference.what] = self.differing.get(difference.what, 0) + 1
        if len(self.differences) < EXAMPLES:
            self.differences.append(difference)

    def skip(self, reason: str) -> None:
        """Count one record that cannot be replayed."""
        self.not_replayed[reason] = self.not_replayed.get(reason, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document."""
        return {**asdict(self), "replayed": self.replayed, "passed": self.passed}

    def lines(self) -> list[str]:
        """Return the report as sentences for a person."""
        lines = [f"{self.identical:,} of {self.replayed:,} answers are identical."]
        lines += [f"{n:,} differ in {what}." for what, n in sorted(self.differing.items())]
        reasons = {
            "pseudonymised": "the log holds a pseudonym instead of the text",
            "refused": "the record was refused, there was no answer",
            "no_model": "their model could not be had",
        }
        lines += [f"{n:,} not replayed: {reasons[why]}." for why, n in self.not_replayed.items()]
        for model in self.models:
            where = f"{model.name} version {model.version} ({model.sha256[:12]})"
            if model.problem:
                lines.append(f"{where}: {model.problem}")
            lines += [
                f"{where}: {name} was {then} and is {now}."
                for name, (then, now) in model.environment.items()
            ]
        for d in self.differences[:10]:
            lines.append(
                f"{d.request_id}/{d.position}: {d.what} logged {d.logged}, now {d.replayed}"
            )
        return lines
