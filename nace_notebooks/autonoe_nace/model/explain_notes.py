"""Explanatory notes that travel with a model, and the part of one that concerns a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from autonoe_nace.model.manifest import damaged
from autonoe_nace.nomenclature.notes import PARTS, Note, items
from autonoe_nace.text import Preparation

NOTES_FILE = "notes.json"
"""Optional file of a model folder: code to ``{"includes", "includes_also", "excludes"}``."""

MOST_ITEMS = 3
_LEAD = {"includes": "", "includes_also": "Also: ", "excludes": "Not here: "}
_MAX_CHARACTERS = 600


def write_notes(folder: Path, notes: Mapping[str, Note]) -> str:
    """Write the notes that the model of ``folder`` carries, and return the file's name."""
    document = {
        code: {part: getattr(note, part) for part in PARTS if getattr(note, part)}
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
        self._known: dict[str, list[tuple[str, str, frozenset[str]]]] = {}

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
                str(code): Note(**{part: str(found.get(part, "")) for part in PARTS})
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
        said = self._said(code, prepare)
        words = frozenset(prepared.split())
        shared = [len(words & known) for _, _, known in said]
        chosen = sorted(range(len(said)), key=lambda i: (-shared[i], i))[:MOST_ITEMS]
        found = [i for i in sorted(chosen) if shared[i]] or range(min(MOST_ITEMS, len(said)))
        text = "; ".join(_LEAD[said[i][0]] + said[i][1] for i in found)
        return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1] + "\u2026"

    def _said(
        self, code: str, prepare: Preparation | None
    ) -> list[tuple[str, str, frozenset[str]]]:
        """Return part, item and the item's prepared words of a note; found once for each code."""
        if code not in self._known:
            note = self.notes.get(code, Note())
            self._known[code] = [
                (part, item, frozenset(prepare(item).split() if prepare else ()))
                for part in PARTS
                for item in items(getattr(note, part))
            ]
        return self._known[code]
