"""Keys of a served API: the deployer sees a key once, the server keeps only its SHA-256.

A key has 256 random bits, so a plain hash resists guessing; a slow password hash would only slow
each request down. Both the platform that mints keys and the server that checks them use this.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from autonoe.errors import InvalidInputError

PREFIX = "ank_"
"""Makes a leaked key recognisable to secret scanners."""


@dataclass(frozen=True)
class KeyEntry:
    """What is kept of one key: never the key itself."""

    id: str
    """Public name of the key; it goes to logs and usage counts."""
    sha256: str
    created: str
    label: str = ""


def mint(*, label: str = "") -> tuple[str, KeyEntry]:
    """Return a new key and the entry to keep of it; the key cannot be recovered later."""
    key = PREFIX + secrets.token_urlsafe(32)
    entry = KeyEntry(
        id=secrets.token_hex(4),
        sha256=_digest(key),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        label=label,
    )
    return key, entry


def find(entries: tuple[KeyEntry, ...], key: str) -> KeyEntry | None:
    """Return the entry of ``key``, or None; the time taken does not tell how near a guess was."""
    digest = _digest(key)
    found = None
    for entry in entries:
        if hmac.compare_digest(entry.sha256, digest):
            found = entry
    return found


def read(path: Path) -> tuple[KeyEntry, ...]:
    """Return the entries of a key file.

    Raises
    ------
    InvalidInputError
        If the file is missing, not ours, or readable by other people.
    """
    try:
        if _open_to_others(path):
            raise InvalidInputError(
                f"The key file {path.name} is readable by other people.", hint="chmod 600 it."
            )
        return tuple(KeyEntry(**row) for row in json.loads(path.read_text())["keys"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInputError(
            f"The key file {path.name} cannot be read ({type(error).__name__}).",
            hint="Create one with: autonoe nace serve --new-key --key-file FILE",
        ) from error


def write(path: Path, entries: tuple[KeyEntry, ...], *, uid: int = -1, gid: int = -1) -> None:
    """Replace the key file in one step, mode 0600, owned by ``uid`` and ``gid`` when given."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"keys": [asdict(entry) for entry in entries]}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
        if uid >= 0 and os.geteuid() == 0:
            os.fchown(stream.fileno(), uid, gid)
    partial.replace(path)


def _open_to_others(path: Path) -> bool:
    """Return whether more people than us may read or change the file.

    A volume of Kubernetes belongs to root and to the pod's own group, which reads: that is fine.
    """
    status = path.stat()
    mounted = status.st_uid == 0 and status.st_gid in {os.getegid(), *os.getgroups()}
    return bool(status.st_mode & (0o037 if mounted and os.geteuid() != 0 else 0o077))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
