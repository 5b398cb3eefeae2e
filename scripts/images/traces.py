"""Read every layer once: its real size, and whether something of the building machine stayed in it.

Most layers are shared between images, so what was found is remembered by the layer's digest.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from .archive import Layout

_CHUNK = 1 << 22


class TraceFoundError(RuntimeError):
    """A mirror's host, a proxy's or a private certificate is inside an image."""


def inspect(layout: Layout, texts: list[str], memory: Path) -> list[tuple[str, int]]:
    """Return digest and uncompressed size in bytes of every layer; refuse traces of the machine.

    Parameters
    ----------
    layout : Layout
        The image.
    texts : list of str
        What may not occur in configuration or layers; see `machine.private_texts`.
    memory : Path
        Folder that remembers layers already read.

    Raises
    ------
    TraceFoundError
        With the number of the layer; never the text itself, which may be confidential.
    """
    config = json.dumps(layout.config)
    if any(text in config for text in texts):
        raise TraceFoundError(
            f"{layout.reference}: its configuration names this machine's settings"
        )
    memory.mkdir(parents=True, exist_ok=True)
    question = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    found = []
    for number, (digest, path, _) in enumerate(layout.layers(), 1):
        note = memory / f"{digest.rpartition(':')[2]}-{question}"
        if not note.exists():
            size, clean = _read(path, [text.encode() for text in texts])
            if not clean:
                raise TraceFoundError(
                    f"{layout.reference}: layer {number} holds a setting of this machine"
                )
            note.write_text(str(size), encoding="ascii")
        found.append((digest, int(note.read_text(encoding="ascii"))))
    return found


def _read(path: Path, needles: list[bytes]) -> tuple[int, bool]:
    size = 0
    overlap = max((len(needle) for needle in needles), default=1) - 1
    tail = b""
    for chunk in _chunks(path):
        size += len(chunk)
        window = tail + chunk
        if any(needle in window for needle in needles):
            return size, False
        tail = window[-overlap:] if overlap else b""
    return size, True


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
