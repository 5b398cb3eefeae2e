"""The one error hierarchy: a failure that a person can act on has a code, a message, a hint."""

from __future__ import annotations

from typing import Any


class AutonoeError(Exception):
    """Base of all errors that Autonoe raises on purpose.

    Parameters
    ----------
    message : str
        What was wanted and what was found. Never holds a secret or a user's row.
    hint : str, optional
        The next step for the person who reads it.

    Attributes
    ----------
    code : str
        Stable identifier in ``snake_case``; scripts rely on it.
    """

    code = "failed"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code

    def as_dict(self) -> dict[str, Any]:
        """Return the one public form, ``{"error": {"code", "message", "hint"}}``."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class InvalidInputError(AutonoeError):
    """What the caller gave cannot be used; nothing was changed."""

    code = "invalid_input"
    exit_code = 2


class NotFoundError(AutonoeError):
    """The thing asked for does not exist, or its owner is someone else."""

    code = "not_found"


class ConflictError(AutonoeError):
    """The thing exists already, belongs to someone else, or is in use."""

    code = "conflict"


class ForbiddenError(AutonoeError):
    """The identity is known and lacks the right."""

    code = "forbidden"


class UnavailableError(AutonoeError):
    """A component does not answer now; trying later can succeed."""

    code = "unavailable"
