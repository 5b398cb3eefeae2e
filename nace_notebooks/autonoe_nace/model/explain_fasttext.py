"""What each word and n-gram adds to a direction of fastText's score: exact, because it is linear.

fastText's hidden vector is the mean of the vectors of a text's features: words, character n-grams,
word n-grams and the mark of the text's end. A logit is the product of that mean with a row of the
output matrix, so that it falls apart into one summand a feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

Kind = Literal["word", "characters", "words", "feature", "end", "constant", "neighbours"]

END = "</s>"
_WORD_MASK = (1 << 64) - 1
_MULTIPLIER = 116_049_371  # of fastText's Dictionary::addWordNgrams
_FNV_OFFSET, _FNV_PRIME = 2_166_136_261, 16_777_619


class Summand(NamedTuple):
    """One feature of a text and what it adds.

    Attributes
    ----------
    kind : str
        ``word``, ``characters`` (an n-gram, ``<`` and ``>`` being the word's ends), ``words`` (a
        run of words) or ``end``.
    text : str
        The feature itself.
    first, last : int
        Places of the first and last word it covers, from 0; -1 for ``end``.
    value : float
        What it adds to the score.
    """

    kind: Kind
    text: str
    first: int
    last: int
    value: float


class FastTextFeatures:
    """The features that fastText sees in a prepared text.

    Parameters
    ----------
    model : fasttext model
        As ``fasttext.load_model`` returns it.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        args = model.f.getArgs()
        self._bucket, self._run = int(args.bucket), int(args.wordNgrams)
        self._words = len(model.get_words(on_unicode_error="ignore"))
        self._end = int(model.get_word_id(END))

    def summands(self, prepared: str, direction: Floats) -> list[Summand]:
        """Return what each feature of ``prepared`` adds to ``hidden @ direction``.

        Parameters
        ----------
        prepared : str
            Words between single blanks.
        direction : array, length of a vector
            For example the difference of two rows of the output matrix.
        """
        features = list(self._features(prepared.split()))
        if not features:
            return []
        vector = self._model.get_input_vector
        scale = 1.0 / len(features)
        wide = direction.astype(np.float64)
        return [
            Summand(kind, text, first, last, float(vector(row) @ wide) * scale)
            for kind, text, first, last, row in features
        ]

    def _features(self, words: list[str]) -> Iterator[tuple[Kind, str, int, int, int]]:
        for place, word in enumerate(words):
            names, rows = self._model.get_subwords(word, on_unicode_error="ignore")
            for name, row in zip(names, rows.tolist(), strict=True):
                kind: Kind = "word" if row < self._words else "characters"
                yield kind, name, place, place, row
        if self._end >= 0:
            yield "end", END, -1, -1, self._end
        yield from self._runs(words)

    def _runs(self, words: list[str]) -> Iterator[tuple[Kind, str, int, int, int]]:
        """Yield runs of words as fastText hashes them; the end mark is the last of the words."""
        if self._run < 2 or not self._bucket:
            return
        hashes = [_hash(word) for word in [*words, END]]
        for first, start in enumerate(hashes):
            value = start
            for last in range(first + 1, min(first + self._run, len(hashes))):
                value = (value * _MULTIPLIER + hashes[last]) & _WORD_MASK
                text = " ".join([*words, END][first : last + 1])
                row = self._words + value % self._bucket
                yield "words", text, first, min(last, len(words) - 1), row


def _hash(word: str) -> int:
    """Return fastText's hash of a word, as the 64-bit number that it calculates on with.

    FNV-1a over bytes taken as signed numbers; the 32-bit result is kept in a signed integer, whose
    sign spreads when it is widened.
    """
    value = _FNV_OFFSET
    for byte in word.encode():
        signed = byte - 256 if byte > 127 else byte
        value = ((value ^ (signed & 0xFFFFFFFF)) * _FNV_PRIME) & 0xFFFFFFFF
    return (value | ~0xFFFFFFFF) & _WORD_MASK if value >= 1 << 31 else value
