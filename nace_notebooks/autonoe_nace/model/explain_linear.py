"""What each word and n-gram adds through the linear part of a full model: exact, word by word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from autonoe_nace.model.explain_fasttext import Kind, Summand
from autonoe_nace.model.parts import Linear
from autonoe_nace.model.vectors import Vectors, ngrams_of

Places = list[tuple[Kind, str, int, int]]


def linear_summands(
    vectors: Vectors, linear: Linear, prepared: str, first: int, second: int
) -> list[Summand]:
    """Return what each feature adds to the score of label ``first`` minus that of ``second``.

    The labels' constants are a summand of kind ``constant``. A feature that occurs several times in
    the text is shared equally among its places.
    """
    row = vectors([prepared])
    weights = linear.weights[row.indices][:, [first, second]].toarray().astype(np.float64)
    values = row.data.astype(np.float64) * (weights[:, 0] - weights[:, 1])
    constant = float(linear.bias[first]) - float(linear.bias[second])
    found = [Summand("constant", "", -1, -1, constant)]
    places = _places(prepared.split())
    names = (*vectors.words, *vectors.ngrams) if len(row.indices) else ()
    for column, value in zip(row.indices.tolist(), values.tolist(), strict=True):
        where = places[names[column]]
        found += [Summand(*place, value / len(where)) for place in where]
    return found


def _places(words: list[str]) -> Mapping[str, Places]:
    """Return where each feature of the text stands, by the name that the vectors know it by."""
    places: defaultdict[str, Places] = defaultdict(list)
    for i, word in enumerate(words):
        places[word].append(("word", word, i, i))
        for name in ngrams_of(word):
            # the blanks at a word's ends are written as fastText writes them
            bare = name[1:]
            start, end = bare.startswith(" "), bare.endswith(" ")
            shown = f"{'<' if start else ''}{bare.strip()}{'>' if end else ''}"
            places[name].append(("characters", shown, i, i))
    for i, pair in enumerate(pairwise(words)):
        places[" ".join(pair)].append(("words", " ".join(pair), i, i + 1))
    return places
