"""A home folder that cannot be written to: full, or read-only. The server starts all the same."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("autonoe.start")

_PROBE = 256 * 1024
"""Bytes: about what a Jupyter server writes on its own before anyone opens a notebook."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class HomeState:
    """Whether the home folder takes what a server has to write."""

    writable: bool
    message: str = ""
    detail: str = ""


def check(home: Path) -> HomeState:
    """Write, flush and remove a small file in ``home``."""
    probe = home / f".autonoe-probe-{os.getpid()}"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with probe.open("wb") as file:
            # Network disks say that they are full when the file is flushed, not before.
            file.write(b"\0" * _PROBE)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        detail = f"{home}: {error.strerror}"
        if error.errno in _FULL:
            return HomeState(False, "Your home folder is full.", detail)
        return HomeState(False, "Your home folder cannot be written to.", detail)
    finally:
        with suppress(OSError):
            probe.unlink()
    return HomeState(True)


def redirect(env: dict[str, str], home: Path) -> tuple[dict[str, str], Path]:
    """Return variables that send what a server writes by itself to a temporary folder.

    ``HOME`` stays: the person came to clear it up. Their configuration and kernels are still read
    from there.

    Returns
    -------
    tuple of (dict, Path)
        The variables, and a folder for what would have gone to ``~/.autonoe``.
    """
    place = _temporary()
    data = env.get("JUPYTER_DATA_DIR") or str(home / ".local/share/jupyter")
    config = env.get("JUPYTER_CONFIG_DIR") or str(home / ".jupyter")
    changed = {
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "XDG_CACHE_HOME": "cache",
        "MPLCONFIGDIR": "matplotlib",
    }
    for folder in changed.values():
        (place / folder).mkdir(mode=0o700, exist_ok=True)
    settings = env.get("JUPYTERLAB_SETTINGS_DIR") or f"{config}/lab/user-settings"
    with suppress(OSError, shutil.Error):
        # Lab both reads and writes its settings in one place.
        shutil.copytree(settings, place / "settings", dirs_exist_ok=True)
    return {
        **env,
        **{name: str(place / folder) for name, folder in changed.items()},
        "TMPDIR": str(place),
        "JUPYTER_PATH": _joined(env.get("JUPYTER_PATH", ""), data),
        "JUPYTER_CONFIG_PATH": _joined(env.get("JUPYTER_CONFIG_PATH", ""), config),
        "AUTONOE_HOME_UNWRITABLE": "1",
    }, place


def _temporary() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp", "/dev/shm", "/var/tmp"):  # noqa: S108  folders of 0700 are made below
        try:
            return Path(tempfile.mkdtemp(prefix="autonoe-start-", dir=parent))
        except OSError as error:
            log.warning("%s cannot hold temporary files: %s", parent, error.strerror)
    raise OSError(errno.ENOSPC, "no folder for temporary files")


def _joined(existing: str, more: str) -> str:
    return os.pathsep.join([*(p for p in existing.split(os.pathsep) if p), more])
