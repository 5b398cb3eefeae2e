"""Where catalogues come from: this package, a folder, a Git repository, an address."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from autonoe.errors import AutonoeError, InvalidInputError, NotFoundError, UnavailableError
from autonoe.profiles import reading, rules
from autonoe.profiles.catalogue import Catalogue, read_document, read_folder
from autonoe.profiles.fetching import fetch
from autonoe.profiles.model import Line, Part

log = logging.getLogger(__name__)

_TIMEOUT_S = 15
_GIT_TIMEOUT_S = 60
_GIT = (
    *("-c", "protocol.allow=never"),
    *("-c", "protocol.https.allow=always"),
    *("-c", "protocol.ssh.allow=always"),
    # An organisation may keep its catalogue in a repository on a shared disk.
    *("-c", "protocol.file.allow=always"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.symlinks=false"),
    *("-c", "advice.detachedHead=false"),
)

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Source(Part):
    """One catalogue: exactly one of ``builtin``, ``directory``, ``git`` and ``url``."""

    builtin: bool = False
    """The catalogue that ships with Autonoe."""
    directory: Line = ""
    """Folder with ``*.yaml`` files; from the settings file's own folder, if not absolute."""
    git: Line = ""
    """Git repository: ``https://``, ``ssh://`` or an absolute path."""
    branch: Line = ""
    """Branch or tag of the repository; default its own."""
    commit: Commit | None = None
    """Commit that it must be: nothing else is used, whoever moved the branch."""
    path: Line = ""
    """Folder within the repository."""
    url: Line = ""
    """One YAML file, ``https://`` only."""
    sha256: Sha256 | None = None
    """Checksum that the file must have."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [self.builtin, bool(self.directory), bool(self.git), bool(self.url)]
        if sum(kinds) != 1:
            raise ValueError("needs exactly one of builtin, directory, git and url")
        if (self.branch or self.commit or self.path) and not self.git:
            raise ValueError("branch, commit and path belong to git")
        if self.sha256 and not self.url:
            raise ValueError("sha256 belongs to url")
        if self.git and not self.git.startswith("/"):
            rules.repository_url(self.git)
        if self.branch:
            rules.branch(self.branch)
        if self.url:
            rules.script_url(self.url)
        if self.path.startswith("/") or ".." in Path(self.path).parts:
            raise ValueError("path must lie within the repository")
        return self

    def below(self, folder: Path) -> Source:
        """Return this source with a relative directory resolved against ``folder``."""
        if not self.directory:
            return self
        return self.model_copy(update={"directory": str(folder / self.directory)})

    @property
    def key(self) -> str:
        """Name of this source's place in the cache."""
        text = f"{self.git}\0{self.branch}\0{self.url}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def builtin_folder() -> Path:
    """Return the folder of the catalogue that ships with Autonoe, from wheel or source tree.

    Raises
    ------
    NotFoundError
        If the installation holds neither.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_profiles", package.parents[1] / "profiles"):
        if any(folder.glob("*.yaml")):
            return folder
    raise NotFoundError("The built-in profiles are not installed.", hint="Install autonoe again.")


def load(sources: Sequence[Source] = (), *, cache: Path | None = None) -> Catalogue:
    """Return the catalogue that ``sources`` make together.

    Parameters
    ----------
    sources : sequence of Source
        In order; none means the built-in one alone.
    cache : Path, optional
        Folder for what is fetched. With it, a Git server or an address that does not answer is
        replaced by what it said last time.

    Raises
    ------
    CatalogueError
        With file and line of all that is wrong.
    UnavailableError
        If something cannot be fetched and was never fetched before.
    """
    if cache is not None:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _load(sources, cache)
    with tempfile.TemporaryDirectory(prefix="autonoe-profiles-") as folder:
        return _load(sources, Path(folder))


def _load(sources: Sequence[Source], cache: Path) -> Catalogue:
    catalogue = Catalogue()
    for source in sources or (Source(builtin=True),):
        if source.builtin:
            catalogue = read_folder(builtin_folder(), source="profiles", before=catalogue)
        elif source.directory:
            catalogue = read_folder(Path(source.directory), before=catalogue)
        elif source.git:
            folder, shown = _from_git(source, cache / source.key)
            catalogue = read_folder(folder, source=shown, before=catalogue)
        else:
            text = _from_url(source, cache / f"{source.key}.yaml")
            found, removed = read_document(text, source.url)
            later = Catalogue(found.entries, found.categories, (source.url,))
            catalogue = catalogue.followed_by(later, removed)
    return catalogue


def _from_git(source: Source, place: Path) -> tuple[Path, str]:
    """Return the folder with the wanted commit checked out, and how to call it."""
    try:
        commit = _fetch(source, place)
    except UnavailableError as error:
        commit = _head(place) if place.exists() else ""
        if not commit or (source.commit and commit != source.commit):
            raise
        log.warning("%s Using commit %s, fetched earlier.", error.message, commit[:12])
    root = place.resolve()
    folder = (root / source.path).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise InvalidInputError(
            f"{source.git} has no folder {source.path!r} at commit {commit[:12]}.",
            hint="Correct `path` in the site's settings.",
        )
    return folder, f"{source.git}@{commit[:12]}/{source.path}".rstrip("/")


def _fetch(source: Source, place: Path) -> str:
    fresh = Path(tempfile.mkdtemp(prefix=".fetching-", dir=place.parent))
    try:
        _git(fresh, "init", "--quiet")
        wanted = source.commit or source.branch or "HEAD"
        try:
            _git(fresh, "fetch", "--quiet", "--depth=1", "--no-tags", "--", source.git, wanted)
        except UnavailableError:
            if not source.commit:
                raise
            # Some servers hand out branches only: the commit must then be the branch's last.
            _git(
                fresh,
                *("fetch", "--quiet", "--no-tags", "--", source.git),
                source.branch or "HEAD",
            )
        _git(fresh, "checkout", "--quiet", source.commit or "FETCH_HEAD", "--")
        commit = _head(fresh)
        if source.commit and commit != source.commit:
            raise InvalidInputError(
                f"{source.git} gave commit {commit[:12]} instead of {source.commit[:12]}."
            )
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
        return commit
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _head(folder: Path) -> str:
    return _git(folder, "rev-parse", "HEAD").strip()


def _git(folder: Path, *words: str) -> str:
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
    }
    try:
        done = subprocess.run(
            ["git", *_GIT, *words],  # noqa: S607  whichever git the image has
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise AutonoeError("git is not installed here.", hint="Install git.") from error
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"git {words[0]} took more than {_GIT_TIMEOUT_S} s.", hint="Try again later."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        # An address may hold no password here, yet a helper's message could.
        told = re.sub(r"//[^/@\s]*@", "//", last)[:300]
        raise UnavailableError(
            f"git {words[0]} failed: {told}",
            hint="Check the address, the branch and the network of the hub.",
        )
    return done.stdout


def _from_url(source: Source, place: Path) -> str:
    try:
        data = fetch(source.url, limit=reading.MAX_BYTES, timeout_s=_TIMEOUT_S)
    except UnavailableError as error:
        if not place.exists():
            raise
        data = place.read_bytes()
        log.warning("%s Using what it said last time.", error.message)
    found = hashlib.sha256(data).hexdigest()
    if source.sha256 and found != source.sha256:
        raise InvalidInputError(
            f"{source.url} has the checksum {found}, not the one in the site's settings.",
            hint="Read the new file, then write its checksum into the settings.",
        )
    text = reading.decode(data, source.url)
    read_document(text, source.url)  # a broken answer must not replace the last good one
    fresh = place.with_suffix(".new")
    fresh.write_bytes(data)
    fresh.replace(place)
    return text
