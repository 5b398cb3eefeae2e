"""Labelled texts of ATECO 2022, the version before ATECO 2025: for models of the old codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from autonoe_nace.data.ateco2025 import CLASS
from autonoe_nace.data.dataset import Dataset, examine
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.nomenclature.sources import ISTAT

_BULLET = re.compile(r"^-\s*")
_EXCLUDED = re.compile(r"\bson[oa] esclus[eiao]\b", re.IGNORECASE)
_SEE = re.compile(r",?\s*cfr\.?\s*(?P<code>\d{2}\.\d{2}(?:\.\d{1,2})?)\s*[.;]?\s*$", re.IGNORECASE)


def ateco2022() -> Dataset:
    """Return about 5,500 Italian texts over the 615 classes of ATECO 2022 (NACE Rev. 2).

    Titles and bullets of the notes from class to sub-category. Below the words "sono escluse" a
    bullet counts for the class that it refers to ("..., cfr. 10.73"), or not at all. Content (c)
    ISTAT, CC BY 4.0.

    Raises
    ------
    UnavailableError
        If the package ``ateco`` is not installed.
    """
    nomenclature = load_nomenclature("ateco2022")
    from ateco._load import load_nodes

    pairs = dict.fromkeys(
        (text, code)
        for node in load_nodes("2022").values()
        for text, raw in _texts(node)
        if (code := nomenclature.ancestor(nomenclature.parse(raw) or "", CLASS))
    )
    data = examine(
        [text for text, _ in pairs],
        [code for _, code in pairs],
        nomenclature,
        source=ISTAT.replace("2025", "2022"),
    )
    return replace(data, public=True)


def _texts(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    code = str(node["code"])
    if not code[:1].isdigit():
        return
    yield node["title"], code
    excluded = False
    for line in str((node.get("notes") or {}).get("text", "")).splitlines():
        text = line.strip()
        excluded = excluded or bool(_EXCLUDED.search(text))
        if not _BULLET.match(text):
            continue
        text = _BULLET.sub("", text).strip(" ;")
        found = _SEE.search(text)
        if found:
            yield text[: found.start()].strip(), found["code"]
        elif not excluded and text:
            yield text, code
