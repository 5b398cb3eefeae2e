"""The catalogue and the site's settings in a hub: read at its start, and again when they change."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import cache
from pathlib import Path

from autonoe.errors import AutonoeError
from autonoe.profiles import site as sites
from autonoe.profiles.catalogue import Catalogue
from autonoe.profiles.sources import Source, builtin_folder

log = logging.getLogger(__name__)

_LOOK_S = 5.0
"""Between two looks at the files' times."""
_FETCH_S = 600.0
"""Between two questions to Git servers and addresses."""


class ProfileList:
    """What people can start here.

    Parameters
    ----------
    file : Path or None
        The site's settings.
    folder : Path or None
        Cache of what was fetched.

    Attributes
    ----------
    catalogue : Catalogue
        The last one that could be read.
    site : Site
        The settings that belong to it.
    problem : AutonoeError or None
        Why there is no catalogue at all: then nothing can be started, since showing the built-in
        one instead could open what the organisation had closed.
    """

    def __init__(self, file: Path | None, folder: Path | None) -> None:
        self.file = file
        self.folder = folder
        self.catalogue = Catalogue()
        self.site = sites.Site()
        self.logo = ""
        self.problem: AutonoeError | None = None
        self._signature: tuple[object, ...] = ()
        self._fetched_at = float("-inf")
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()
        self.read()

    def read(self) -> None:
        """Read everything anew; what cannot be read leaves the last good state in place."""
        self._signature, self._fetched_at = self._stat(), time.monotonic()
        try:
            site = sites.read(self.file if self.file and self.file.exists() else None)
            catalogue = sites.catalogue(site, cache=self.folder)
            logo = sites.logo(self.file, site)
        except (AutonoeError, ValueError) as error:
            told = error if isinstance(error, AutonoeError) else AutonoeError(str(error))
            log.error("The profiles cannot be read: %s", told.message)
            if not len(self.catalogue):
                self.problem = told
            return
        self.site, self.catalogue, self.logo, self.problem = site, catalogue, logo, None
        log.info("%d profiles from %s", len(catalogue), ", ".join(catalogue.sources))

    async def refreshed(self) -> ProfileList:
        """Return this list, read anew if a file changed or remote sources are due."""
        async with self._lock:
            now = time.monotonic()
            if now - self._looked_at > _LOOK_S:
                self._looked_at = now
                remote = any(source.git or source.url for source in self.site.catalogues)
                due = (remote or self.problem) and now - self._fetched_at > _FETCH_S
                if due or await asyncio.to_thread(self._stat) != self._signature:
                    await asyncio.to_thread(self.read)
        return self

    def _stat(self) -> tuple[object, ...]:
        """Return what changes when a local file does."""
        files = [self.file] if self.file else []
        for source in self.site.catalogues:
            files += _files(source)
        found: list[object] = []
        for file in files:
            try:
                status = file.stat()
            except OSError:
                found.append((file, None))
            else:
                found.append((file, status.st_mtime_ns, status.st_size))
        return tuple(found)


def _files(source: Source) -> list[Path]:
    if not (source.builtin or source.directory):
        return []
    folder = builtin_folder() if source.builtin else Path(source.directory)
    return [folder, *sorted(folder.glob("*.y*ml")), *sorted(folder.glob("**/*.svg"))]


@cache
def profile_list(file: Path | None, folder: Path | None) -> ProfileList:
    """Return the one list of this hub; traitlets copies what comes by configuration."""
    return ProfileList(file, folder)
