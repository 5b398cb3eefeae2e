"""``POST /v1/evaluate``: how often the deployed model is right on records with known codes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autonoe_nace.model import NaceModel
from autonoe_nace.serving.schema import (
    ErrorOut,
    JudgedOut,
    LabelledRecord,
    LevelOut,
    ProportionOut,
    ResultOut,
)

_Z95 = 1.959963984540054


def unknown_codes(model: NaceModel, records: Sequence[LabelledRecord]) -> list[ErrorOut | None]:
    """Return for each record why it cannot be judged, or None."""
    wrong = ErrorOut(
        "unknown_code",
        "The code is not in the model's nomenclature.",
        "GET /v1/models names the nomenclature.",
    )
    return [None if model.nomenclature.parse(r.code) else wrong for r in records]


def judge(
    model: NaceModel, records: Sequence[LabelledRecord], results: Sequence[ResultOut]
) -> list[JudgedOut]:
    """Return each record's outcome at the model's level."""
    out = []
    for record, result in zip(records, results, strict=True):
        if result.error is not None:
            out.append(JudgedOut(error=result.error))
            continue
        level = min(model.manifest.level, _level(model, record.code))
        true = _at(model, record.code, level)
        given = [_at(model, c.code, level) for c in result.candidates]
        rank = given.index(true) + 1 if true in given else None
        out.append(
            JudgedOut(
                right=rank == 1,
                rank=rank,
                candidate=result.candidates[0],
                confidence=result.confidence,
                auto=result.auto,
            )
        )
    return out


def proportions(
    model: NaceModel, records: Sequence[LabelledRecord], results: Sequence[ResultOut]
) -> dict[str, LevelOut]:
    """Return the accuracy at each level; a code broader than a level does not count there."""
    levels = {}
    for level in model.nomenclature.levels:
        if level > model.manifest.level:
            break
        first = among = n = 0
        for record, result in zip(records, results, strict=True):
            true = _at(model, record.code, level)
            if result.error is not None or true is None:
                continue
            given = [_at(model, c.code, level) for c in result.candidates]
            n += 1
            first += given[0] == true
            among += true in given
        if n:
            levels[str(level)] = LevelOut(n, proportion(first, n), proportion(among, n))
    return levels


def proportion(successes: int, n: int) -> ProportionOut:
    """Return a share with its 95 % interval after Wilson.

    The evaluation package has it too, and much else that the serving image does not hold.
    """
    p, square = successes / n, _Z95 * _Z95
    centre = (p + square / (2 * n)) / (1 + square / n)
    half = _Z95 * math.sqrt(p * (1 - p) / n + square / (4 * n * n)) / (1 + square / n)
    return ProportionOut(p, max(0.0, centre - half), min(1.0, centre + half))


def _level(model: NaceModel, code: str) -> int:
    known = model.nomenclature.parse(code)
    return model.nomenclature.level(known) if known else model.manifest.level


def _at(model: NaceModel, code: str, level: int) -> str | None:
    known = model.nomenclature.parse(code)
    return model.nomenclature.ancestor(known, level) if known else None
