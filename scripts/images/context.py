"""The build context: a folder with the wheel and the few files that Dockerfiles may copy."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from .catalogue import FOLDERS, REPOSITORY, Image


def stage(folder: Path) -> None:
    """Fill ``folder``: our wheel, built once, the locked requirements and the images' own files."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("requirements", *FOLDERS.values()):
        shutil.copytree(
            REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    # The same content gives the same bytes, as hatchling writes no times: nothing is built again.
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "wheel"],
        cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        timeout=600,
    )  # fmt: skip


def fingerprint(image: Image, context: Path, parents: dict[str, str]) -> str:
    """Return a digest of all that ``image`` is made of.

    Parameters
    ----------
    image : Image
        One of the catalogue.
    context : Path
        The staged folder.
    parents : dict of str to str
        Fingerprints of the images that it stands on.
    """
    digest = hashlib.sha256()
    for name in image.parents:
        digest.update(f"{name}={parents[name]}\n".encode())
    dockerfile = image.dockerfile.relative_to(REPOSITORY)
    _add(digest, context, (str(dockerfile), *image.sources))
    return digest.hexdigest()


def mounted(image: Image, context: Path, parents: dict[str, str]) -> str:
    """Return a digest of what the instructions of ``image`` mount, empty if they mount nothing.

    buildah does not look into a mount when it decides whether an earlier layer will do.
    """
    tools = parents["builder"] if "builder" in image.parents else ""
    if not tools and not image.mounted:
        return ""
    digest = hashlib.sha256(tools.encode())
    _add(digest, context, image.mounted)
    return digest.hexdigest()


def _add(digest: hashlib._Hash, context: Path, sources: tuple[str, ...]) -> None:
    for source in sources:
        path = context / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file():
                relative = file.relative_to(context)
                mode = file.stat().st_mode & 0o111
                digest.update(f"{relative} {bool(mode)}\n".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
