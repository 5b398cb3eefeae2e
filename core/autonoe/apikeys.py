"""Keys of a served API: the deployer sees a key once, the server keeps only its SHA-256.

A key has 256 random bits, so a plain hash resists guessing; a slow password hash would only slow
each request down. Both the platform that mints keys and the server that checks them use this.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
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
    rate_per_s: float = 0.0
    """Requests per second that the key may send; 0 for the server's default."""
    records_per_day: int = 0
    """Records that it may have coded a day (UTC); 0 for the server's default."""


def mint(
    *, label: str = "", rate_per_s: float = 0.0, records_per_day: int = 0
) -> tuple[str, KeyEntry]:
    """Return a new key and the entry to keep of it; the key cannot be recovered later."""
    key = PREFIX + secrets.token_urlsafe(32)
    entry = KeyEntry(
        id=secrets.token_hex(4),
        sha256=digest(key),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        label=label,
        rate_per_s=rate_per_s,
        records_per_day=records_per_day,
    )
    return key, entry


def find(entries: tuple[KeyEntry, ...], key: str) -> KeyEntry | None:
    """Return the entry of ``key``, or None; the time taken does not tell how near a guess was."""
    wanted = digest(key)
    found = None
    for entry in entries:
        if hmac.compare_digest(entry.sha256, wanted):
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
            hint="Create one with: autonoe nace keys create --key-file FILE",
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


@contextmanager
def editing(path: Path) -> Iterator[list[KeyEntry]]:
    """Yield the entries of ``path`` to change; the file is written at the end, in one step.

    Two that edit at once take turns, so that no key is lost. A missing file counts as empty.

    Raises
    ------
    InvalidInputError
        If the file is not ours, or readable by other people.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        entries = list(read(path)) if path.exists() else []
        before = tuple(entries)
        yield entries
        if tuple(entries) != before:
            write(path, tuple(entries))
    finally:
        os.close(folder)


def _open_to_others(path: Path) -> bool:
    """Return whether more people than us may read or change the file.

    A volume of Kubernetes belongs to root and to the pod's own group, which reads: that is fine.
    """
    status = path.stat()
    mounted = status.st_uid == 0 and status.st_gid in {os.getegid(), *os.getgroups()}
    return bool(status.st_mode & (0o037 if mounted and os.geteuid() != 0 else 0o077))


def digest(key: str | bytes) -> str:
    """Return what is kept of ``key``."""
    raw = key if isinstance(key, bytes) else key.encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()
