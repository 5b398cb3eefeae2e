"""The default data: titles and notes of ATECO 2025 (ISTAT), from the package ``ateco``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from autonoe_nace.data.dataset import Dataset, examine
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.nomenclature.sources import ISTAT

CLASS = 4

_BULLET = re.compile(r"^\s*[-\u2022\u2013*\u00b7]+\s*")
_SEE = re.compile(
    r",?\s*cfr\.?\s*(?P<code>\d{2}\.\d{1,2}(?:\.\d{1,2})?)\s*[.;]?\s*$", re.IGNORECASE
)
_LEAD_IN = re.compile(r"(?:,?\s*(?:ad esempio|quali|come|tra cui|in particolare))?\s*:\s*$", re.I)
_INCLUDED = ("inclusione", "inclusione_aggiuntiva")


def ateco() -> Dataset:
    """Return about 7,600 Italian texts over the 651 classes of ATECO 2025 (NACE Rev. 2.1).

    Each title and each bullet of the notes from class to sub-category is a text with its class.
    A bullet on what a class leaves out ("..., cfr. 01.12") counts for the class that it names.
    Content (c) ISTAT, CC BY 4.0.

    Raises
    ------
    UnavailableError
        If the package ``ateco`` is not installed.
    """
    nomenclature = load_nomenclature("ateco2025")
    from ateco._load import load_nodes

    pairs = dict.fromkeys(
        (text, code)
        for node in load_nodes("2025").values()
        for text, raw in _texts(node)
        if (code := nomenclature.ancestor(nomenclature.parse(raw) or "", CLASS))
    )
    data = examine(
        [text for text, _ in pairs], [code for _, code in pairs], nomenclature, source=ISTAT
    )
    return replace(data, public=True)


def _texts(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    code = str(node["code"])
    notes: dict[str, str] = node.get("notes") or {}
    if code[:1].isdigit():
        yield node["title"], code
    for part in _INCLUDED:
        for bullet in _bullets(notes.get(part, "")):
            yield bullet, code
    for bullet in _bullets(notes.get("esclusione", "")):
        if found := _SEE.search(bullet):
            yield bullet[: found.start()].strip(), found["code"]


def _bullets(note: str) -> Iterator[str]:
    """Yield the bullets of ``note``; those of the second level carry their lead-in along."""
    lead = ""
    for line in filter(None, map(str.strip, note.split("\n"))):
        text = _BULLET.sub("", line).strip(" ;")
        nested = line.startswith("\u2022")
        if not nested:
            lead = _LEAD_IN.sub("", text) if text.endswith(":") else ""
        if nested and lead:
            text = f"{lead} {text}"
        if text.strip(":"):
            yield _LEAD_IN.sub("", text)
