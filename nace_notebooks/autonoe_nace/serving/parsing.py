"""From a request's bytes to a checked value; what is wrong is said without repeating it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.schema import (
    MAX_EXPLAINED,
    MAX_RECORDS,
    MAX_TEXT_CHARS,
    ErrorOut,
    PredictRequest,
)

T = TypeVar("T")

_TYPES = re.compile(
    r"Expected `(?P<want>[a-z |]{1,40})`, got `(?P<got>[a-z]{1,10})`"
    r"(?: - at `(?P<path>\$[a-z_.\[\]0-9]{0,60})`)?\Z"
)
_LIMIT = re.compile(
    r"Expected `(?P<want>[a-z]{1,10} [<>]=? [0-9.]+)` - at `(?P<path>\$[a-z_.\[\]0-9]{0,60})`\Z"
)
_LENGTH = re.compile(
    r"Expected `(?P<want>[a-z]{1,10}) of length (?P<limit>[<>]=? [0-9]+)`"
    r" - at `(?:key in )?`?(?P<path>\$[a-z_.\[\]0-9]{0,60})`\Z"
)
_MAX_PARAMETERS = 30


def body_parser(kind: type[T], *, hint: str) -> Callable[[bytes], T]:
    """Return a function from a JSON body to ``kind``.

    It raises :class:`ServingError`: ``invalid_json`` when the body is no JSON text,
    ``invalid_input`` when it has not the form. The message names the field, never its value.
    """
    decode = msgspec.json.Decoder(kind).decode

    def parse(body: bytes) -> T:
        try:
            return decode(body)
        except msgspec.ValidationError as error:
            raise ServingError(_explain(str(error)), hint=hint) from None
        except (ValueError, RecursionError, OverflowError):
            # UnicodeDecodeError and DecodeError are ValueErrors; their text may quote the input
            raise ServingError(
                "The body is not valid JSON in UTF-8.", hint=hint, code="invalid_json"
            ) from None

    return parse


def query_parser(kind: type[T], *, hint: str) -> Callable[[bytes], T]:
    """Return a function from the part of an address after ``?`` to ``kind``.

    Numbers may be written as text. A parameter that is given twice counts as given last.
    """

    def parse(query: bytes) -> T:
        try:
            pairs = parse_qsl(
                query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MAX_PARAMETERS,
            )
        except ValueError:
            raise ServingError(
                "The parameters are not valid UTF-8, or too many.", hint=hint, code="invalid_json"
            ) from None
        try:
            return msgspec.convert(dict(pairs), kind, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            raise ServingError(_explain(str(error), body=False), hint=hint) from None

    return parse


_predict = body_parser(
    PredictRequest, hint='Send {"records": [{"text": "…"}], "top_k": 5, "min_probability": 0}.'
)


def parse_predict(body: bytes) -> PredictRequest:
    """Return the checked body of ``POST /v1/predict``.

    Raises
    ------
    ServingError
        ``invalid_json``, ``invalid_input`` or ``too_many_records``.
    """
    request = _predict(body)
    check_count(request.records)
    if request.explain and len(request.records) > MAX_EXPLAINED:
        raise _too_many(MAX_EXPLAINED, len(request.records), what="are explained in")
    return request


def check_count(records: Sequence[Any]) -> None:
    """Refuse no records, and more than one request may hold.

    Raises
    ------
    ServingError
        ``invalid_input`` or ``too_many_records``.
    """
    if not records:
        raise ServingError("There are no records.", hint="Send one record at least.")
    if len(records) > MAX_RECORDS:
        raise _too_many(MAX_RECORDS, len(records), what="go into")


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


def _too_many(limit: int, found: int, *, what: str) -> ServingError:
    return ServingError(
        f"At most {limit} records {what} one request; there are {found}.",
        hint="Send them in several requests.",
        code="too_many_records",
    )


def _explain(detail: str, *, body: bool = True) -> str:
    """Return msgspec's finding only when it holds nothing but types and known places."""
    whole = "the body" if body else "the parameters"
    if found := _TYPES.match(detail):
        place = found["path"] or whole
        return f"Expected {found['want']}, found {found['got']} at {place}."
    if found := _LIMIT.match(detail):
        return f"Expected {found['want']} at {found['path']}."
    if found := _LENGTH.match(detail):
        return f"Expected {found['want']} of length {found['limit']} at {found['path']}."
    if detail.startswith("Object missing required field"):
        return f"A required field is missing in {whole}."
    if detail.startswith("Object contains unknown field"):
        return "There is a field that this API does not know."
    return f"{whole.capitalize()} {'does' if body else 'do'} not have the expected form."
