"""Explanatory notes that travel with a model, and the part of one that concerns a text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autonoe_nace.model.manifest import damaged
from autonoe_nace.text import Preparation

NOTES_FILE = "notes.json"
"""Optional file of a model folder: code to ``{"includes", "includes_also", "excludes"}``."""

MOST_SENTENCES = 3
_KINDS = ("includes", "includes_also", "excludes")
_LEAD = {"includes": "", "includes_also": "Also: ", "excludes": "Not here: "}
_PIECES = re.compile(r"\s*(?:\n+|;|(?<=[.!?])\s+(?=[A-ZÀ-Þ])|(?:^|\s)[-–•*]\s+)\s*")  # noqa: RUF001
_MAX_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Note:
    """The explanatory note of one code."""

    includes: str = ""
    includes_also: str = ""
    excludes: str = ""


def write_notes(folder: Path, notes: Mapping[str, Note]) -> str:
    """Write the notes that the model of ``folder`` carries, and return the file's name."""
    document = {
        code: {kind: getattr(note, kind) for kind in _KINDS if getattr(note, kind)}
        for code, note in sorted(notes.items())
    }
    (folder / NOTES_FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return NOTES_FILE


class NotesBook:
    """Notes by code.

    Parameters
    ----------
    notes : mapping of str to Note
        In the nomenclature's own form of the codes.
    """

    def __init__(self, notes: Mapping[str, Note]) -> None:
        self.notes = dict(notes)

    @classmethod
    def load(cls, folder: Path) -> NotesBook:
        """Return the notes that :func:`write_notes` wrote.

        Raises
        ------
        AutonoeError
            ``model_damaged`` if the file cannot be read.
        """
        try:
            document = json.loads((folder / NOTES_FILE).read_text(encoding="utf-8"))
            notes = {
                str(code): Note(**{kind: str(found.get(kind, "")) for kind in _KINDS})
                for code, found in document.items()
            }
        except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
            raise damaged(f"{NOTES_FILE} cannot be read") from error
        return cls(notes)

    def excerpt(self, code: str, prepared: str = "", prepare: Preparation | None = None) -> str:
        """Return what the note of ``code`` says about a text: the items that share most words.

        Parameters
        ----------
        code : str
            In the nomenclature's own form.
        prepared : str
            Words of the text; without them, the note's beginning is returned.
        prepare : Preparation, optional
            How those words were prepared.

        Returns
        -------
        str
            At most three items and 600 characters, exclusions marked; empty without a note.
        """
        note = self.notes.get(code)
        if note is None:
            return ""
        items = [
            (kind, item)
            for kind in _KINDS
            for item in _PIECES.split(getattr(note, kind).strip())
            if item and not item.isspace()
        ]
        words = set(prepared.split())
        if words and prepare is not None:
            shared = [len(words & set(prepare(item).split())) for _, item in items]
            chosen = sorted(range(len(items)), key=lambda i: (-shared[i], i))[:MOST_SENTENCES]
            found = [items[i] for i in sorted(chosen) if shared[i]]
        else:
            found = []
        found = found or items[:MOST_SENTENCES]
        text = "; ".join(_LEAD[kind] + item.rstrip(" ;.:") for kind, item in found)
        return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "…"
