"""Explanatory notes: what a code includes, includes too, and leaves to another code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from autonoe.errors import InvalidInputError
from autonoe_nace.nomenclature.tree import Nomenclature
from autonoe_nace.tables import read_columns

PARTS = ("includes", "includes_also", "excludes")
"""The parts of a note, which are also the names of the columns of a file of notes."""


_ATECO_PARTS = {
    "includes": "inclusione",
    "includes_also": "inclusione_aggiuntiva",
    "excludes": "esclusione",
}

_MARK = re.compile(r"^\s*[-\u2022\u2013*\u00b7]+\s*")
_NESTED = re.compile(r"^\s*[\u2022\u00b7]")
_ONE_LINE = re.compile(r"\s+[-\u2013]\s+(?=\S)")
_LEAD_IN = re.compile(
    r"(?:,?\s*(?:ad esempio|quali|come|tra cui|in particolare|such as|e\.g\.|like|wie|z\. ?B\.|"
    r"tel(?:le)?s? que|par exemple|notamment))?\s*:\s*$",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^(?:this|diese[rs]?|cette|questa|questo) [\w-]+(?: [\w]+){0,2}? "
    r"(?:includes?|excludes?|comprises?|covers?|umfasst|enth\u00e4lt|comprend|comprennent|couvre|"
    r"comprende|include|esclude)(?: (?:also|auch|\u00e9galement|anche|not|nicht|pas))?\b[\s:,]*",
    re.IGNORECASE,
)
_CODE = r"\d{2}(?:\.\d{1,2}(?:\.?\d{1,2}|[A-Z])?)?"
_REFERENCE = re.compile(
    rf"[\s,;(]*\b(?:see|siehe|s\.|cf\.?|cfr\.?|voir|vedi)\s*"
    rf"(?:also |auch |aussi |division |class |group |Abteilung |Klasse |Gruppe |classe |groupe )*"
    rf"(?P<code>{_CODE})\s*[).;,]*\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Note:
    """The explanatory note of one code, as published."""

    includes: str = ""
    includes_also: str = ""
    excludes: str = ""


def load_notes(name: str, nomenclature: Nomenclature, *, language: str = "") -> dict[str, Note]:
    """Return the notes by code: built in for ``ateco2025``, or those of a file.

    Parameters
    ----------
    name : str
        ``ateco2025``, or the path or ``s3://`` address of a CSV or Parquet file with a column
        ``code`` and some of ``includes``, ``includes_also`` and ``excludes``.
    nomenclature : Nomenclature
        What the codes belong to; notes of other codes are left out.
    language : str, optional
        Takes the rows of this language when the file has a column ``lang``.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, is not one of notes, or has no note for the nomenclature.
    """
    raw = _ateco() if name == "ateco2025" else _read(name, language)
    notes = {code: note for found, note in raw.items() if (code := nomenclature.parse(found))}
    if not notes:
        raise InvalidInputError(
            f"No note in {name} belongs to {nomenclature.name}"
            + (f" in the language {language!r}." if language else "."),
            hint="Check that the notes and --nomenclature are of the same version.",
        )
    return notes


def items(text: str) -> list[str]:
    """Return the items of one part of a note, each readable by itself.

    Items of the second level carry their lead-in along ("meat products:", "sausages" gives "meat
    products sausages"); the sentence that opens a list is left out, one that is the whole part
    loses its opening ("This class includes").
    """
    found = list(_items(text))
    return [item for item in found if item]


def reference(item: str) -> tuple[str, str] | None:
    """Return (what is left out, the code that has it) of an item of an exclusion, or None.

    Examples
    --------
    >>> reference("manufacture of potato flour, see 10.31")
    ('manufacture of potato flour', '10.31')
    >>> reference("Betrieb von Eissalons (s. 56.10)")
    ('Betrieb von Eissalons', '56.10')
    >>> reference("wholesale of meat, see 46.32 and 46.17") is None
    True
    """
    found = _REFERENCE.search(item)
    if found is None:
        return None
    text = item[: found.start()].strip(" ,;(")
    # Two codes: nobody says which of them has it.
    return None if not text or re.search(rf"(?<!\d){_CODE}(?!\d)", text) else (text, found["code"])


def _items(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        # Some offices put a whole list on one line: "... comprend : - this - that".
        head, *rest = _ONE_LINE.split(lines[0])
        if rest:
            lines = ([head] if not head.rstrip().endswith(":") else []) + [f"- {r}" for r in rest]
    listed = any(_MARK.match(line) for line in lines)
    lead = ""
    for line in lines:
        item = _MARK.sub("", line).strip(" ;\t")
        if listed and not _MARK.match(line):
            lead = ""
            if item.endswith(":") or _OPENING.match(item):
                continue
        nested = bool(_NESTED.match(line))
        if not nested:
            lead = _LEAD_IN.sub("", item) if item.endswith(":") else ""
        elif lead:
            item = f"{lead} {item}"
        if not listed:
            item = _OPENING.sub("", item)
        if item.strip(":"):
            yield _LEAD_IN.sub("", item).strip()


def _read(uri: str, language: str) -> dict[str, Note]:
    columns = read_columns(uri).columns
    present = [part for part in PARTS if part in columns]
    if "code" not in columns or not present:
        raise InvalidInputError(
            f"The file {uri} holds no explanatory notes; it has the columns {', '.join(columns)}.",
            hint=f"Notes need a column 'code' and one or more of {', '.join(PARTS)}.",
            code="unknown_column",
        )
    tongues = columns.get("lang")
    notes = {}
    for i, code in enumerate(columns["code"]):
        if language and tongues is not None and tongues[i] not in ("", language):
            continue
        parts = {part: columns[part][i].strip() for part in present}
        if code.strip() and any(parts.values()):
            notes[code.strip()] = Note(**parts)
    return notes


@cache
def _ateco() -> dict[str, Note]:
    from autonoe_nace.nomenclature.sources import ateco_nodes

    notes = {}
    for node in ateco_nodes("2025").values():
        given = node.get("notes") or {}
        parts = {part: str(given.get(name, "")) for part, name in _ATECO_PARTS.items()}
        if any(parts.values()):
            notes[str(node["code"])] = Note(**parts)
    return notes
