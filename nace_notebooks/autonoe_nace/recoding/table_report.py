"""What was wrong with a correspondence table: row by row, and the codes that it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

_SHOWN = 10

TREATMENT = {
    "empty_code": "left out: one of its codes is empty",
    "unknown_source_code": "left out: not a code of the source version",
    "unknown_target_code": "left out: not a code of the target version",
    "duplicate": "left out: the pair stands in an earlier row",
    "ragged_row": "used: more or fewer fields than the header",
}
"""Each finding and what is done with its rows."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row of the table with a problem; the first row after the header is 1."""

    row: int
    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class TableReport:
    """What was read and used, every problem by row, and which codes have no pair.

    Attributes
    ----------
    read, used : int
        Rows of the table, and pairs that came of them.
    problems : tuple of RowProblem
        Every one, in the order of the rows.
    missing_source, missing_target : tuple of str
        Codes of the two versions, at the levels of the table, that no row names.
    notes : tuple of str
        Sentences about the whole table.
    """

    read: int
    used: int
    problems: tuple[RowProblem, ...] = ()
    missing_source: tuple[str, ...] = ()
    missing_target: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the number of rows by kind of problem, those without any left out."""
        kinds = [problem.kind for problem in self.problems]
        return {kind: kinds.count(kind) for kind in TREATMENT if kind in kinds}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document, with every row."""
        return {
            "read": self.read,
            "used": self.used,
            "counts": self.counts(),
            "rows": [
                {"row": p.row, "problem": p.kind, "source": p.source, "target": p.target}
                for p in self.problems
            ],
            "missing_source": list(self.missing_source),
            "missing_target": list(self.missing_target),
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Return the report as sentences for a person."""
        lines = [f"{self.used:,} pairs from {self.read:,} rows."]
        for kind, count in self.counts().items():
            rows = [str(p.row) for p in self.problems if p.kind == kind]
            lines.append(
                f"{kind.replace('_', ' ')}: {count:,} rows ({TREATMENT[kind]}), "
                f"for example rows {_some(rows)}"
            )
        for side, codes in (("source", self.missing_source), ("target", self.missing_target)):
            if codes:
                lines.append(f"{side} codes without any pair: {len(codes):,}: {_some(codes)}")
        return [*lines, *self.notes]

    def reversed(self) -> TableReport:
        """Return the report of the same table read in the other direction."""
        swapped = {
            "unknown_source_code": "unknown_target_code",
            "unknown_target_code": "unknown_source_code",
        }
        return replace(
            self,
            problems=tuple(
                RowProblem(p.row, swapped.get(p.kind, p.kind), p.target, p.source)
                for p in self.problems
            ),
            missing_source=self.missing_target,
            missing_target=self.missing_source,
        )


def _some(values: Sequence[str]) -> str:
    return ", ".join(values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
