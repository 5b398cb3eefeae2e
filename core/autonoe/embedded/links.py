"""One-time login links: whoever can write into the secrets folder can let someone in, once."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.layout import Layout

DEFAULT_TTL_S = 600
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Ticket:
    """What a redeemed link stands for."""

    account: str
    """Name of the account that is let in."""
    next_path: str
    """Path to go to after the login, chosen by the one who made the link; may be empty."""


def mint(layout: Layout, account: str, *, ttl_s: int = DEFAULT_TTL_S, next_path: str = "") -> str:
    """Return a new ticket for ``account``; only its SHA-256 reaches the disk.

    Parameters
    ----------
    layout : Layout
        The platform's data folder; the caller must be able to write its secrets.
    account : str
        Name of the account.
    ttl_s : int
        Seconds during which the ticket can be redeemed.
    next_path : str
        Path to open after the login, such as ``/user/ana/lab/tree/nace``.

    Raises
    ------
    PermissionError
        If the caller is not the one who owns the platform.
    """
    ticket = secrets.token_urlsafe(32)
    _forget_expired(layout)
    write_json(
        _path(layout, ticket),
        {"account": account, "next_path": next_path, "expires": time.time() + ttl_s},
    )
    return ticket


def redeem(layout: Layout, ticket: str) -> Ticket | None:
    """Return what ``ticket`` stands for, and make it worthless; None if it is not valid (any more).

    Of several callers at once, one gets it: whoever manages to rename the file.
    """
    if not _TICKET.fullmatch(ticket):
        return None
    path = _path(layout, ticket)
    claimed = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.claimed")
    try:
        path.rename(claimed)
    except FileNotFoundError:
        return None
    try:
        document = read_json(claimed)
    finally:
        claimed.unlink(missing_ok=True)
    if not isinstance(document, dict) or document.get("expires", 0) < time.time():
        return None
    return Ticket(str(document["account"]), str(document.get("next_path", "")))


def link(public_url: str, ticket: str) -> str:
    """Return the address that a browser opens to redeem ``ticket``."""
    return f"{public_url}/hub/link?ticket={ticket}"


def _path(layout: Layout, ticket: str) -> Path:
    return layout.tickets / hashlib.sha256(ticket.encode()).hexdigest()


def _forget_expired(layout: Layout) -> None:
    now = time.time()
    for path in layout.tickets.iterdir():
        document = read_json(path)
        if not isinstance(document, dict) or document.get("expires", 0) < now:
            path.unlink(missing_ok=True)
