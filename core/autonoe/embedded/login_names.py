"""Which names can log in: those that a page, a path and a log line can all show as they are."""

from __future__ import annotations

import re

from autonoe.errors import InvalidInputError
from autonoe.names import normalise_name

_LOGIN = re.compile(r"\w[\w .@+-]*")
"""JupyterHub writes names into the scripts of its pages: no angle bracket, no quote."""


def login_name(name: str) -> str:
    """Return ``name`` in its one form, if it can be the name of an account.

    Raises
    ------
    InvalidInputError
        If it holds anything but letters, digits, spaces and ``_ - . @ +``, or starts with a sign.
    """
    form = normalise_name(name)
    if not _LOGIN.fullmatch(form):
        raise InvalidInputError(
            f"{name!r} cannot be a login name.",
            hint="Use letters and digits of any script, then also spaces and _ - . @ +",
        )
    return form
