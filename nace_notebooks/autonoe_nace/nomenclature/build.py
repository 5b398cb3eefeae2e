"""From rows (code, title, perhaps level and parent) to a tree, by the form of the codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature.tree import LEVEL_NAMES, Node, compact

_LEVEL_OF_NAME = {
    **{name: number for number, name in enumerate(LEVEL_NAMES, start=1)},
    **{str(number): number for number in range(1, len(LEVEL_NAMES) + 1)},
    "category": 5,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source; ``level`` and ``parent`` are empty when it does not say."""

    code: str
    title: str = ""
    level: str = ""
    parent: str = ""


def structural_level(code: str) -> int | None:
    """Return the level that the form of ``code`` tells, or None when it is no code.

    A letter is a section; two, three and four digits are division, group and class; one more
    character (a letter or a digit) is a national subclass, two more a finer level.

    Examples
    --------
    >>> [structural_level(code) for code in ("C", "01", "01.1", "01.11", "01.11Z", "01.11.00")]
    [1, 2, 3, 4, 5, 6]
    """
    bare = compact(code)
    if len(bare) == 1 and bare.isalpha():
        return 1
    head = bare[:4]
    if len(bare) < 2 or not (head.isascii() and head.isdigit()):
        return None
    return len(bare) if len(bare) <= len(LEVEL_NAMES) and bare.isalnum() else None


def build_nodes(rows: Iterable[Row]) -> list[Node]:
    """Return the nodes of ``rows``: levels from a column or from the form, parents likewise.

    The section of a division is its ``parent``; without such a column it is the last section row
    before it, which is how the official lists are ordered.

    Raises
    ------
    InvalidInputError
        If a code has no recognisable level; the message names the first such row.
    """
    rows = list(rows)
    known = {compact(row.code): row.code for row in rows}
    nodes: dict[str, Node] = {}
    section = ""
    for number, row in enumerate(rows, start=1):
        level = _LEVEL_OF_NAME.get(row.level.strip().lower()) or structural_level(row.code)
        if level is None:
            raise InvalidInputError(
                f"Row {number} of the nomenclature has the code {row.code!r}, "
                "which is neither a section letter nor 2 to 6 characters that begin with digits.",
                hint="Give a column 'level' (section, division, group, class, subclass).",
            )
        if level == 1:
            section = row.code
        parent = known.get(compact(row.parent), "") if row.parent else ""
        if not parent and level > 1:
            parent = _prefix_parent(row.code, known) or section
        if row.code not in nodes:
            nodes[row.code] = Node(row.code, level, row.title.strip(), parent)
    return list(nodes.values())


def _prefix_parent(code: str, known: dict[str, str]) -> str:
    bare = compact(code)
    for end in range(len(bare) - 1, 1, -1):
        if bare[:end] in known:
            return known[bare[:end]]
    return ""
