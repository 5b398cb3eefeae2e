"""Answers in two versions of a classification, in the API's form; the work is ``recoding``'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

from autonoe.errors import InvalidInputError
from autonoe_nace.model import NaceModel
from autonoe_nace.recoding.answers import Ambiguity, CodePair, DualPrediction
from autonoe_nace.recoding.correspondence import Correspondence
from autonoe_nace.recoding.dual import DualCoder
from autonoe_nace.recoding.sources import OFFICIAL, load_correspondence, partner
from autonoe_nace.serving.schema import AmbiguityOut, CandidateOut, DualOut, PairOut
from autonoe_nace.serving.settings import ServingSettings


@cache
def open_second(folder: str) -> NaceModel:
    """Return the model of the other version: one for all models that this server serves in turn.

    Raises
    ------
    AutonoeError
        If it does not pass its checks.
    """
    return NaceModel.load(folder)


def coder_for(model: NaceModel, settings: ServingSettings) -> DualCoder | None:
    """Return what answers in two versions; None for a server without a correspondence.

    Raises
    ------
    AutonoeError
        If the table cannot be read, or is none of the model's version.
    """
    if not settings.correspondence:
        return None
    second = open_second(settings.second_model) if settings.second_model else None
    return DualCoder(model, _table(model, settings), second=second)


def in_both(
    coder: DualCoder, texts: Sequence[str], features: Sequence[Mapping[str, str]], k: int
) -> list[DualOut | None]:
    """Return the answer for each text with ``k`` codes; None where no word is usable."""
    found = coder.predict(texts, features if any(features) else None, k=k)
    return [_out(one) for one in found]


def _table(model: NaceModel, settings: ServingSettings) -> Correspondence:
    name = model.nomenclature.name
    if settings.correspondence not in OFFICIAL:
        other = settings.correspondence_to or partner(name)
        return load_correspondence(model.nomenclature, other, table=settings.correspondence)
    versions = OFFICIAL[settings.correspondence]
    if name not in versions:
        raise InvalidInputError(
            f"The model {model.id} answers with codes of {name}; the correspondence "
            f"{settings.correspondence} is between {versions[0]} and {versions[1]}.",
            hint="Serve a model of one of these, or give a table of its version by file.",
            code="other_version",
        )
    return load_correspondence(name, partner(name))


def _out(found: DualPrediction) -> DualOut | None:
    if found.pair is None:
        return None
    # the objects of the model have the fields of CandidateOut: a copy of each would only cost
    return DualOut(
        cast("Sequence[CandidateOut]", found.source),
        cast("Sequence[CandidateOut]", found.target),
        _pair(found.pair),
        [_pair(pair) for pair in found.pairs],
        found.source_confidence,
        found.target_confidence,
        _ambiguity(found.ambiguity) if found.ambiguity else None,
    )


def _pair(pair: CodePair) -> PairOut:
    return PairOut(pair.source, pair.target, pair.probability)


def _ambiguity(found: Ambiguity) -> AmbiguityOut:
    return AmbiguityOut(
        found.code,
        str(found.relation),
        cast("Sequence[CandidateOut]", found.candidates),
        found.basis,
        found.why,
    )
