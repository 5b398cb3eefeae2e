"""Words for what pydantic found wrong, without what was given: that may be a secret or a row."""

from __future__ import annotations

from pydantic import ValidationError

MOST = 5
"""Mistakes that are named; nobody reads more at once."""


def mistakes(error: ValidationError, *, whole: str = "the document", most: int = MOST) -> str:
    """Return place and reason of the first mistakes, on one line.

    Parameters
    ----------
    error : ValidationError
        What pydantic raised.
    whole : str
        Name of the place of a mistake that is not in one entry.
    most : int
        Mistakes to name.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    said = [f"{'.'.join(map(str, row['loc'])) or whole}: {row['msg']}" for row in found[:most]]
    if len(found) > most:
        said.append(f"and {len(found) - most} more")
    return "; ".join(said)
