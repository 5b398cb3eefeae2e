"""Which model should answer: the alias is asked again and again, and a bad version refused once."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.model_uri import PREFIX, ModelUri
from autonoe_nace.serving import source
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.source import Source

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """What a look at the registry brought.

    Attributes
    ----------
    source : Source or None
        A model to load in place of the one in use; None to keep that.
    stale : bool
        Whether what answers from now on may be outdated.
    problem : AutonoeError or None
        Why there is no model, or no newer one.
    """

    source: Source | None
    stale: bool
    problem: AutonoeError | None = None


class Follower:
    """Looks for the model to use; it loads none itself, so it can live in a process of its own."""

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self._current: Source | None = None
        self._refused = ""
        self._asked = False

    def look(self) -> News:
        """Ask once; this takes seconds when there is something to fetch.

        The very first look asks nobody when a last good copy is here: a registry that hangs would
        keep people waiting for what could have answered them. The next look is due at once.
        """
        if not self._asked:
            return self._last_good() or self._first()
        assert self._current is not None  # noqa: S101  the registry was asked, so there is one
        if not self.settings.model.startswith(PREFIX):
            return News(None, stale=False)
        uri = ModelUri.parse(self.settings.model)
        try:
            version = uri.version or source.registry_version(uri)
        except AutonoeError as error:
            _LOGGER.warning("%s", error.message)
            return News(None, stale=True, problem=error)
        if version == self._current.version:
            return News(None, stale=False)
        if version == self._refused:
            # a version that failed its checks is not tried again until the alias moves
            return News(None, stale=True)
        return self._fetch(version)

    def pause_s(self) -> float:
        """Return how long to wait until the next look, in seconds."""
        if self._current is not None and not self._asked:
            return 0.0
        # jitter: servers that lost the registry together do not return to it together
        return self.settings.refresh_s * random.uniform(0.8, 1.2)  # noqa: S311

    def _last_good(self) -> News | None:
        """Return the copy on this machine, the first time that it is asked for."""
        if self._current is not None:
            return None
        self._current = source.find_last_good(self.settings)
        return News(self._current, stale=True) if self._current else None

    def _first(self) -> News:
        try:
            found = source.find(self.settings)
        except AutonoeError as error:
            _LOGGER.error("The model cannot be used: %s", error.message)
            # without a copy there is nothing to follow from: all begins anew
            self._asked = self._current is not None
            return News(None, stale=True, problem=error)
        self._asked = True
        if found == self._current:
            return News(None, stale=False)
        self._current = found
        return News(found, stale=False)

    def _fetch(self, version: str) -> News:
        try:
            found = source.find(self.settings)
        except AutonoeError as error:
            _LOGGER.error("Version %s cannot be used: %s", version, error.message)
            # a registry that does not answer says nothing about the version: it is tried again
            self._refused = "" if error.code == UnavailableError.code else version
            return News(None, stale=True, problem=error)
        # the alias can have moved on while the version was fetched
        self._refused = "" if found.version == version else self._refused
        self._current = found
        _LOGGER.info("Version %s answers from now on", found.version)
        return News(found, stale=False)
