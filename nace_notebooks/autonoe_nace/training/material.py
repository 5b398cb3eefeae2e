"""What is learned from: labelled texts, extra material, titles, at the level of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

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
        Prepared text and code.
    own : int
        Number of samples that come from the data set itself.
    level : int
        Level of the codes to predict.
    sources : list of dict
        ``{"source", "texts", "sha256"}`` of each part, for the card.
    """

    samples: list[tuple[str, str]]
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
    samples = _samples(data.texts, codes, nomenclature, level, prepare)
    own, seen = len(samples), set(samples)
    sources: list[dict[str, str | int]] = [_source(data, own)]
    for part in extra:
        parsed = [nomenclature.parse(code) for code in part.codes]
        fresh = _fresh(_samples(part.texts, parsed, nomenclature, level, prepare), seen)
        samples += fresh
        sources.append(_source(part, len(fresh)))
    if params.titles and nomenclature.language == prepare.rules.language:
        titled = [n for n in nomenclature.nodes.values() if n.level >= CLASS and n.title]
        fresh = _fresh(
            _samples(
                [n.title for n in titled], [n.code for n in titled], nomenclature, level, prepare
            ),
            seen,
        )
        samples += fresh
        sources.append(
            {
                "source": f"Titles of {nomenclature.name}",
                "texts": len(fresh),
                "sha256": nomenclature.sha256,
            }
        )
    if len({code for _, code in samples}) < 2:
        raise InvalidInputError(
            "All texts have the same code; there is nothing to learn.",
            hint="Give texts of at least two codes.",
        )
    return Material(samples, own, level, sources)


def _samples(
    texts: Sequence[str],
    codes: Sequence[str | None],
    nomenclature: Nomenclature,
    level: int,
    prepare: Preparation,
) -> list[tuple[str, str]]:
    """Return prepared texts with codes at ``level``, or broader where the text's code is."""
    out = []
    for text, code in zip(prepare.all(texts), codes, strict=True):
        if not text or code is None:
            continue
        label = nomenclature.ancestor(code, level)
        if label is None:
            below = nomenclature.descendants(code, level)
            label = below[0] if len(below) == 1 else code
        out.append((text, label))
    return out


def _fresh(samples: Sequence[tuple[str, str]], seen: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the samples not in ``seen``, each once, and add them to it."""
    fresh = [sample for sample in dict.fromkeys(samples) if sample not in seen]
    seen.update(fresh)
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
