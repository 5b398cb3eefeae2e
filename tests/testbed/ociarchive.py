"""OCI image archives straight from files: no registry, no daemon, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

_MEDIA = "application/vnd.oci.image"


@dataclass(frozen=True)
class Image:
    """A small image: programs, links to them, and folders."""

    name: str
    files: dict[str, Path | bytes]
    """Path in the image → file on this machine, or its content."""
    links: dict[str, str] = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)
    """Path in the image → mode."""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


def write(image: Image, target: Path) -> None:
    """Write ``image`` as an archive that ``ctr`` and ``kind load image-archive`` take."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in _entries(image):
            tar.addfile(entry, io.BytesIO(content) if content is not None else None)
    blobs: dict[str, bytes] = {}
    layer_descriptor = _add(blobs, layer.getvalue(), f"{_MEDIA}.layer.v1.tar")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "WorkingDir": "/",
            "User": image.user,
            "Entrypoint": list(image.entrypoint),
            "Cmd": list(image.command),
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_descriptor["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA}.manifest.v1+json",
        "config": _add(blobs, _json(config), f"{_MEDIA}.config.v1+json"),
        "layers": [layer_descriptor],
    }
    described = _add(blobs, _json(manifest), f"{_MEDIA}.manifest.v1+json")
    described["annotations"] = {
        "io.containerd.image.name": image.name,
        "org.opencontainers.image.ref.name": image.name,
    }
    with tarfile.open(target, "w") as tar:
        _put(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _put(tar, "index.json", _json({"schemaVersion": 2, "manifests": [described]}))
        for digest, content in blobs.items():
            _put(tar, f"blobs/sha256/{digest.removeprefix('sha256:')}", content)


def described(archive: Path) -> dict[str, str]:
    """Return name → digest of the images that an OCI archive holds, without reading its layers."""
    with tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        if index is None:
            message = f"{archive} is no OCI archive: it has no index.json."
            raise ValueError(message)
        manifests = json.load(index)["manifests"]
    names = {}
    for manifest in manifests:
        notes = manifest.get("annotations", {})
        for key in ("io.containerd.image.name", "org.opencontainers.image.ref.name"):
            if key in notes:
                names[notes[key]] = manifest["digest"]
                break
    return names


def _entries(image: Image) -> Iterator[tuple[tarfile.TarInfo, bytes | None]]:
    folders = dict(image.folders)
    for path in [*image.files, *image.links]:
        for parent in PurePosixPath(path).parents:
            if str(parent) not in ("/", "."):
                folders.setdefault(str(parent), 0o755)
    for path in sorted(folders):
        entry = _entry(path)
        entry.type, entry.mode = tarfile.DIRTYPE, folders[path]
        yield entry, None
    for path, source in image.files.items():
        content = source if isinstance(source, bytes) else source.read_bytes()
        entry = _entry(path)
        entry.mode, entry.size = (0o644 if isinstance(source, bytes) else 0o755), len(content)
        yield entry, content
    for path, to in image.links.items():
        entry = _entry(path)
        entry.type, entry.linkname = tarfile.SYMTYPE, to
        yield entry, None


def _entry(path: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.mtime = 0
    return entry


def _add(blobs: dict[str, bytes], content: bytes, media_type: str) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blobs[digest] = content
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
