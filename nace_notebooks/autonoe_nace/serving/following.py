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

    def look(self) -> News:
        """Ask once; this takes seconds when there is something to fetch."""
        if self._current is None:
            return self._first()
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
        # jitter: servers that lost the registry together do not return to it together
        return self.settings.refresh_s * random.uniform(0.8, 1.2)  # noqa: S311

    def _first(self) -> News:
        try:
            self._current = source.find(self.settings)
        except AutonoeError as error:
            _LOGGER.error("The model cannot be used: %s", error.message)
            self._current = source.find_last_good(self.settings)
            return News(self._current, stale=True, problem=error)
        return News(self._current, stale=False)

    def _fetch(self, version: str) -> News:
        assert self._current is not None  # noqa: S101  look() checked
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
