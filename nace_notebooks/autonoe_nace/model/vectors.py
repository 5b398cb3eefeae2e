"""TF-IDF vectors of words, pairs of words and character n-grams, many texts at once.

The n-grams of a word are found once and remembered, so that a text costs one look-up a word. Words
with pairs of words, and character n-grams, are two blocks that weigh the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from autonoe_nace.model.arrays import load_array, save_array, unreadable

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]

VOCABULARY_FILE = "ngrams.json"
WEIGHTS_FILE = "ngrams.npy"

SHORTEST, LONGEST = 3, 4
"""Lengths of the character n-grams; a word's end and beginning count as a character."""

MOST_CACHED = 100_000
"""Words whose n-grams are remembered, at most: hostile texts must not make a server grow."""

_MARK = "~"
"""Set before character n-grams; no prepared word holds it, so that they meet no word."""


def ngrams_of(word: str) -> list[str]:
    """Return the character n-grams of a word, blanks at its ends included, each marked."""
    padded = f" {word} "
    return [
        _MARK + padded[start : start + n]
        for n in range(SHORTEST, LONGEST + 1)
        for start in range(max(1, len(padded) - n + 1))
    ]


@dataclass(frozen=True)
class _Counts:
    """Which feature occurs how often in which text, sorted by text."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    times: NDArray[np.int64]


class Vectors:
    """From prepared texts to sparse rows.

    Parameters
    ----------
    words, ngrams : sequence of str
        The features: words and pairs of words, then marked character n-grams.
    weights : array
        Inverse document frequency of each, in the same order.
    """

    def __init__(self, words: Sequence[str], ngrams: Sequence[str], weights: Floats) -> None:
        self.words, self.ngrams, self.weights = tuple(words), tuple(ngrams), weights
        self._place = {name: i for i, name in enumerate((*self.words, *self.ngrams))}
        self._known: dict[str, Ids] = {}

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.weights)

    @classmethod
    def learn(cls, prepared: Sequence[str], *, most: int) -> Vectors:
        """Return the vectors of the features in ``prepared``, the ``most`` frequent ones."""
        frequency: Counter[str] = Counter()
        of_word: dict[str, tuple[str, ...]] = {}
        for text in prepared:
            words = text.split()
            found = {*words, *_pairs(words)}
            for word in set(words):
                if word not in of_word:
                    of_word[word] = tuple(ngrams_of(word))
                found.update(of_word[word])
            frequency.update(found)
        kept = sorted(sorted(frequency, key=lambda name: (-frequency[name], name))[:most])
        words = [name for name in kept if name[0] != _MARK]
        ngrams = [name for name in kept if name[0] == _MARK]
        counts = np.array([frequency[name] for name in (*words, *ngrams)], dtype=np.float64)
        weights = np.log((1 + len(prepared)) / (1 + counts)) + 1
        return cls(words, ngrams, weights.astype(np.float32))

    @classmethod
    def load(cls, folder: Path) -> Vectors:
        """Return the vectors that :meth:`save` wrote into ``folder``.

        Raises
        ------
        AutonoeError
            ``model_damaged`` if a file cannot be read or the files do not belong together.
        """
        try:
            document = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
            words = [str(name) for name in document["words"]]
            ngrams = [str(name) for name in document["ngrams"]]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise unreadable(VOCABULARY_FILE) from error
        weights = load_array(folder / WEIGHTS_FILE, np.dtype(np.float32))
        if weights.shape != (len(words) + len(ngrams),):
            raise unreadable(WEIGHTS_FILE)
        return cls(words, ngrams, weights)

    def save(self, folder: Path) -> None:
        """Write the vocabulary and its weights into ``folder``."""
        document = {"words": self.words, "ngrams": self.ngrams}
        text = json.dumps(document, ensure_ascii=False)
        (folder / VOCABULARY_FILE).write_text(text, encoding="utf-8")
        save_array(folder / WEIGHTS_FILE, self.weights)

    def __call__(self, prepared: Sequence[str]) -> Any:
        """Return one CSR row per prepared text: log counts times weights, each block of norm 1."""
        counts = self._count(prepared)
        values = (1 + np.log(counts.times)).astype(np.float32) * self.weights[counts.columns]
        block = counts.rows * 2 + (counts.columns >= len(self.words))
        norms = np.sqrt(np.bincount(block, weights=values**2, minlength=2 * len(prepared)))
        values /= norms[block].astype(np.float32)
        starts = np.searchsorted(counts.rows, np.arange(len(prepared) + 1))
        shape = (len(prepared), len(self))
        return sparse.csr_array(
            (values, counts.columns.astype(np.int32), starts.astype(np.int32)), shape=shape
        )

    def _count(self, prepared: Sequence[str]) -> _Counts:
        parts: list[Ids] = []
        lengths: list[int] = []
        place, known = self._place, self._known
        for text in prepared:
            words, length = text.split(), 0
            for word in words:
                ids = known.get(word)
                if ids is None:
                    ids = self._remember(word)
                parts.append(ids)
                length += len(ids)
            pairs = [place[pair] for pair in _pairs(words) if pair in place]
            if pairs:
                parts.append(np.array(pairs, dtype=np.int32))
                length += len(pairs)
            lengths.append(length)
        columns = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
        rows = np.repeat(np.arange(len(prepared), dtype=np.int64), lengths)
        cells, times = np.unique(rows * len(self) + columns, return_counts=True)
        return _Counts(cells // len(self), cells % len(self), times)

    def _remember(self, word: str) -> Ids:
        names: Iterable[str] = (word, *ngrams_of(word))
        ids = [self._place[name] for name in names if name in self._place]
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        found = self._known[word] = np.array(ids, dtype=np.int32)
        return found


def _pairs(words: Sequence[str]) -> list[str]:
    return [f"{a} {b}" for a, b in pairwise(words)]
