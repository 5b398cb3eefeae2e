"""Errors have one public form."""

from __future__ import annotations

import inspect

import pytest

from autonoe import errors
from autonoe.errors import AutonoeError, InvalidInputError, UnavailableError

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, AutonoeError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_form(kind: type[AutonoeError]) -> None:
    error = kind("What went wrong.", hint="What to do.")
    assert error.as_dict() == {
        "error": {"code": kind.code, "message": "What went wrong.", "hint": "What to do."}
    }
    assert str(error) == "What went wrong."


def test_codes_are_different_and_stable() -> None:
    assert {kind.__name__: kind.code for kind in KINDS} == {
        "AutonoeError": "failed",
        "ConflictError": "conflict",
        "ForbiddenError": "forbidden",
        "InvalidInputError": "invalid_input",
        "NotFoundError": "not_found",
        "UnavailableError": "unavailable",
    }


def test_exit_codes() -> None:
    assert InvalidInputError("x").exit_code == 2
    assert UnavailableError("x").exit_code == 1


def test_a_code_of_ones_own_does_not_change_the_class() -> None:
    assert AutonoeError("x", code="special").code == "special"
    assert AutonoeError.code == "failed"
