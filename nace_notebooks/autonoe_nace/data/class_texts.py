"""Class texts as training material: titles, what a note includes, and what it leaves elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from autonoe.errors import InvalidInputError
from autonoe_nace.data.dataset import Dataset, examine
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.nomenclature.notes import PARTS, Note, items, load_notes, reference
from autonoe_nace.tables import read_columns

KINDS = ("title", "include", "include_also", "exclude_ref")
"""What a class text is: a title, an item of a note, or an item that another class's note excludes
("manufacture of potato flour, see 10.31" is a text of 10.31)."""

CLASS = 4

_KIND_OF_PART = dict(zip(PARTS, KINDS[1:], strict=True))


def read_class_texts(
    name: str,
    *,
    nomenclature: Nomenclature,
    kinds: Collection[str] = KINDS,
    language: str = "",
    level: int = CLASS,
) -> Dataset:
    """Return the class texts in a file, or those of ``ateco2025``, as a data set.

    Parameters
    ----------
    name : str
        ``ateco2025``, or the path or ``s3://`` address of a CSV or Parquet file of one of two
        shapes: one text a row (columns ``text``, ``code``, ``kind`` and perhaps ``lang``), or one
        code a row (``code``, perhaps ``title``, and some of ``includes``, ``includes_also``,
        ``excludes``, ``lang``).
    nomenclature : Nomenclature
        What the codes belong to.
    kinds : collection of str
        Which of :data:`KINDS` to take.
    language : str, optional
        Takes the rows of this language when there is a column ``lang``; also whose rules decide
        that a text says nothing. That of the nomenclature by default.
    level : int
        Broadest level of a code whose texts are taken: a text of a whole division teaches little.

    Raises
    ------
    InvalidInputError
        If a kind is unknown, the file is of neither shape, or no text remains.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown or not kinds:
        raise InvalidInputError(
            f"There is no kind of class text {', '.join(unknown) or '(none was named)'}.",
            hint=f"Choose among {', '.join(KINDS)}.",
        )
    if name == "ateco2025":
        rows = [*_titles(nomenclature), *_note_rows(load_notes(name, nomenclature))]
    else:
        rows = _file_rows(name, nomenclature, kinds, language)
    chosen = []
    for text, raw, kind in dict.fromkeys(rows):
        code = nomenclature.parse(raw)
        if kind in kinds and (code is None or nomenclature.level(code) >= level):
            chosen.append((text, raw, kind))
    counts = Counter(kind for _, _, kind in chosen)
    data = examine(
        [text for text, _, _ in chosen],
        [code for _, code, _ in chosen],
        nomenclature,
        notes=[", ".join(f"{kind}: {counts[kind]:,}" for kind in KINDS if counts[kind])],
        source=name if name != "ateco2025" else nomenclature.attribution,
        language=language,
    )
    if not len(data):
        raise InvalidInputError(
            f"No class text of {name} can be used with {nomenclature.name}. "
            + " ".join(data.report.lines()),
            hint="Check --nomenclature, the language and the kinds.",
            code="no_usable_row",
        )
    return replace(data, public=True)


def _titles(nomenclature: Nomenclature) -> Iterator[tuple[str, str, str]]:
    for node in nomenclature.nodes.values():
        if node.title:
            yield node.title, node.code, "title"


def _note_rows(notes: dict[str, Note]) -> Iterator[tuple[str, str, str]]:
    """Yield (text, code, kind) of each item; that of an exclusion has the code it refers to."""
    for code, note in notes.items():
        for part, kind in _KIND_OF_PART.items():
            for item in items(getattr(note, part)):
                if part != "excludes":
                    yield item, code, kind
                elif found := reference(item):
                    yield *found, kind


def _file_rows(
    uri: str, nomenclature: Nomenclature, kinds: Collection[str], language: str
) -> list[tuple[str, str, str]]:
    columns = read_columns(uri).columns
    if {"text", "code", "kind"} <= set(columns):
        tongues = columns.get("lang", [""] * len(columns["text"]))
        rows = zip(columns["text"], columns["code"], columns["kind"], tongues, strict=True)
        return [(t, c, k) for t, c, k, lang in rows if not language or lang in ("", language)]
    if "code" not in columns or not {"title", *PARTS} & set(columns):
        raise InvalidInputError(
            f"The file {uri} holds no class texts; it has the columns {', '.join(columns)}.",
            hint="Needed are text, code and kind, or code and some of title, includes, "
            "includes_also, excludes.",
            code="unknown_column",
        )
    rows_of_file: list[tuple[str, str, str]] = []
    tongues = columns.get("lang", [""] * len(columns["code"]))
    if "title" in columns:
        titled = zip(columns["title"], columns["code"], tongues, strict=True)
        rows_of_file += [
            (t, c, "title")
            for t, c, lang in titled
            if t and (not language or lang in ("", language))
        ]
    if set(PARTS) & set(columns) and set(kinds) != {"title"}:
        rows_of_file += _note_rows(load_notes(uri, nomenclature, language=language))
    return rows_of_file
