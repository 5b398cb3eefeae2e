"""OCI layouts and archives: read what an image holds, and write the file that a node loads."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast


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
        return _blob(self.folder, digest)

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


def settle(folder: Path, name: str) -> None:
    """Give the image ``name`` of the layout its compressed layers, and remember them.

    Pushing an image to a layout compresses every layer again, a minute for a large image, unless
    a blob with the digest that the store knows, the uncompressed one, is there already. So an
    empty file stands in for each layer that was compressed once, and the manifest is put right.

    Parameters
    ----------
    folder : Path
        The layout into which the image was just pushed.
    name : str
        Its name in the index.
    """
    index = json.loads((folder / "index.json").read_bytes())
    memory = folder / "compressed.json"
    compressed = json.loads(memory.read_bytes()) if memory.exists() else {}
    # A manifest that a push replaced stays in the index without a name.
    index["manifests"] = [entry for entry in index["manifests"] if "annotations" in entry]
    for entry in index["manifests"]:
        if entry["annotations"]["org.opencontainers.image.ref.name"] != name:
            continue
        manifest = json.loads(_blob(folder, entry["digest"]).read_bytes())
        config = json.loads(_blob(folder, manifest["config"]["digest"]).read_bytes())
        layers = []
        for stored, layer in zip(config["rootfs"]["diff_ids"], manifest["layers"], strict=True):
            if layer["digest"] != stored:
                compressed[stored] = layer
                _blob(folder, stored).touch()
            layers.append(compressed[stored])
        content = json.dumps(manifest | {"layers": layers}).encode()
        entry["digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        entry["size"] = len(content)
        _blob(folder, entry["digest"]).write_bytes(content)
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    used = _used(folder, index)
    compressed = {key: layer for key, layer in compressed.items() if layer["digest"] in used}
    memory.write_text(json.dumps(compressed), encoding="utf-8")
    for path in (folder / "blobs" / "sha256").iterdir():
        digest = f"sha256:{path.name}"
        if digest not in used and digest not in compressed:
            path.unlink()


def _used(folder: Path, index: dict[str, Any]) -> set[str]:
    used: set[str] = set()
    for entry in index["manifests"]:
        manifest = json.loads(_blob(folder, entry["digest"]).read_bytes())
        used |= {entry["digest"], manifest["config"]["digest"]}
        used |= {layer["digest"] for layer in manifest["layers"]}
    return used


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def _add(out: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    out.addfile(member, io.BytesIO(content))
