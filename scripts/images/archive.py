"""OCI layouts and archives: read what an image holds, and write the file that a node loads."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Layout:
    """One image inside an OCI layout folder."""

    folder: Path
    name: str
    reference: str

    @property
    def entry(self) -> dict[str, Any]:
        """The image's entry of ``index.json``."""
        manifests = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        for found in manifests:
            ref = found.get("annotations", {}).get("org.opencontainers.image.ref.name", "")
            if ref == self.name or len(manifests) == 1:
                return cast(dict[str, Any], found)
        raise LookupError(f"{self.folder} holds no image {self.name}")

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest: digests and sizes of configuration and layers."""
        return self._json(self.entry["digest"])

    @property
    def config(self) -> dict[str, Any]:
        """The configuration: user, environment, command, labels, history."""
        return self._json(self.manifest["config"]["digest"])

    def blob(self, digest: str) -> Path:
        """Return the file of a digest."""
        return self.folder / "blobs" / digest.replace(":", "/")

    def layers(self) -> list[tuple[str, Path, int]]:
        """Return digest, file and size in bytes of every layer, lowest first."""
        return [(x["digest"], self.blob(x["digest"]), x["size"]) for x in self.manifest["layers"]]

    def _json(self, digest: str) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.blob(digest).read_bytes()))


def write(layout: Layout, archive: Path) -> None:
    """Write the image as an OCI archive whose index carries the name that containerd imports."""
    entry = layout.entry | {
        "annotations": {
            "io.containerd.image.name": layout.reference,
            "org.opencontainers.image.ref.name": layout.reference,
        }
    }
    index = {"schemaVersion": 2, "manifests": [entry]}
    digests = [entry["digest"], layout.manifest["config"]["digest"]]
    digests += [digest for digest, _, _ in layout.layers()]
    partial = archive.with_suffix(".partial")
    with tarfile.open(partial, "w") as out:
        _add(out, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(out, "index.json", json.dumps(index).encode())
        for digest in dict.fromkeys(digests):
            out.add(layout.blob(digest), f"blobs/{digest.replace(':', '/')}", filter=_plain)
    partial.rename(archive)


def forget_unused(folder: Path) -> None:
    """Remove blobs of ``folder`` that no image of its index refers to."""
    index = json.loads((folder / "index.json").read_bytes())
    used: set[str] = set()
    for entry in index["manifests"]:
        manifest = json.loads((folder / "blobs" / entry["digest"].replace(":", "/")).read_bytes())
        used |= {entry["digest"], manifest["config"]["digest"]}
        used |= {layer["digest"] for layer in manifest["layers"]}
    for path in (folder / "blobs" / "sha256").iterdir():
        if f"sha256:{path.name}" not in used:
            path.unlink()


def contents(layout: Layout) -> dict[str, bytes | None]:
    """Return every path of the image; the content where a bill of materials wants to read it."""
    found: dict[str, bytes | None] = {}
    for _, path, _ in layout.layers():
        for member, read in _members(path):
            name = member.name.removeprefix("./")
            folder, _, leaf = name.rpartition("/")
            if leaf == ".wh..wh..opq":
                _forget(found, f"{folder}/")
            elif leaf.startswith(".wh."):
                gone = f"{folder}/{leaf.removeprefix('.wh.')}"
                found.pop(gone, None)
                _forget(found, f"{gone}/")
            else:
                found[name] = read(member) if member.isfile() and _told(name) else None
    return found


def _told(name: str) -> bool:
    return name == "var/lib/dpkg/status" or name.endswith(".dist-info/METADATA")


def _forget(found: dict[str, bytes | None], prefix: str) -> None:
    for name in [name for name in found if name.startswith(prefix)]:
        del found[name]


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    with tarfile.open(path) as tar:

        def read(member: tarfile.TarInfo) -> bytes:
            stream = tar.extractfile(member)
            return stream.read() if stream else b""

        for member in tar:
            yield member, read


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    out.addfile(member, io.BytesIO(content))
