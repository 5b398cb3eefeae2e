"""The tree of a nomenclature: each code with its level, title and parent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autonoe.errors import InvalidInputError

LEVEL_NAMES = ("section", "division", "group", "class", "subclass", "subcategory")
"""Names of the levels 1 to 6. Five are common; ATECO splits its subclasses once more."""

_SEPARATORS = re.compile(r"[\s./\-_]+")
_SECTION_PREFIX = re.compile(r"[A-Z](?=\d)")


@dataclass(frozen=True, slots=True)
class Node:
    """One entry of a nomenclature.

    Attributes
    ----------
    code : str
        As the nomenclature writes it, ``"01.11"``.
    level : int
        1 section, 2 division, 3 group, 4 class, 5 national subclass, 6 a finer national level.
    title : str
        Empty when the source has none.
    parent : str
        Code of the entry above; empty for the top level of the file.
    """

    code: str
    level: int
    title: str
    parent: str


def compact(code: str) -> str:
    """Return the form in which codes are compared: capitals, no separator, no section in front.

    Examples
    --------
    >>> compact("01.11z"), compact(" C10.71 "), compact("c")
    ('0111Z', '1071', 'C')
    """
    bare = _SEPARATORS.sub("", code).upper()
    return _SECTION_PREFIX.sub("", bare, count=1) if _SECTION_PREFIX.match(bare) else bare


class Nomenclature:
    """The codes of one classification and how they nest.

    Parameters
    ----------
    name : str
        Short name, for example ``nace-rev2``.
    language : str
        BCP 47 tag of the titles, ``und`` when there are none.
    nodes : iterable of Node
        Any order; a parent may follow its child.
    attribution : str
        Whom the titles come from and under which licence; printed on every model card.
    """

    def __init__(
        self, name: str, *, language: str, nodes: Iterable[Node], attribution: str = ""
    ) -> None:
        self.name = name
        self.language = language
        self.attribution = attribution
        self.nodes: Mapping[str, Node] = {node.code: node for node in nodes}
        self._by_compact = {compact(code): code for code in self.nodes}
        if not self.nodes:
            raise InvalidInputError(
                f"The nomenclature {name!r} holds no code.",
                hint="A nomenclature file needs a column 'code' with at least one row.",
            )

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Levels that have at least one code, from the broadest."""
        return tuple(sorted({node.level for node in self.nodes.values()}))

    def parse(self, raw: str) -> str | None:
        """Return the nomenclature's own form of ``raw``, or None when it has no such code.

        Dots, blanks, case and a section letter in front do not matter; leading zeros do.
        """
        return self._by_compact.get(compact(raw))

    def nearest(self, raw: str) -> str | None:
        """Return the deepest known code that ``raw`` begins with, at class level or below.

        For national codes that a nomenclature lacks (``43990`` where only ``43.99`` is known).
        """
        bare = compact(raw)
        for end in range(len(bare), _CLASS_DIGITS - 1, -1):
            code = self._by_compact.get(bare[:end])
            if code is not None:
                return code
        return None

    def level(self, code: str) -> int:
        """Return the level of ``code``, a code in the nomenclature's own form."""
        return self.nodes[code].level

    def title(self, code: str) -> str:
        """Return the title of ``code``; empty when unknown."""
        node = self.nodes.get(code)
        return node.title if node else ""

    def ancestor(self, code: str, level: int) -> str | None:
        """Return the code at ``level`` that ``code`` lies under (itself included), or None."""
        node = self.nodes.get(code)
        while node is not None and node.level > level:
            node = self.nodes.get(node.parent)
        return node.code if node is not None and node.level == level else None

    def at_level(self, level: int) -> tuple[str, ...]:
        """Return the codes of ``level``, in the source's order."""
        return tuple(code for code, node in self.nodes.items() if node.level == level)

    def descendants(self, code: str, level: int) -> tuple[str, ...]:
        """Return the codes of ``level`` that lie under ``code``."""
        return self._descendants.get((code, level), ())

    @cached_property
    def _descendants(self) -> dict[tuple[str, int], tuple[str, ...]]:
        found: dict[tuple[str, int], list[str]] = {}
        for code, node in self.nodes.items():
            above = self.nodes.get(node.parent)
            while above is not None:
                found.setdefault((above.code, node.level), []).append(code)
                above = self.nodes.get(above.parent)
        return {key: tuple(codes) for key, codes in found.items()}

    def on_one_path(self, codes: Iterable[str]) -> bool:
        """Tell whether ``codes`` lie under each other, so that the deepest contradicts none."""
        ordered = sorted(set(codes), key=self.level)
        deepest = ordered[-1] if ordered else ""
        return all(self.ancestor(deepest, self.level(code)) == code for code in ordered)

    def to_dict(self) -> dict[str, Any]:
        """Return the document that travels with a model; :meth:`from_dict` reads it."""
        return {
            "name": self.name,
            "language": self.language,
            "attribution": self.attribution,
            "nodes": [[n.code, n.level, n.title, n.parent] for n in self.nodes.values()],
        }

    @classmethod
    def from_dict(cls, document: Any) -> Nomenclature:
        """Return the nomenclature of a document written by :meth:`to_dict`.

        Raises
        ------
        InvalidInputError
            If the document has another form.
        """
        try:
            nodes = [Node(str(c), int(n), str(t), str(p)) for c, n, t, p in document["nodes"]]
            texts = {key: str(document[key]) for key in ("name", "language", "attribution")}
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInputError(
                "The nomenclature document has not the expected form.",
                hint="It is written with the model; fetch the model again.",
            ) from error
        return cls(
            texts["name"],
            language=texts["language"],
            nodes=nodes,
            attribution=texts["attribution"],
        )

    @property
    def sha256(self) -> str:
        """Hash of the content; equal hashes mean the same codes, titles and nesting."""
        text = json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


_CLASS_DIGITS = 4
