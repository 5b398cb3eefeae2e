"""Extra Python packages, beside those of the image and never in place of them.

What the image has stays as it is: it holds the server, and half of a library's parts exchanged
break in ways that nobody finds. So versions are resolved with everything installed as a
constraint, and only what is missing goes to a folder of the person, behind the image's own.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from importlib.metadata import distributions
from pathlib import Path

from autonoe.profiles.start.children import Outcome, run
from autonoe.profiles.start.report import Report
from autonoe.profiles.start.wanted import Preparation

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)


def install(
    wanted: Preparation, env: dict[str, str], place: Path, report: Report
) -> dict[str, str]:
    """Install ``wanted.packages`` below ``place``; return the variables that make them found."""
    began = time.monotonic()
    target = place / f"packages-{sys.version_info.major}.{sys.version_info.minor}"
    found = {"PYTHONPATH": _appended(env.get("PYTHONPATH", ""), str(target))}
    uv = shutil.which("uv", path=_path(env))
    if uv is None:
        report.failed("packages", "No packages were installed: this image has no `uv`.")
        return {}
    names = ", ".join(wanted.packages)
    try:
        missing, outcome = _resolve(uv, wanted, env, place)
        if outcome is None and missing:
            outcome = _fetch(uv, missing, target, wanted, env, began)
    except OSError as error:
        report.failed("packages", f"No packages were installed: {error.strerror}.")
        return found if target.is_dir() else {}
    elapsed_s = time.monotonic() - began
    if outcome is not None and outcome.timed_out:
        message = f"Installing {names} took more than {wanted.packages_timeout_s} s and was ended."
        report.failed("packages", message, detail=outcome.tail, elapsed_s=elapsed_s)
    elif outcome is not None and outcome.code:
        message = f"{names} could not be installed beside what the image has."
        report.failed("packages", message, detail=outcome.tail, elapsed_s=elapsed_s)
    else:
        told = f"{names}: installed." if missing else f"{names}: the image has them already."
        report.done("packages", told, elapsed_s=elapsed_s)
    return found if target.is_dir() else {}


def _resolve(
    uv: str, wanted: Preparation, env: dict[str, str], place: Path
) -> tuple[list[str], Outcome | None]:
    """Return the pins that the image lacks, or how resolving failed."""
    here = {_plain(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]}
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="resolve-", dir=place) as folder:
        constraints, asked = Path(folder, "constraints.txt"), Path(folder, "asked.txt")
        # A version of the image's own making, such as 1.0+cu128, is not on the index.
        pins = [f"{n}=={v}" for n, v in here.items() if "+" not in v and n != "autonoe"]
        constraints.write_text("\n".join(sorted(pins)), encoding="utf-8")
        asked.write_text("\n".join(wanted.packages), encoding="utf-8")
        pinned = Path(folder, "pinned.txt")
        command = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
        command += ["--python", sys.executable, "--constraint", str(constraints)]
        command += ["--output-file", str(pinned), str(asked)]
        done = run(command, cwd=place, env=env, timeout_s=wanted.packages_timeout_s)
        if done.code or done.timed_out:
            return [], done
        text = pinned.read_text(encoding="utf-8")
    missing = [f"{n}=={v}" for n, v in _NAME.findall(text) if here.get(_plain(n)) != v]
    return missing, None


def _fetch(
    uv: str,
    missing: list[str],
    target: Path,
    wanted: Preparation,
    env: dict[str, str],
    began: float,
) -> Outcome:
    left = max(1.0, wanted.packages_timeout_s - (time.monotonic() - began))
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    command += ["--target", str(target), "--", *missing]
    return run(command, cwd=target.parent, env=env, timeout_s=left)


def _path(env: dict[str, str]) -> str:
    return _appended(env.get("PATH", os.defpath), str(Path(sys.executable).parent))


def _appended(existing: str, more: str) -> str:
    parts = [part for part in existing.split(os.pathsep) if part]
    return os.pathsep.join([*parts, *([] if more in parts else [more])])


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
