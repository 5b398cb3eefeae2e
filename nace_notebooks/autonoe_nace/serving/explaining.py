"""An explanation of one answer, in the API's form."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from autonoe_nace.model import NaceModel
from autonoe_nace.serving.schema import ExplanationOut

TOP = 10
"""Contributions that are given, the largest first."""


def explain(model: NaceModel, text: str, features: Mapping[str, str]) -> ExplanationOut:
    """Return why the first candidate leads over the second."""
    found = model.explain(text, features or None, top=TOP)
    return msgspec.convert(found, ExplanationOut, from_attributes=True)
