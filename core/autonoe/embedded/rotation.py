"""Keeping log files from filling the disk, without the writers' knowledge."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LIMIT_BYTES = 10 * 1024 * 1024


def rotate(path: Path, *, limit_bytes: int = LIMIT_BYTES) -> bool:
    """Move the content of ``path`` to ``path.1`` when it exceeds ``limit_bytes``.

    The writer keeps its file open, so the content is copied and the file emptied. Writers open it
    for appending; lines that arrive between the two steps are lost, those that follow are not.

    Returns
    -------
    bool
        Whether the file was emptied.
    """
    try:
        if path.stat().st_size <= limit_bytes:
            return False
    except FileNotFoundError:
        return False
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    path.with_name(f"{path.name}.1").chmod(0o600)
    os.truncate(path, 0)
    return True


def tail(path: Path, *, lines: int = 5, limit_bytes: int = 64 * 1024) -> list[str]:
    """Return the last ``lines`` of ``path``; an empty list if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit_bytes))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
