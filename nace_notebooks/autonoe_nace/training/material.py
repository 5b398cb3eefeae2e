"""What is learned from: labelled texts, extra material, titles, at the level of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Preparation
from autonoe_nace.training.params import TrainingParams

CLASS = 4


@dataclass(frozen=True)
class Material:
    """Prepared texts with labels; the first ``own`` are the data set's, the rest is extra.

    Attributes
    ----------
    samples : list of (str, str)
        Prepared text with its side variables, and code.
    words : list of str
        Prepared text alone, by which near-duplicates are found.
    texts : list of str
        The text as it was typed.
    rows : list of int
        Positions of the data set's own samples in it.
    own : int
        Number of samples that come from the data set itself.
    level : int
        Level of the codes to predict.
    sources : list of dict
        ``{"source", "texts", "sha256"}`` of each part, for the card.
    """

    samples: list[tuple[str, str]]
    words: list[str]
    texts: list[str]
    rows: list[int]
    own: int
    level: int
    sources: list[dict[str, str | int]]


def gather(
    data: Dataset,
    extra: Sequence[Dataset],
    nomenclature: Nomenclature,
    params: TrainingParams,
    prepare: Preparation,
) -> Material:
    """Return the training material.

    Raises
    ------
    InvalidInputError
        If the data set is empty or holds fewer than two codes.
    """
    codes = [nomenclature.parse(code) for code in data.codes]
    levels = Counter(nomenclature.level(code) for code in codes if code)
    if not levels:
        raise InvalidInputError("There is no text to learn from.", hint="Check the input report.")
    level = params.level or levels.most_common(1)[0][0]
    found = _examples(data, codes, nomenclature, level, prepare)
    own, seen = len(found), {(example.sample, example.code) for example in found}
    sources: list[dict[str, str | int]] = [_source(data, own)]
    for part in extra:
        parsed = [nomenclature.parse(code) for code in part.codes]
        fresh = _fresh(_examples(part, parsed, nomenclature, level, prepare), seen)
        found += fresh
        sources.append(_source(part, len(fresh)))
    if params.titles and nomenclature.language == prepare.rules.language:
        fresh = _fresh(_titles(nomenclature, level, prepare), seen)
        found += fresh
        sources.append(
            {
                "source": f"Titles of {nomenclature.name}",
                "texts": len(fresh),
                "sha256": nomenclature.sha256,
            }
        )
    if len({example.code for example in found}) < 2:
        raise InvalidInputError(
            "All texts have the same code; there is nothing to learn.",
            hint="Give texts of at least two codes.",
        )
    return Material(
        samples=[(example.sample, example.code) for example in found],
        words=[example.words for example in found],
        texts=[example.text for example in found],
        rows=[example.row for example in found[:own]],
        own=own,
        level=level,
        sources=sources,
    )


class _Example(NamedTuple):
    """A usable text: as typed, prepared, with side variables; its code; its place in the data."""

    text: str
    words: str
    sample: str
    code: str
    row: int = -1


def _examples(
    data: Dataset,
    codes: Sequence[str | None],
    nomenclature: Nomenclature,
    level: int,
    prepare: Preparation,
) -> list[_Example]:
    """Return the usable texts with codes at ``level``, or broader where the text's code is."""
    out = []
    append = prepare.features.append
    prepared = prepare.all(data.texts)
    rows = zip(data.texts, prepared, codes, data.feature_rows(), strict=True)
    for row, (text, words, code, features) in enumerate(rows):
        if words and code is not None:
            label = _label(code, nomenclature, level)
            out.append(_Example(text, words, append(words, features), label, row))
    return out


def _titles(nomenclature: Nomenclature, level: int, prepare: Preparation) -> list[_Example]:
    titled = [n for n in nomenclature.nodes.values() if n.level >= CLASS and n.title]
    return [
        _Example(node.title, words, words, _label(node.code, nomenclature, level))
        for node in titled
        if (words := prepare(node.title))
    ]


def _label(code: str, nomenclature: Nomenclature, level: int) -> str:
    label = nomenclature.ancestor(code, level)
    if label is None:
        below = nomenclature.descendants(code, level)
        label = below[0] if len(below) == 1 else code
    return label


def _fresh(examples: Sequence[_Example], seen: set[tuple[str, str]]) -> list[_Example]:
    """Return the examples not in ``seen``, each once, and add them to it."""
    fresh = []
    for example in examples:
        key = (example.sample, example.code)
        if key not in seen:
            seen.add(key)
            fresh.append(example)
    return fresh


def _source(data: Dataset, texts: int) -> dict[str, str | int]:
    return {
        "source": _public_name(data.source),
        "texts": texts,
        "sha256": data.sha256,
    }


def _public_name(source: str) -> str:
    """Return ``source`` without the folder of this machine: a model and its card travel."""
    if source.startswith(("/", ".")) or "\\" in source:
        return PurePath(source).name
    return source or "texts given by the caller"
