"""Files that survive a power cut: written beside, flushed to disk, then renamed into place."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes | str, *, mode: int = 0o600) -> None:
    """Replace ``path`` by ``content``, so that a reader sees the old or the new, never a part.

    Parameters
    ----------
    path : Path
        In an existing folder.
    content : bytes or str
        Text is written as UTF-8.
    mode : int
        Permission bits; the temporary file has 0600 from its first moment.
    """
    data = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    # The rename itself lives in the folder: without this, a power cut can undo it.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, document: Any, *, mode: int = 0o600) -> None:
    """Write ``document`` as JSON with :func:`write_atomic`."""
    write_atomic(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n", mode=mode)


def read_json(path: Path) -> Any | None:
    """Return the JSON document in ``path``, or None when it is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError):
        return None
