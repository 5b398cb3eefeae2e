"""A Debian base without a registry: debootstrap's smallest tree as an image of the local store.

Where a registry is at hand, ``debian:bookworm-slim`` is the base instead; both are Debian's own
packages, and the Dockerfiles cannot tell them apart.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .catalogue import PREFIX, REPOSITORY

SUITE = "bookworm"
REFERENCE = f"{PREFIX}/debian:{SUITE}"

# What nobody reads in a container; dpkg is told to leave it out from then on by install-packages.
_UNWANTED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
    "var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf/templates.dat-old",
    "debootstrap",
)  # fmt: skip


def mirror() -> str:
    """Return the first Debian mirror of this machine's sources, or Debian's own."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("debian*.sources")):
        if found := re.search(r"^URIs:\s*(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            return found.group(1)
    return ""


def build(archive: Path) -> None:
    """Write the tree as a tar file to ``archive``.

    Raises
    ------
    subprocess.CalledProcessError
        If debootstrap fails; its log goes to stderr.
    """
    if shutil.which("debootstrap") is None:
        subprocess.run(
            [REPOSITORY / "scripts/system-package.sh", "debootstrap", "the base image"], check=True
        )
    archive.parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="debian-", dir=archive.parent))
    script = 'debootstrap --variant=minbase --include=ca-certificates "$1" "$2" ${3:+"$3"} >&2'
    try:
        # A mount namespace of its own: what debootstrap mounts ends with it, whatever happens.
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", SUITE, root / "tree", mirror()],
            check=True,
        )
        tree = root / "tree"
        copyrights = root / "copyrights"
        _keep_copyrights(tree, copyrights)
        for name in _UNWANTED:
            path = tree / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        shutil.copytree(copyrights, tree / "usr/share/doc", dirs_exist_ok=True, symlinks=True)
        (tree / "var/log").mkdir(exist_ok=True)
        (tree / "etc/apt/sources.list").unlink(missing_ok=True)
        (tree / "etc/resolv.conf").unlink(missing_ok=True)
        (tree / "etc/hostname").unlink(missing_ok=True)
        partial = archive.with_suffix(".partial")
        subprocess.run(
            ["tar", "--create", "--file", partial, "--numeric-owner", "--sort=name",
             "--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*",
             "--directory", tree, "."],
            check=True,
        )  # fmt: skip
        partial.rename(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _keep_copyrights(tree: Path, destination: Path) -> None:
    for path in (tree / "usr/share/doc").glob("*/copyright"):
        if path.is_symlink() or not path.exists():
            continue
        kept = destination / path.parent.name / "copyright"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept)
