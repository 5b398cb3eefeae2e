"""Bringing a Git repository into the home folder, without ever touching a person's work."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path

from autonoe.errors import AutonoeError
from autonoe.profiles import rules
from autonoe.profiles.start.children import Outcome, run

_SAFE = (
    *("-c", "protocol.allow=never"),
    *("-c", "protocol.https.allow=always"),
    *("-c", "protocol.ssh.allow=always"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "submodule.recurse=false"),
)


def bring(
    url: str, branch: str, parent: Path, env: dict[str, str], *, timeout_s: float
) -> tuple[Path, str]:
    """Clone ``url`` below ``parent``, or bring an existing clone up to date if that is safe.

    Parameters
    ----------
    url, branch : str
        Checked by :mod:`autonoe.profiles.rules`; an empty branch is the repository's default.
    parent : Path
        Folder of clones.
    env : dict
        Variables of git.
    timeout_s : float
        Seconds for everything together.

    Returns
    -------
    tuple of (Path, str)
        The clone, and a sentence about what was done.

    Raises
    ------
    AutonoeError
        If there is no clone, with git's words as the hint.
    """
    git = _Git(env, time.monotonic() + timeout_s, timeout_s)
    place = parent / rules.repository_folder(url)
    parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        return place, _update(git, place, url)
    fresh = Path(tempfile.mkdtemp(prefix=".cloning-", dir=parent))
    try:
        words = ["clone", "--quiet", "--no-recurse-submodules"]
        if branch:
            words += ["--branch", branch]
        done = git(parent, *words, "--", url, str(fresh / "clone"))
        if done.code:
            raise _failed(f"{url} could not be cloned", done)
        # Only a whole clone gets the name: one cut off by the deadline leaves nothing behind.
        (fresh / "clone").rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place, f"{url} was cloned to {_shown(place)}."


def _update(git: _Git, place: Path, url: str) -> str:
    where = _shown(place)
    if not (place / ".git").exists():
        raise AutonoeError(
            f"{where} exists and is no clone: it was left alone.",
            hint="Rename that folder, then start the server again.",
        )
    origin = git(place, "remote", "get-url", "origin")
    if _same(origin.output.strip()) != _same(url):
        raise AutonoeError(
            f"{where} is a clone of another repository: it was left alone.",
            hint=f"found  {_shown_url(origin.output)}\nwanted {url}",
        )
    changed = git(place, "status", "--porcelain", "--untracked-files=no")
    if changed.code or changed.output.strip():
        return f"{where} has changes of yours and was left as it is."
    pulled = git(place, "pull", "--quiet", "--ff-only", "--no-recurse-submodules")
    if pulled.code:
        raise _failed(f"{where} could not be brought up to date and was left as it is", pulled)
    return f"{where} is up to date."


class _Git:
    """Runs git until one deadline for all its calls."""

    def __init__(self, env: dict[str, str], deadline: float, timeout_s: float) -> None:
        self._deadline = deadline
        self._timeout_s = timeout_s
        # An organisation with an authority of its own says so once, for every other client.
        trusted = env.get("SSL_CERT_FILE")
        self._env = {
            **({"GIT_SSL_CAINFO": trusted} if trusted else {}),
            **env,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "SSH_ASKPASS": "",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
            "LC_ALL": "C.UTF-8",
        }

    def __call__(self, folder: Path, *words: str) -> Outcome:
        left = self._deadline - time.monotonic()
        try:
            done = run(["git", *_SAFE, *words], cwd=folder, env=self._env, timeout_s=max(0.1, left))
        except FileNotFoundError as error:
            raise AutonoeError("git is not installed in this server.") from error
        if done.timed_out:
            raise AutonoeError(
                f"git {words[0]} took more than {self._timeout_s:g} s and was ended.",
                hint=done.tail,
            )
        return done


def _failed(what: str, done: Outcome) -> AutonoeError:
    text = done.output
    if "could not read Username" in text or "Authentication failed" in text:
        return AutonoeError(
            f"{what}: it asks for a password, and there is none at this point.", hint=done.tail
        )
    return AutonoeError(f"{what}.", hint=_shown_url(done.tail))


def _same(url: str) -> str:
    return url.strip().rstrip("/").removesuffix(".git")


def _shown(place: Path) -> str:
    return f"~/{place.parent.name}/{place.name}"


def _shown_url(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text.strip())
