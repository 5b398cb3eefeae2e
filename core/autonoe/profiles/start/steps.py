"""The steps of a preparation, in order; each within its time, none able to stop the server."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from autonoe.errors import AutonoeError
from autonoe.profiles.fetching import fetch
from autonoe.profiles.start import packages, repository
from autonoe.profiles.start.children import run
from autonoe.profiles.start.report import Report
from autonoe.profiles.start.wanted import Preparation

LOG = "init.log"
"""Output of the init script, in ``~/.autonoe``."""

_MAX_SCRIPT = 1 << 20
_SECRET = ("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_CLIENT_SECRET")


def run_all(
    wanted: Preparation,
    env: dict[str, str],
    home: Path,
    place: Path,
    report: Report,
    *,
    writable: bool,
) -> dict[str, str]:
    """Run the steps that ``wanted`` names; return ``env`` as they changed it."""
    for step, reason in wanted.refused:
        report.failed(step, reason)
    # What other people wrote runs here: it does not need the server's own token.
    outside = {name: value for name, value in env.items() if name not in _SECRET}
    if wanted.repository:
        if writable:
            folder = _repository(wanted, outside, home, report)
            if folder and env.get("JUPYTERHUB_DEFAULT_URL", "/lab") == "/lab":
                env = {**env, "JUPYTERHUB_DEFAULT_URL": f"/lab/tree/{folder}"}
        else:
            report.failed("repository", "The repository was not cloned: there is no room for it.")
    if wanted.packages:
        if writable:
            found = packages.install(wanted, outside, place, report)
            env = {**env, **found}
            outside = {**outside, **found}
        else:
            report.failed("packages", "No packages were installed: there is no room for them.")
    if wanted.init_script:
        _script(wanted, outside, home, place, report)
    return env


def _repository(wanted: Preparation, env: dict[str, str], home: Path, report: Report) -> str:
    began = time.monotonic()
    try:
        folder, message = repository.bring(
            wanted.repository,
            wanted.branch,
            home / "work",
            env,
            timeout_s=wanted.repository_timeout_s,
        )
    except (AutonoeError, OSError) as error:
        detail = getattr(error, "hint", "")
        message = error.message if isinstance(error, AutonoeError) else str(error)
        elapsed_s = time.monotonic() - began
        report.failed("repository", message, detail=detail, elapsed_s=elapsed_s)
        return ""
    report.done("repository", message, elapsed_s=time.monotonic() - began)
    return folder.relative_to(home).as_posix()


def _script(
    wanted: Preparation, env: dict[str, str], home: Path, place: Path, report: Report
) -> None:
    began = time.monotonic()
    try:
        message = _run_script(wanted, env, home, place)
    except (AutonoeError, OSError) as error:
        message = error.message if isinstance(error, AutonoeError) else str(error)
        detail = getattr(error, "hint", "")
        report.failed("script", message, detail=detail, elapsed_s=time.monotonic() - began)
    else:
        report.done("script", message, elapsed_s=time.monotonic() - began)


def _run_script(wanted: Preparation, env: dict[str, str], home: Path, place: Path) -> str:
    deadline = time.monotonic() + wanted.init_script_timeout_s
    data = fetch(
        wanted.init_script, limit=_MAX_SCRIPT, timeout_s=min(30, wanted.init_script_timeout_s)
    )
    found = hashlib.sha256(data).hexdigest()
    if found != wanted.init_script_sha256:
        raise AutonoeError(
            "The init script was not run: its checksum is not the one that was given.",
            hint=f"expected {wanted.init_script_sha256}\nfound    {found}\n{wanted.init_script}",
        )
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    script = place / "init-script"
    script.unlink(missing_ok=True)
    descriptor = os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    command = [str(script)] if data.startswith(b"#!") else ["/bin/sh", str(script)]
    outcome = run(
        command,
        cwd=home,
        env=env,
        timeout_s=max(1.0, deadline - time.monotonic()),
        log=place / LOG,
    )
    if outcome.timed_out:
        raise AutonoeError(
            f"The init script was ended after {wanted.init_script_timeout_s} s.",
            hint=outcome.tail,
        )
    if outcome.code:
        raise AutonoeError(
            f"The init script failed with exit code {outcome.code}; its log is ~/.autonoe/{LOG}.",
            hint=outcome.tail,
        )
    return f"The init script ran; its log is ~/.autonoe/{LOG}."
