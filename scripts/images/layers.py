"""Read every layer once: its real size, its package metadata, and what the machine left in it.

Most layers are shared between images, so what was found is remembered by the layer's digest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .archive import Layout

_CHUNK = 1 << 20


class TraceFoundError(RuntimeError):
    """A mirror's host, a proxy's or a private certificate is inside an image."""


@dataclass
class Reading:
    """What one layer holds."""

    size: int = 0
    """Bytes of the uncompressed tar."""
    clean: bool = True
    """Whether nothing of the building machine was found."""
    metadata: dict[str, str] = field(default_factory=dict)
    """Content of the files that name packages, by path."""
    removed: list[str] = field(default_factory=list)
    """Paths of lower layers that this one takes away; a folder ends with a slash."""


def read(layout: Layout, texts: list[str], memory: Path) -> list[tuple[str, Reading]]:
    """Return digest and content of every layer, lowest first; refuse traces of the machine.

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
        raise TraceFoundError(f"{layout.reference}: its configuration names this machine")
    memory.mkdir(parents=True, exist_ok=True)
    question = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    found = []
    for number, (digest, path, _) in enumerate(layout.layers(), 1):
        note = memory / f"{digest.rpartition(':')[2]}-{question}.json"
        if note.exists():
            reading = Reading(**json.loads(note.read_bytes()))
        else:
            reading = _read(path, [text.encode() for text in texts])
            note.write_text(json.dumps(asdict(reading)), encoding="utf-8")
        if not reading.clean:
            raise TraceFoundError(f"{layout.reference}: layer {number} names this machine")
        found.append((digest, reading))
    return found


def merged(readings: list[Reading]) -> dict[str, str]:
    """Return the package metadata of the whole image: upper layers replace and remove."""
    files: dict[str, str] = {}
    for reading in readings:
        for gone in reading.removed:
            files = {
                path: text
                for path, text in files.items()
                if path != gone and not path.startswith(gone.rstrip("/") + "/")
            }
        files |= reading.metadata
    return files


class _Watched(io.RawIOBase):
    """A stream that counts and searches what is read through it."""

    def __init__(self, stream: io.BufferedIOBase, needles: list[bytes]) -> None:
        self._stream = stream
        self._needles = needles
        self._overlap = max((len(needle) for needle in needles), default=1) - 1
        self._tail = b""
        self.size = 0
        self.clean = True

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self.size += len(chunk)
        window = self._tail + chunk
        self.clean = self.clean and not any(needle in window for needle in self._needles)
        self._tail = window[-self._overlap :] if self._overlap else b""
        return chunk


def _read(path: Path, needles: list[bytes]) -> Reading:
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    reading = Reading()
    with gzip.open(path) if packed else path.open("rb") as stream:
        watched = _Watched(stream, needles)
        with tarfile.open(fileobj=watched, mode="r|", bufsize=_CHUNK) as tar:
            for member in tar:
                _note(tar, member, reading)
        while watched.read(_CHUNK):  # what follows the tar's end mark
            pass
    reading.size, reading.clean = watched.size, watched.clean
    return reading


def _note(tar: tarfile.TarFile, member: tarfile.TarInfo, reading: Reading) -> None:
    name = member.name.removeprefix("./")
    folder, _, leaf = name.rpartition("/")
    if leaf == ".wh..wh..opq":
        reading.removed.append(f"{folder}/")
    elif leaf.startswith(".wh."):
        reading.removed.append(f"{folder}/{leaf.removeprefix('.wh.')}")
    elif member.isfile() and (
        name == "var/lib/dpkg/status" or name.endswith(".dist-info/METADATA")
    ):
        stream = tar.extractfile(member)
        reading.metadata[name] = stream.read().decode(errors="replace") if stream else ""
