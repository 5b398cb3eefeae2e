"""What each single feature adds, found again: from fastText's own vectors, and by hand."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.model.explain_fasttext import FastTextFeatures
from autonoe_nace.model.explain_linear import linear_summands
from autonoe_nace.model.vectors import VOCABULARY_FILE, WEIGHTS_FILE
from autonoe_nace.training import TrainingParams, train

SHORTEST, LONGEST = 2, 4
UNSEEN = "zzqxwk"


@pytest.fixture(scope="module")
def model() -> NaceModel:
    params = TrainingParams(
        preset="full",
        dim=10,
        bucket=2_000,
        minn=SHORTEST,
        maxn=LONGEST,
        word_ngrams=2,
        epoch=8,
        calibration_share=0,
        titles=False,
    )
    return train(ateco().subset(range(0, 6_000, 10)), params)


@pytest.fixture(scope="module")
def words(model: NaceModel) -> list[str]:
    """Return a prepared text: a known pair, a word that was never learned, a word once more."""
    vectors = model.ensemble.vectors
    assert vectors is not None
    pair = next(name for name in vectors.words if " " in name and len(name) > 12)
    first, second = pair.split()
    return [first, second, UNSEEN, first]


def _parts_of(network: Any, word: str) -> list[tuple[str, str, np.ndarray]]:
    """Return kind, name and vector of a word and of its n-grams, as fastText's own calls give."""
    found = []
    if (row := network.get_word_id(word)) >= 0:
        found.append(("word", word, network.get_input_vector(row)))
    closed = f"<{word}>"
    for start in range(len(closed)):
        for end in range(start + SHORTEST, min(start + LONGEST, len(closed)) + 1):
            name = closed[start:end]
            row = network.get_subword_id(name)
            found.append(("characters", name, network.get_input_vector(row)))
    return found


def _run_vectors(network: Any, words: list[str]) -> list[np.ndarray]:
    """Return the vector of each pair of neighbours, the end of the text being the last of them.

    fastText names no pair; but a text's vector is the mean of all, so that the pair of a last word
    with the end is what is left of that word alone, and any other what is left of two words.
    """
    end = network.get_input_vector(network.get_word_id("</s>"))

    def left(of: list[str], known: list[np.ndarray]) -> np.ndarray:
        parts = [vector for word in of for *_, vector in _parts_of(network, word)]
        count = len(parts) + 1 + len(of)
        total = network.get_sentence_vector(" ".join(of)).astype(float) * count
        return total - np.sum([*parts, end, *known], axis=0, dtype=float)

    at_end = {word: left([word], []) for word in words}
    pairs = [left([a, b], [at_end[b]]) for a, b in pairwise(words)]
    return [*pairs, at_end[words[-1]]]


def test_each_share_of_fasttext_is_that_of_its_own_vectors(
    model: NaceModel, words: list[str]
) -> None:
    network = model.ensemble.fasttext.network
    direction = network.get_output_matrix()[3] - network.get_output_matrix()[0]
    expected: defaultdict[tuple[str, str, int, int], float] = defaultdict(float)
    parts = [
        ((kind, name, place, place), vector)
        for place, word in enumerate(words)
        for kind, name, vector in _parts_of(network, word)
    ]
    parts.append((("end", "</s>", -1, -1), network.get_input_vector(network.get_word_id("</s>"))))
    last = len(words) - 1
    for place, vector in enumerate(_run_vectors(network, words)):
        name = " ".join([*words, "</s>"][place : place + 2])
        parts.append((("words", name, place, min(place + 1, last)), vector))
    for key, vector in parts:
        expected[key] += float(vector @ direction) / len(parts)
    given: defaultdict[tuple[str, str, int, int], float] = defaultdict(float)
    summands = FastTextFeatures(network).summands(" ".join(words), direction)
    for kind, text, first, end, value in summands:
        given[kind, text, first, end] += value
    assert len(summands) == len(parts)
    assert set(given) == set(expected)
    assert {key[0] for key in given} == {"word", "characters", "words", "end"}
    assert ("word", UNSEEN, 2, 2) not in given
    largest = max(map(abs, expected.values()))
    for key, value in expected.items():
        assert given[key] == pytest.approx(value, abs=1e-4 * largest), key
    assert len({round(value / largest, 3) for value in expected.values()}) > 20, "they differ"


def test_each_share_of_the_linear_part_is_that_of_hand_and_file(
    model: NaceModel, words: list[str]
) -> None:
    linear, vectors = model.ensemble.linear, model.ensemble.vectors
    assert linear is not None
    assert vectors is not None
    document = json.loads((model.folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
    rarity = np.load(model.folder / WEIGHTS_FILE)
    place = {name: i for i, name in enumerate([*document["words"], *document["ngrams"]])}
    blocks: list[dict[str, tuple[str, str]]] = [{}, {}]
    times: Counter[str] = Counter()
    for name in [*words, *map(" ".join, pairwise(words))]:
        blocks[0][name] = ("words" if " " in name else "word", name)
        times[name] += 1
    for word in words:
        closed = f"<{word}>"
        for n in (3, 4):
            for start in range(len(closed) - n + 1):
                shown = closed[start : start + n]
                name = "~" + shown.replace("<", " ").replace(">", " ")
                blocks[1][name] = ("characters", shown)
                times[name] += 1
    weights = linear.weights.toarray().astype(float)
    row = weights[place[words[0]]]
    one, other = int(row.argmax()), int(row.argmin())
    expected = {("constant", ""): float(linear.bias[one]) - float(linear.bias[other])}
    for block in blocks:
        sizes = {
            name: (1 + math.log(times[name])) * float(rarity[place[name]])
            for name in block
            if name in place
        }
        norm = math.sqrt(sum(size**2 for size in sizes.values()))
        for name, size in sizes.items():
            row = weights[place[name]]
            expected[block[name]] = size / norm * (row[one] - row[other])
    given: defaultdict[tuple[str, str], float] = defaultdict(float)
    summands = linear_summands(vectors, linear, " ".join(words), one, other)
    for summand in summands:
        given[summand.kind, summand.text] += summand.value
    assert dict(given) == pytest.approx(expected, abs=1e-5)
    assert {kind for kind, _ in given} == {"constant", "word", "words", "characters"}
    twice = [s for s in summands if s.text == words[0] and s.kind == "word"]
    assert [s.first for s in twice] == [0, 3]
    assert twice[0].value == twice[1].value != 0
    scores = linear.scores(vectors([" ".join(words)]))[0]
    assert sum(given.values()) == pytest.approx(float(scores[one] - scores[other]), abs=1e-4)
