"""Coders who are played, for lessons: they know the truth and err as people do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from autonoe_nace.annotation.store import GOLD


def played_coder(
    truth: Sequence[str], proposals: Sequence[Sequence[str]], *, error: float = 0.1, seed: int = 1
) -> list[str]:
    """Return the codes that a person could have given.

    Parameters
    ----------
    truth : sequence of str
        The right codes.
    proposals : sequence of sequence of str
        The model's candidates of each text; who errs takes one of them.
    error : float
        Share of texts coded wrongly where there is another candidate, in [0, 1].
    seed : int
        Another seed is another person.
    """
    drawn = np.random.default_rng(seed)
    out = []
    for right, codes in zip(truth, proposals, strict=True):
        others = [code for code in codes if code != right]
        errs = bool(others) and drawn.random() < error
        out.append(str(drawn.choice(others)) if errs else right)
    return out


def gold_rows(sample: pa.Table, codes: Sequence[str], *, name: str) -> pa.Table:
    """Return rows of the gold standard: the texts of a sample with the codes that people settled.

    Parameters
    ----------
    sample : pyarrow.Table
        Rows of :func:`~autonoe_nace.annotation.sampling.draw`.
    codes : sequence of str
        One a row; an empty one means that the text cannot be coded.
    name : str
        Of the round.
    """
    given: dict[str, Any] = {
        "code": list(codes),
        "coder": ["played"] * len(codes),
        "arbiter": [""] * len(codes),
        "round": [name] * len(codes),
        "model_code": sample["code"],
        "model_confidence": sample["confidence"],
        "status": ["coded" if code else "cannot_be_coded" for code in codes],
        "annotated_at": [datetime.now(UTC)] * len(codes),
        "features": [[]] * len(codes),
    }
    columns = [
        pa.array(given[field.name], field.type)
        if isinstance(given.get(field.name), list)
        else (given[field.name] if field.name in given else sample[field.name])
        for field in GOLD
    ]
    return pa.table(columns, names=GOLD.names).cast(GOLD)
