"""Which codes of one classification can follow which of another: the correspondence table."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.recoding.table_report import TableReport

Mask = NDArray[np.bool_]
Link = tuple[str, str]
"""A code of the source version and one of the target version that can follow it."""


class Relation(StrEnum):
    """How a code of the source version relates to the target version."""

    ONE_TO_ONE = "one-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_ONE = "many-to-one"
    MANY_TO_MANY = "many-to-many"


class Correspondence:
    """The pairs of codes that can stand for the same activity in two classifications.

    Parameters
    ----------
    name : str
        Short name, for example ``ateco2025-ateco2022``.
    source, target : Nomenclature
        The version that a code comes from and the one that it is brought to.
    links : iterable of (str, str)
        Pairs in the nomenclatures' own forms; of any level, a pair's levels may differ.
    attribution : str
        Whom the table comes from and under which licence.
    report : TableReport, optional
        What was wrong with its source.

    Raises
    ------
    InvalidInputError
        If there is no pair.
    """

    def __init__(
        self,
        name: str,
        source: Nomenclature,
        target: Nomenclature,
        links: Iterable[Link],
        *,
        attribution: str = "",
        report: TableReport | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.target = target
        self.attribution = attribution
        self.links: tuple[Link, ...] = tuple(dict.fromkeys(links))
        self.report = report or TableReport(len(self.links), len(self.links))
        if not self.links:
            raise InvalidInputError(
                f"The correspondence {name!r} has no usable pair of codes.",
                hint="Check its two columns and the two nomenclatures.",
            )
        self._targets = _grouped(self.links)
        self._sources = _grouped((target, source) for source, target in self.links)

    def targets(self, code: str) -> tuple[str, ...]:
        """Return the codes that can follow the source code ``code``; empty when there is none."""
        return self._targets.get(code, ())

    def sources(self, code: str) -> tuple[str, ...]:
        """Return the codes that the target code ``code`` can come from."""
        return self._sources.get(code, ())

    def relation(self, code: str) -> Relation | None:
        """Return how the source code ``code`` relates to the target version; None without a pair.

        Many-to-one and one-to-one leave no choice; the other two need more than the code.
        """
        targets = self.targets(code)
        if not targets:
            return None
        shared = any(len(self.sources(target)) > 1 for target in targets)
        if len(targets) == 1:
            return Relation.MANY_TO_ONE if shared else Relation.ONE_TO_ONE
        return Relation.MANY_TO_MANY if shared else Relation.ONE_TO_MANY

    def resolve(self, raw: str) -> str | None:
        """Return the source code of the table that ``raw`` stands for, or None.

        A code finer than the table (``01110`` of UK SIC in a table of classes) stands for the
        code above it that the table has.
        """
        code = self.source.parse(raw) or self.source.nearest(raw)
        while code and code not in self._targets and self.source.level(code) not in self._covered:
            code = self.source.nodes[code].parent
        return code if code in self._targets else None

    @cached_property
    def _covered(self) -> set[int]:
        """Levels of the source codes with pairs: there, a code without one has no equivalent."""
        return {self.source.level(code) for code in self._targets}

    @cached_property
    def level(self) -> tuple[int, int]:
        """Levels of most pairs: that of the source and that of the target code."""
        counts = Counter(self._levels(link) for link in self.links)
        return max(counts, key=lambda pair: (counts[pair], pair))

    def at(self, source_level: int, target_level: int | None = None) -> Correspondence:
        """Return the correspondence between two levels.

        The table's own pairs of these levels when it has them; otherwise the pairs of finer codes,
        each replaced by the code above it.

        Parameters
        ----------
        source_level, target_level : int
            1 section to 6; the same for both by default.

        Raises
        ------
        InvalidInputError
            If the table is coarser than that.
        """
        wanted = (source_level, target_level or source_level)
        found = [link for link in self.links if self._levels(link) == wanted]
        if not found:
            found = [lifted for link in self.links if (lifted := self._lift(link, wanted))]
        if not found:
            raise InvalidInputError(
                f"The correspondence {self.name} has no pairs at the levels {wanted[0]} and "
                f"{wanted[1]}; most of it is at {self.level[0]} and {self.level[1]}.",
                hint="Ask for a broader level, or give a finer table.",
            )
        return Correspondence(
            self.name,
            self.source,
            self.target,
            found,
            attribution=self.attribution,
            report=self.report,
        )

    def reversed(self) -> Correspondence:
        """Return the same pairs in the other direction."""
        return Correspondence(
            "-".join((self.target.name, self.source.name)),
            self.target,
            self.source,
            [(target, source) for source, target in self.links],
            attribution=self.attribution,
            report=self.report.reversed(),
        )

    def mask(self, sources: Sequence[str], targets: Sequence[str]) -> Mask:
        """Return which of ``targets`` (columns) can follow which of ``sources`` (rows)."""
        column = {code: i for i, code in enumerate(targets)}
        allowed = np.zeros((len(sources), len(targets)), dtype=bool)
        for i, code in enumerate(sources):
            allowed[i, [column[t] for t in self.targets(code) if t in column]] = True
        return allowed

    def summary(self) -> dict[str, Any]:
        """Return counts: pairs, codes of each side, and source codes by relation."""
        relations = Counter(str(self.relation(code)) for code in self._targets)
        return {
            "name": self.name,
            "source": self.source.name,
            "target": self.target.name,
            "attribution": self.attribution,
            "pairs": len(self.links),
            "source_codes": len(self._targets),
            "target_codes": len(self._sources),
            "relations": {str(kind): relations[str(kind)] for kind in Relation},
        }

    @property
    def sha256(self) -> str:
        """Hash of the pairs, whatever their order."""
        text = "\n".join("\t".join(link) for link in sorted(self.links))
        return hashlib.sha256(text.encode()).hexdigest()

    def _levels(self, link: Link) -> tuple[int, int]:
        return self.source.level(link[0]), self.target.level(link[1])

    def _lift(self, link: Link, wanted: tuple[int, int]) -> Link | None:
        source = self.source.ancestor(link[0], wanted[0])
        target = self.target.ancestor(link[1], wanted[1])
        return (source, target) if source and target else None


def _grouped(links: Iterable[Link]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for source, target in links:
        found.setdefault(source, []).append(target)
    return {code: tuple(others) for code, others in found.items()}
