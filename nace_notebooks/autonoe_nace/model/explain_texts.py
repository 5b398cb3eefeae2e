"""Training texts that a model keeps, and those most like a given text.

A model keeps texts only when it is trained so: a firm's own words do not belong into a file that
travels, the titles and notes of a nomenclature may.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autonoe_nace.model.manifest import damaged
from autonoe_nace.model.vectors import Vectors

if TYPE_CHECKING:
    from autonoe_nace.model.nace_model import NaceModel

TEXTS_FILE = "texts.json"
"""Optional file of a model folder: ``{"texts": [...], "codes": [...]}``, as typed."""

MOST_KEPT = 200_000
"""Texts that a model keeps, at most; more would make each server carry a register."""

_MOST_FEATURES = 200_000


@dataclass(frozen=True, slots=True)
class NearText:
    """A training text like the one asked about.

    Attributes
    ----------
    text, code : str
        As they were learned.
    similarity : float
        Cosine of the two texts' vectors, in (0, 1]; 1 for the same words.
    """

    text: str
    code: str
    similarity: float


def write_texts(folder: Path, texts: Sequence[str], codes: Sequence[str]) -> str:
    """Write the texts that the model of ``folder`` keeps, each once, and return the file's name."""
    kept = list(dict.fromkeys(zip(texts, codes, strict=True)))[:MOST_KEPT]
    document = {"texts": [text for text, _ in kept], "codes": [code for _, code in kept]}
    (folder / TEXTS_FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return TEXTS_FILE


def read_texts(folder: Path) -> tuple[list[str], list[str]]:
    """Return the texts that the model of ``folder`` keeps, and their codes, in the same order.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if the file cannot be read.
    """
    try:
        document = json.loads((folder / TEXTS_FILE).read_text(encoding="utf-8"))
        texts, codes = list(map(str, document["texts"])), list(map(str, document["codes"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(f"{TEXTS_FILE} cannot be read") from error
    if len(texts) != len(codes) or len(texts) > MOST_KEPT:
        raise damaged(f"{TEXTS_FILE} does not hold a code for each text")
    return texts, codes


class KeptTexts:
    """The kept texts of a model as vectors; made at the first question, in about 0.1 ms a text.

    Texts are alike by their words and character n-grams, rare ones counting more: what a person
    sees as alike. The vectors of a small network would call many unlike texts alike.

    Parameters
    ----------
    model : NaceModel
        A model that lists :data:`TEXTS_FILE` among its files.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if the file cannot be read.
    """

    def __init__(self, model: NaceModel) -> None:
        texts, codes = read_texts(model.folder)
        prepared = model.prepare.all(texts)
        tree, level = model.nomenclature, model.manifest.level
        seen = dict[tuple[str, str], int]()
        for i, (words, code) in enumerate(zip(prepared, codes, strict=True)):
            # a title often repeats that of the code above it: one of them tells enough
            if words:
                seen.setdefault((words, tree.ancestor(code, level) or code), i)
        kept = list(seen.values())
        self.texts = [texts[i] for i in kept]
        self.codes = [codes[i] for i in kept]
        chosen = [prepared[i] for i in kept]
        self._vectors = model.ensemble.vectors or Vectors.learn(chosen, most=_MOST_FEATURES)
        # turned, so that a product reads only the features of the text asked about
        self._turned = _unit(self._vectors(chosen)).T.tocsr()

    def nearest(self, prepared: str, n: int) -> tuple[NearText, ...]:
        """Return the ``n`` kept texts most like ``prepared``, the most alike first."""
        if not prepared or not self.texts or n < 1:
            return ()
        found = _unit(self._vectors([prepared])) @ self._turned
        places, similar = found.indices, found.data
        few = np.argpartition(-similar, n - 1)[:n] if n < len(similar) else range(len(similar))
        ordered = sorted(few, key=lambda i: (-similar[i], places[i]))
        return tuple(
            NearText(
                self.texts[places[i]],
                self.codes[places[i]],
                round(min(1.0, float(similar[i])), 4),
            )
            for i in ordered
        )


def _unit(vectors: Any) -> Any:
    """Return sparse ``vectors`` with length 1; those of length 0 stay."""
    lengths = np.sqrt(vectors.multiply(vectors).sum(axis=1))
    lengths = np.where(lengths > 0, lengths, 1)
    out = vectors.copy()
    out.data /= np.repeat(lengths, np.diff(vectors.indptr))
    return out
