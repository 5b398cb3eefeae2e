"""Names that a scheme of 32 bits cannot tell apart, found by trying."""

from __future__ import annotations

import hashlib
import itertools


def short_hash(name: str) -> str:
    """Return the eight hexadecimal digits that a 32-bit scheme would tell names apart by."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def ground_pair(stem: str = "Éve") -> tuple[str, str]:
    """Return two names that need a hash and whose 32 bits are the same."""
    seen: dict[str, str] = {}
    for number in itertools.count():
        name = f"{stem} {number:x}"
        first = seen.setdefault(short_hash(name), name)
        if first != name:
            return first, name
    raise AssertionError
