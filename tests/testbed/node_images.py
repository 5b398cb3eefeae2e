"""The four images that the node itself needs, written from files."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import ociarchive, versions
from .errors import TestbedError
from .ociarchive import Image
from .places import cache

PAUSE = "localhost/autonoe-testbed/pause:1"
BUSYBOX = "localhost/autonoe-testbed/busybox:1"
COREDNS = f"localhost/autonoe-testbed/coredns:{versions.COREDNS}"
LOCAL_PATH = f"localhost/autonoe-testbed/local-path-provisioner:{versions.LOCAL_PATH}"

_ACCOUNTS = {
    "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n",
    "/etc/group": b"root:x:0:\nuser:x:1000:\n",
}
_FOLDERS = {"/tmp": 0o1777, "/proc": 0o755, "/sys": 0o755, "/dev": 0o755}  # noqa: S108  the image's
_LAYOUT = "1"
"""Counted up when this module changes what is in an image."""


def archive(name: str) -> Path:
    """Return the archive's path in the cache; its name changes with what the image is made of."""
    digest = hashlib.sha256(_LAYOUT.encode() + IMAGES[name][0].encode())
    if name == "pause":
        digest.update((versions.HERE / "pause.c").read_bytes())
    return cache() / f"image-{name}-{digest.hexdigest()[:12]}.tar"


def ensure(name: str) -> Path:
    """Return the archive of one image, which is written if need be.

    Raises
    ------
    TestbedError
        If a program that belongs into it cannot be had.
    """
    if not archive(name).exists():
        make(name)
    return archive(name)


def make(name: str) -> None:
    """Write the archive of one image.

    Raises
    ------
    TestbedError
        If a program that belongs into it cannot be had.
    """
    reference, describe = IMAGES[name]
    target = archive(name)
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix=".image-") as folder:
        image = describe(reference, Path(folder))
        partial = Path(folder) / "image.tar"
        ociarchive.write(image, partial)
        partial.rename(target)


def _pause(reference: str, folder: Path) -> Image:
    program = folder / "pause"
    source = versions.HERE / "pause.c"
    subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, source], check=True)
    return Image(reference, {"/pause": program}, entrypoint=("/pause",), user="65535:65535")


def _busybox(reference: str, folder: Path) -> Image:
    program = _static_busybox(folder)
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return Image(
        reference,
        {"/bin/busybox": program, **_ACCOUNTS},
        links={f"/bin/{name}": "busybox" for name in listed.stdout.split() if name != "busybox"},
        folders={**_FOLDERS, "/root": 0o700},
        command=("/bin/sh",),
    )


def _static_busybox(folder: Path) -> Path:
    """Return a busybox that needs no library: the machine's own, else the one of Debian's package.

    The package is unpacked, not installed: it would replace the machine's own busybox.
    """
    own = shutil.which("busybox")
    if own and b"ld-linux" not in Path(own).read_bytes():
        return Path(own)
    for command in (["apt-get", "download", "busybox-static"], ["dpkg-deb", "-x"]):
        if not shutil.which(command[0]):
            raise TestbedError(
                "The test cluster needs a busybox that is linked statically.",
                hint="Install your distribution's static busybox and put it on PATH.",
            )
    _download(folder)
    package = next(folder.glob("busybox-static_*.deb"))
    subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True)
    return next(path for path in folder.glob("unpacked/**/bin/busybox") if path.is_file())


def _download(folder: Path) -> None:
    # Root downloads as itself: the account of the sandbox may not write into this folder.
    # The lock of scripts/system-package.sh: apt refuses a second caller.
    apt = ["flock", "--timeout", "600", "/run/lock/autonoe-packages", "apt-get"]
    command = [*apt, "-o", "APT::Sandbox::User=root", "download", "busybox-static"]
    for attempt in ([*apt, "update", "--quiet=2"], None):
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            return
        if attempt:
            subprocess.run(attempt, capture_output=True, check=False)
    raise TestbedError(
        f"Debian's package busybox-static could not be fetched: {answer.stderr.strip()[-300:]}",
        hint="Check the machine's package sources, or put a static busybox on PATH.",
    )


def _program(part: str) -> Callable[[str, Path], Image]:
    def describe(reference: str, _: Path) -> Image:
        program = cache() / versions.part(part).key() / "bin" / part
        return Image(
            reference,
            {f"/{part}": program, **_ACCOUNTS},
            folders=_FOLDERS,
            entrypoint=(f"/{part}",),
        )

    return describe


IMAGES: dict[str, tuple[str, Callable[[str, Path], Image]]] = {
    "pause": (PAUSE, _pause),
    "busybox": (BUSYBOX, _busybox),
    "coredns": (COREDNS, _program("coredns")),
    "local-path-provisioner": (LOCAL_PATH, _program("local-path-provisioner")),
}
"""Name → how pods name it, and how it is described."""
