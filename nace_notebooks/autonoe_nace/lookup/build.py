"""From coded texts to the entries of a look-up index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from autonoe.errors import InvalidInputError
from autonoe_nace.lookup.entry import Entry
from autonoe_nace.lookup.index import LookupIndex
from autonoe_nace.nomenclature import Nomenclature

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset

CLASS = 4


def gather_entries(
    index: LookupIndex,
    datasets: Sequence[Dataset],
    nomenclature: Nomenclature,
    *,
    titles: bool,
    level: int | None,
) -> None:
    """Fill ``index`` with the texts of ``datasets`` and, if asked, with titles.

    Titles and notes fill keys that the first data set does not have: what firms were coded to
    weighs more than how the nomenclature puts it.

    Raises
    ------
    InvalidInputError
        If no text has a code at the level.
    """
    first = datasets[0]
    levels = Counter(nomenclature.level(c) for c in map(nomenclature.parse, first.codes) if c)
    if not levels:
        raise InvalidInputError("There is no text to look up.", hint="Check the input report.")
    index.level = level or levels.most_common(1)[0][0]
    for number, data in enumerate(datasets):
        rows = zip(data.texts, data.codes, data.feature_rows(), strict=True)
        used = _fill(index, rows, nomenclature, only_new=number > 0)
        index.sources.append({"source": _public(data.source), "texts": used, "sha256": data.sha256})
    if titles and nomenclature.language == index.prepare.rules.language:
        none: dict[str, str] = {}
        rows_of_titles = (
            (n.title, n.code, none) for n in nomenclature.nodes.values() if n.level >= CLASS
        )
        used = _fill(index, rows_of_titles, nomenclature, only_new=True)
        name = f"Titles of {nomenclature.name}"
        index.sources.append({"source": name, "texts": used, "sha256": nomenclature.sha256})
    if not index.entries["exact"]:
        raise InvalidInputError(
            f"No text has a code at level {index.level} of {nomenclature.name}.",
            hint="Choose another --level.",
        )


def _fill(
    index: LookupIndex,
    rows: Iterator[tuple[str, str, Mapping[str, str]]],
    nomenclature: Nomenclature,
    *,
    only_new: bool,
) -> int:
    """Add ``rows`` and return how many had a code at the level."""
    before = {rule: set(found) for rule, found in index.entries.items()} if only_new else {}
    used = 0
    for text, raw, features in rows:
        known = nomenclature.parse(raw)
        code = _at_level(nomenclature, known, index.level) if known else None
        if code is None:
            continue
        used += 1
        values = [(c, v) for c, r in features.items() if (v := index.value(c, r))]
        for rule, key in index.keys(text).items():
            if key in before.get(rule, ()):
                continue
            entry = index.entries[rule].setdefault(key, Entry())
            entry.codes[code] += 1
            for column, value in values:
                counts = entry.qualifiers.setdefault(column, {}).setdefault(value, Counter())
                counts[code] += 1
    return used


def _at_level(nomenclature: Nomenclature, code: str, level: int) -> str | None:
    found = nomenclature.ancestor(code, level)
    if found is None:
        below = nomenclature.descendants(code, level)
        found = below[0] if len(below) == 1 else None
    return found


def _public(source: str) -> str:
    """Return ``source`` without the folder of this machine: an index travels with its model."""
    if source.startswith(("/", ".")) or "\\" in source:
        return PurePath(source).name
    return source or "texts given by the caller"
