"""Which addresses a login may send a person on to: paths of this host, and nothing else."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""One slash, then printable ASCII; browsers drop tabs and newlines and read a backslash as /."""

MAX_LENGTH = 2000


def local_path(address: str) -> str:
    """Return ``address`` when it is a path of this host, else ``""``.

    An address with dots that climb, or an encoded slash at its head, is no path of this host
    either: what a proxy or a browser makes of it is not ours to guess.

    Examples
    --------
    >>> local_path("/user/ana/lab/tree/nace/1.ipynb")
    '/user/ana/lab/tree/nace/1.ipynb'
    >>> local_path("//evil.example")
    ''
    """
    if len(address) > MAX_LENGTH or not _LOCAL.fullmatch(address):
        return ""
    path = re.split(r"[?#]", address, maxsplit=1)[0]
    if re.match(r"(?i)/(%2f|%5c|%09|%0a|%0d|\.{0,2}/)", path) or re.search(
        r"(?i)(^|/)(\.|%2e){1,2}(/|$)", path
    ):
        return ""
    return address
