"""What goes into the service and comes out of it, as types that msgspec checks."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from autonoe_nace.serving.errors import ServingError

MAX_BODY_BYTES = 1_048_576
MAX_TEXT_CHARS = 5_000
MAX_RECORDS = 1_000
MAX_TOP_K = 50


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """One activity to code."""

    text: str


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /v1/predict``."""

    records: list[Record]
    top_k: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOP_K)] = 5
    """Number of candidates per record."""
    min_probability: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    """Candidates below this calibrated probability are left out; the best one always stays."""


class CandidateOut(msgspec.Struct):
    """One proposed code."""

    code: str
    title: str
    level: int
    probability: float


class ErrorOut(msgspec.Struct):
    """Why a record, or the whole request, was not answered."""

    code: str
    message: str
    hint: str


NO_USABLE_WORD = ErrorOut(
    "no_usable_word",
    "The text holds no word that says something about an activity.",
    "Send a description of the activity.",
)


class ResultOut(msgspec.Struct, omit_defaults=True):
    """The answer for one record: candidates, or that record's own error."""

    candidates: list[CandidateOut] = []
    confidence: float | None = None
    """Top-1 minus top-2 of the calibrated probabilities, in [0, 1]."""
    auto: bool | None = None
    """True when the confidence reaches the deployment's threshold."""
    error: ErrorOut | None = None


class ModelOut(msgspec.Struct):
    """Which model answered: enough to replay the answer later."""

    name: str
    version: str
    sha256: str
    id: str
    nomenclature: str
    stale: bool
    """True when the registry could not be asked and the last good model answers."""


class PredictAnswer(msgspec.Struct):
    """The answer of ``POST /v1/predict``; ``results`` has the order of ``records``."""

    request_id: str
    model: ModelOut
    threshold: float
    results: list[ResultOut]


_DECODER = msgspec.json.Decoder(PredictRequest)
_TYPES = re.compile(
    r"Expected `(?P<want>[a-z |]{1,40})`, got `(?P<got>[a-z]{1,10})`"
    r"(?: - at `(?P<path>\$[a-z_.\[\]0-9]{0,60})`)?\Z"
)
_LIMIT = re.compile(
    r"Expected `(?P<want>[a-z]{1,10} [<>]=? [0-9.]+)` - at `(?P<path>\$[a-z_.]{0,40})`\Z"
)
_HINT = 'Send {"records": [{"text": "…"}], "top_k": 5, "min_probability": 0}.'


def parse_predict(body: bytes) -> PredictRequest:
    """Return the checked request.

    Raises
    ------
    ServingError
        ``invalid_json`` when it is no JSON text, ``invalid_input`` when it does not have the
        form, ``too_many_records`` beyond 1,000. The message names the field, never its value.
    """
    try:
        request = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise ServingError(_explain(str(error)), hint=_HINT) from None
    except (ValueError, RecursionError, OverflowError):
        # UnicodeDecodeError and DecodeError are ValueErrors; their text may quote the input
        raise ServingError(
            "The body is not valid JSON in UTF-8.", hint=_HINT, code="invalid_json"
        ) from None
    if not request.records:
        raise ServingError("There are no records.", hint=_HINT)
    if len(request.records) > MAX_RECORDS:
        raise ServingError(
            f"At most {MAX_RECORDS} records go into one request; there are {len(request.records)}.",
            hint="Send them in several requests.",
            code="too_many_records",
        )
    return request


def text_error(text: str) -> ErrorOut | None:
    """Return why ``text`` cannot be coded, or None when it can."""
    if len(text) > MAX_TEXT_CHARS:
        return ErrorOut(
            "text_too_long",
            f"A text has at most {MAX_TEXT_CHARS} characters; this one has {len(text)}.",
            "Send the sentence that describes the main activity.",
        )
    # a letter in any script; digits or punctuation alone describe no activity
    if not any(map(str.isalpha, text)):
        return ErrorOut(
            "empty_text", "The text holds no word.", "Send a description of the activity."
        )
    return None


def _explain(detail: str) -> str:
    """Return msgspec's finding only when it holds nothing but types and known places."""
    if found := _TYPES.match(detail):
        place = found["path"] or "the body"
        return f"Expected {found['want']}, found {found['got']} at {place}."
    if found := _LIMIT.match(detail):
        return f"Expected {found['want']} at {found['path']}."
    if detail.startswith("Object missing required field"):
        return "A required field is missing: each record needs text, the body needs records."
    if detail.startswith("Object contains unknown field"):
        return "There is a field that this API does not know."
    return "The body does not have the expected form."
