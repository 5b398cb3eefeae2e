"""Keeping tickets and tokens that came in an address out of the logs.

JupyterHub and Jupyter Server scrub their access lines, but a refused request is logged once more by
Tornado, with its whole address.
"""

from __future__ import annotations

import logging
import re

_VALUE = re.compile(
    r"""(?ix) ([?&] [^=&\s"']* (?:ticket|token|auth|key|code|state|_xsrf) [^=&\s"']* =)"""
    r"""[^&\s"'#]+"""
)

LOGGING_CONFIG = {
    "filters": {"autonoe-scrub": {"()": "autonoe_hub.scrub.Scrub"}},
    "handlers": {"console": {"filters": ["autonoe-scrub"]}},
}
"""For ``logging_config`` of a Jupyter application; it is merged with the application's own."""


def scrub(text: str) -> str:
    """Return ``text`` with the values of telling query parameters replaced.

    Examples
    --------
    >>> scrub("403 GET /hub/api/users?token=abc&x=1 (127.0.0.1)")
    '403 GET /hub/api/users?token=[secret]&x=1 (127.0.0.1)'
    """
    return _VALUE.sub(r"\1[secret]", text)


class Scrub(logging.Filter):
    """Scrub each record; none is dropped."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the record's message by its scrubbed form, if that differs."""
        message = record.getMessage()
        clean = scrub(message)
        if clean != message:
            record.msg, record.args = clean, ()
        return True
