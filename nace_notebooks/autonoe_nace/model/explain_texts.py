"""Training texts that a model keeps, and those most like a given text.

A model keeps texts only when it is trained so: a firm's own words do not belong into a file that
travels, the titles and notes of a nomenclature may.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autonoe_nace.model.manifest import damaged

if TYPE_CHECKING:
    from autonoe_nace.model.nace_model import NaceModel

TEXTS_FILE = "texts.json"
"""Optional file of a model folder: ``{"texts": [...], "codes": [...]}``, as typed."""

MOST_KEPT = 200_000
"""Texts that a model keeps, at most; more would make each server carry a register."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NearText:
    """A training text like the one asked about.

    Attributes
    ----------
    text, code : str
        As they were learned.
    similarity : float
        Cosine of the two texts' vectors, in [-1, 1]; 1 for the same words.
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


class KeptTexts:
    """The kept texts of a model as vectors; made at the first question, in about 30 µs a text.

    The vectors are those of fastText's hidden layer: what the model itself holds to be alike.

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
        self._model = model
        try:
            document = json.loads((model.folder / TEXTS_FILE).read_text(encoding="utf-8"))
            texts, codes = list(map(str, document["texts"])), list(map(str, document["codes"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise damaged(f"{TEXTS_FILE} cannot be read") from error
        if len(texts) != len(codes) or len(texts) > MOST_KEPT:
            raise damaged(f"{TEXTS_FILE} does not hold a code for each text")
        prepared = model.prepare.all(texts)
        usable = [i for i, text in enumerate(prepared) if text]
        self.texts = [texts[i] for i in usable]
        self.codes = [codes[i] for i in usable]
        self._vectors = _unit(self._hidden([prepared[i] for i in usable]))

    def nearest(self, prepared: str, n: int) -> tuple[NearText, ...]:
        """Return the ``n`` kept texts most like ``prepared``, the most alike first."""
        if not prepared or not self.texts or n < 1:
            return ()
        similar = self._vectors @ _unit(self._hidden([prepared]))[0]
        n = min(n, len(similar))
        few = np.argpartition(-similar, n - 1)[:n]
        ordered = sorted(few.tolist(), key=lambda i: (-float(similar[i]), i))
        return tuple(
            NearText(self.texts[i], self.codes[i], round(min(1.0, float(similar[i])), 4))
            for i in ordered
        )

    def _hidden(self, prepared: Sequence[str]) -> Floats:
        network = self._model.ensemble.fasttext.network
        out = np.empty((len(prepared), network.get_dimension()), dtype=np.float32)
        for i, text in enumerate(prepared):
            out[i] = network.get_sentence_vector(text)
        return out


def _unit(vectors: Floats) -> Floats:
    """Return ``vectors`` with length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    out: Floats = vectors / np.where(lengths > 0, lengths, 1)
    return out
