"""Requests and answers of INSEE's coding API, field by field, for the programs written for it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from autonoe_nace.serving.schema import MAX_RECORDS, Share

MAX_ECHOS = 1_000
"""Candidates that may be asked for; 50 are given at most."""

_Side = Annotated[str, msgspec.Meta(max_length=200)]
_Echos = Annotated[
    int, msgspec.Meta(ge=1, le=MAX_ECHOS, description="Candidates; at most 50 are given.")
]
_TopK = Annotated[
    Annotated[int, msgspec.Meta(ge=1, le=MAX_ECHOS)] | None,
    msgspec.Meta(description="Another name of nb_echos_max; goes before it."),
]
_Least = Annotated[
    Share, msgspec.Meta(description="Candidates below it are left out; the best one stays.")
]
_Column = Annotated[
    list[_Side | None], msgspec.Meta(description="One value a row, null when there is none.")
]
_Texts = Annotated[
    list[str | None],
    msgspec.Meta(
        extra_json_schema={"minItems": 1, "maxItems": MAX_RECORDS}, description="One text a row."
    ),
]


class InseeOptions(msgspec.Struct):
    """What goes into the address of every request."""

    nb_echos_max: _Echos = 5
    top_k: _TopK = None
    prob_min: _Least = 0.01

    @property
    def echos(self) -> int:
        """Return how many candidates are wanted."""
        return self.top_k or self.nb_echos_max


class InseeQuery(InseeOptions, kw_only=True):
    """The parameters of ``GET /predict``; others are let pass, as there."""

    text_description: str
    type_liasse: _Side = ""
    nature: _Side = ""
    surface: _Side = ""
    event: _Side = ""


class InseeBatch(msgspec.Struct, kw_only=True):
    """The body of ``POST /predict-batch``: columns of one length."""

    text_description: _Texts
    type_: _Column | None = None
    nature: _Column | None = None
    surface: _Column | None = None
    event: _Column | None = None


class InseeEvaluation(InseeBatch, kw_only=True):
    """The body of ``POST /evaluation``: the same, and the code that a person gave."""

    code: _Column


class InseeForm(msgspec.Struct, kw_only=True):
    """One declaration."""

    description_activity: str
    other_nature_activity: str | None = None
    precision_act_sec_agricole: str | None = None
    type_form: _Side | None = None
    nature: _Side | None = None
    surface: _Side | None = None
    cj: _Side | None = None
    activity_permanence_status: _Side | None = None


class InseeForms(msgspec.Struct):
    """The body of ``POST /predict/``."""

    forms: Annotated[
        list[InseeForm],
        msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": MAX_RECORDS}),
    ]


class EchoOut(msgspec.Struct):
    """One candidate, under its place ``"1"``, ``"2"`` and so on."""

    code: str
    probabilite: float
    libelle: str


Row = Annotated[
    dict[str, dict[str, str | float] | float | str | bool | None],
    msgspec.Meta(
        description='"1", "2" …: code, probabilite, libelle; IC: the confidence; MLversion; '
        "error: why this row was not coded."
    ),
]
"""An answer for one text. ``"1"``, ``"2"`` …: candidates; ``IC``: the confidence; ``MLversion``.

A row that could not be coded has ``error`` in place of the candidates.
"""
