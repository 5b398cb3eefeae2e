"""What repeats, what nearly repeats, and what contradicts itself in a set of labelled texts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from autonoe_nace.data.dataset import Dataset
from autonoe_nace.splitting import SIMILARITY, compared_by, near_duplicate_groups
from autonoe_nace.text import Preparation, rules_for

SHOWN = 20
"""Conflicts and groups that a report shows, the largest first."""


@dataclass(frozen=True)
class Conflict:
    """One text, with the same side variables, under several codes that exclude each other.

    Attributes
    ----------
    text : str
        As it was first typed.
    features : dict of str to str
        The side variables, if any.
    codes : dict of str to int
        How many rows have each code, the most frequent first.
    rows : tuple of int
        Their numbers in the source.
    agree : int
        Deepest level at which all codes are one, such as 2 for the same division; 0 for none.
    """

    text: str
    features: dict[str, str]
    codes: dict[str, int]
    rows: tuple[int, ...]
    agree: int

    def to_dict(self) -> dict[str, Any]:
        """Return the conflict as a plain document."""
        return {
            "text": self.text,
            "features": self.features,
            "codes": self.codes,
            "rows": list(self.rows),
            "agree": self.agree,
        }


@dataclass(frozen=True)
class DuplicateReport:
    """How much of a data set is said more than once.

    Attributes
    ----------
    texts : int
        Labelled texts.
    distinct : int
        Texts that differ after preparation, side variables included.
    repeated : int
        Rows whose text, side variables and code an earlier row has too.
    conflicts : tuple of Conflict
        Texts with several codes, those with the most rows first.
    conflicting_rows : int
        Rows of such texts.
    ceiling : float
        Share of rows that get their code when each text gets its most frequent one, in [0, 1]: no
        model that sees only these columns can be right more often on these very rows.
    groups : int
        Groups of near-duplicates.
    group_sizes : dict of int to int
        How many groups have how many texts.
    mixed_groups : int
        Groups with several codes.
    compared_characters : bool
        Whether near-duplicates were found by their characters too; above a limit of distinct texts
        only by their words.
    largest : tuple of dict
        The largest groups: ``texts`` and some ``examples``.
    group_of : tuple of int
        The group of each text, in the order of the data set.
    """

    texts: int
    distinct: int
    repeated: int
    conflicts: tuple[Conflict, ...]
    conflicting_rows: int
    ceiling: float
    groups: int
    group_sizes: dict[int, int]
    mixed_groups: int
    compared_characters: bool
    largest: tuple[dict[str, Any], ...]
    group_of: tuple[int, ...] = field(repr=False)

    def to_dict(self, shown: int = SHOWN) -> dict[str, Any]:
        """Return the report as a plain document with the first ``shown`` conflicts."""
        return {
            "texts": self.texts,
            "distinct": self.distinct,
            "repeated": self.repeated,
            "conflicting_texts": len(self.conflicts),
            "conflicting_rows": self.conflicting_rows,
            "conflicts_agree_at": dict(sorted(Counter(c.agree for c in self.conflicts).items())),
            "ceiling": self.ceiling,
            "conflicts": [conflict.to_dict() for conflict in self.conflicts[:shown]],
            "near_duplicates": {
                "groups": self.groups,
                "group_sizes": self.group_sizes,
                "mixed_groups": self.mixed_groups,
                "compared_characters": self.compared_characters,
                "largest": list(self.largest),
            },
        }


def find_duplicates(
    data: Dataset, *, language: str = "", similarity: float = SIMILARITY
) -> DuplicateReport:
    """Return what repeats, nearly repeats and contradicts itself in ``data``.

    Parameters
    ----------
    data : Dataset
        Labelled texts.
    language : str, optional
        Rules by which texts are compared; those of the nomenclature by default.
    similarity : float
        See :func:`autonoe_nace.splitting.near_duplicate_groups`.
    """
    prepared = Preparation(rules_for(language or data.nomenclature.language)).all(data.texts)
    values = list(zip(*data.features.values(), strict=True)) or [()] * len(data)
    members: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, (text, beside) in enumerate(zip(prepared, values, strict=True)):
        members[text, *beside].append(i)
    distinct_pairs = {(key, data.codes[i]) for key, rows in members.items() for i in rows}
    best = sum(max(Counter(data.codes[i] for i in rows).values()) for rows in members.values())
    conflicts = [
        _conflict(data, rows) for rows in members.values() if len({data.codes[i] for i in rows}) > 1
    ]
    conflicts.sort(key=lambda conflict: (-len(conflict.rows), conflict.rows))
    groups = near_duplicate_groups(prepared, similarity=similarity)
    in_group: defaultdict[int, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        in_group[group].append(i)
    largest = sorted(in_group.values(), key=lambda rows: (-len(rows), rows))[:SHOWN]
    return DuplicateReport(
        texts=len(data),
        distinct=len(members),
        repeated=len(data) - len(distinct_pairs),
        conflicts=tuple(conflicts),
        conflicting_rows=sum(len(conflict.rows) for conflict in conflicts),
        ceiling=best / len(data) if len(data) else 1.0,
        groups=len(in_group),
        group_sizes=dict(sorted(Counter(map(len, in_group.values())).items())),
        mixed_groups=sum(
            not data.nomenclature.on_one_path(data.codes[i] for i in rows)
            for rows in in_group.values()
        ),
        compared_characters=similarity < 1 and compared_by(prepared) == "characters",
        largest=tuple(
            {"texts": len(rows), "examples": list(dict.fromkeys(data.texts[i] for i in rows))[:3]}
            for rows in largest
            if len(rows) > 1
        ),
        group_of=tuple(groups),
    )


def _conflict(data: Dataset, rows: Sequence[int]) -> Conflict:
    codes = Counter(data.codes[i] for i in rows)
    return Conflict(
        text=data.texts[rows[0]],
        features={name: values[rows[0]] for name, values in data.features.items()},
        codes=dict(sorted(codes.items(), key=lambda pair: (-pair[1], pair[0]))),
        rows=tuple(data.rows[i] for i in rows),
        agree=_agree(data, list(codes)),
    )


def _agree(data: Dataset, codes: Sequence[str]) -> int:
    tree = data.nomenclature
    for level in sorted(tree.levels, reverse=True):
        found = {tree.ancestor(code, level) for code in codes}
        if len(found) == 1 and None not in found:
            return level
    return 0
