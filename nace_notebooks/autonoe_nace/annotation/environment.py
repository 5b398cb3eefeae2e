"""Label Studio's own virtual environment, built once from its lock and shared by all who use it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from autonoe.errors import AutonoeError, NotFoundError, UnavailableError

SIDE = Path(__file__).parent / "label_studio_side" / "run.py"
"""The file that this environment's Python runs."""
EMPTY_DATABASE = "empty.sqlite3"
"""A migrated database without rows: made once, copied for each new data folder."""
_READY = ".complete"
_INSTALL_TIMEOUT_S = 1_800
_MIGRATE_TIMEOUT_S = 600
_PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
}

Say = Callable[[str], None]


def lock_file() -> Path:
    """Return the pinned and hashed list of what Label Studio needs.

    Raises
    ------
    NotFoundError
        If this installation came without it.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_requirements", package.parents[1] / "requirements"):
        if (folder / "label-studio.txt").is_file():
            return folder / "label-studio.txt"
    raise NotFoundError(
        "This installation has no lock of Label Studio.", hint="Install Autonoe again."
    )


def cache_folder() -> Path:
    """Return where environments are kept: beside other caches of the account, not of ``HOME``.

    The account's home is asked for, because a session may give itself another ``HOME`` and should
    still find a gigabyte that lies there already.
    """
    if chosen := os.environ.get("AUTONOE_ANNOTATION_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or f"{pwd.getpwuid(os.getuid()).pw_dir}/.cache"
    return Path(base) / "autonoe"


def environment(*, say: Say = lambda _: None) -> Path:
    """Return the folder of the environment, installing it when it is not there yet.

    About 1 GB and half a minute with a warm cache of packages; the next call returns at once. A
    second process that asks meanwhile waits for the first.

    Parameters
    ----------
    say : callable, optional
        Is told what takes time.

    Raises
    ------
    UnavailableError
        If the packages cannot be fetched.
    AutonoeError
        ``install_failed`` when they cannot be installed.
    """
    lock = lock_file()
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    target = cache_folder() / f"label-studio-{digest}"
    if (target / _READY).exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f".{target.name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not (target / _READY).exists():
                say("Installing Label Studio into an environment of its own (once, about 1 GB) …")
                _install(lock, target)
                say("Preparing its database (once) …")
                _prepare(target)
                (target / _READY).touch()
    except OSError as error:
        raise AutonoeError(
            f"The folder {target.parent} cannot be written ({error.strerror}).",
            hint="Set AUTONOE_ANNOTATION_CACHE to a folder with 1 GB of room.",
            code="install_failed",
        ) from error
    return target


def python(folder: Path) -> Path:
    """Return the interpreter of the environment in ``folder``."""
    return folder / "bin" / "python"


def variables(folder: Path, data: Path, *, public_url: str = "") -> dict[str, str]:
    """Return the whole environment of Label Studio's processes; no secret is among it.

    Parameters
    ----------
    folder : Path
        The virtual environment.
    data : Path
        Its data folder.
    public_url : str
        Address by which people reach it through a proxy; empty on this machine only.
    """
    found = {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": str(data),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_DJANGO_DB": "sqlite",
        "LABEL_STUDIO_DEBUG": "false",
        "LABEL_STUDIO_LOG_LEVEL": "WARNING",
        # nothing calls home, and pages may not either
        "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
        "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        "LABEL_STUDIO_SENTRY_DSN": "",
        "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_CONVERTER_DOWNLOAD_RESOURCES": "false",
        "LABEL_STUDIO_LS_CSP_REPORT_ONLY": "false",
        # accounts come from us alone
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
        "LABEL_STUDIO_ENABLE_LOCAL_FILES_STORAGE": "false",
    }
    if public_url:
        host = public_url.split("://", 1)[-1].split("/", 1)[0]
        found["LABEL_STUDIO_HOST"] = public_url.rstrip("/")
        found["LABEL_STUDIO_ALLOWED_HOSTS"] += f",{host.rsplit(':', 1)[0]}"
        if public_url.startswith("https:"):
            found["LABEL_STUDIO_SESSION_COOKIE_SECURE"] = "1"
    return found


def new_data_folder(folder: Path, data: Path) -> None:
    """Make the data folder ``data``, for its owner only, when there is none yet."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = data / "label_studio.sqlite3"
    if not database.exists():
        partial = data / ".label_studio.sqlite3"
        shutil.copyfile(folder / EMPTY_DATABASE, partial)
        partial.chmod(0o600)
        partial.replace(database)


def _install(lock: Path, target: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if uv is None:
        raise AutonoeError(
            "The installer uv is not there.",
            hint="pip install 'autonoe[embedded]'",
            code="install_failed",
        )
    shutil.rmtree(target, ignore_errors=True)
    wanted = [uv, "venv", "--quiet", "--python", sys.executable, str(target)]
    _run(wanted, _MIGRATE_TIMEOUT_S, _uv_settings())
    wanted = [uv, "pip", "install", "--quiet", "--python", str(python(target))]
    wanted += ["--require-hashes", "--compile-bytecode", "--requirement", str(lock)]
    _run(wanted, _INSTALL_TIMEOUT_S, _uv_settings())


def _prepare(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        data = Path(scratch)
        command = [str(python(target)), str(SIDE), "people"]
        _run(command, _MIGRATE_TIMEOUT_S, variables(target, data), given="[]")
        (data / "label_studio.sqlite3").replace(target / EMPTY_DATABASE)


def _run(command: list[str], timeout_s: float, env: dict[str, str], *, given: str = "") -> None:
    try:
        done = subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"{Path(command[0]).name} did not end within {timeout_s / 60:.0f} minutes.",
            hint="Check the connection to the package index, then try again.",
        ) from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AutonoeError(
            f"Label Studio could not be installed: {last[:300]}",
            hint="The package index that pip is configured for is used; check that it answers.",
            code="install_failed",
        )


def _uv_settings() -> dict[str, str]:
    """Return the environment for uv: it does not read what this machine told pip."""
    env = dict(os.environ)
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if find_spec("pip") is None or listing.returncode != 0:
        return env
    for line in listing.stdout.splitlines():
        name, _, value = line.partition("=")
        value = value.strip("'\"")
        key = name.rpartition(".")[2]
        if variable := _PIP_TO_UV.get(key):
            env.setdefault(variable, value.replace("\\n", " "))
        elif key == "find-links" and Path(value).exists():
            env.setdefault("UV_FIND_LINKS", value)
    return env
