"""The model in use: swapped in one step, so that no request sees half of two models."""

from __future__ import annotations

import asyncio
import logging
import random

import msgspec

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.model_uri import PREFIX, ModelUri
from autonoe_nace.serving import source
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.source import ServedModel

_LOGGER = logging.getLogger(__name__)


class ModelHolder:
    """Holds the current model and follows its alias in the registry."""

    def __init__(self, settings: ServingSettings) -> None:
        self.settings = settings
        self._served: ServedModel | None = None
        self._problem: AutonoeError | None = None
        self._refused = ""

    def load(self) -> None:
        """Load the model now; when that fails, the one in use or the last good one stays.

        Raises
        ------
        AutonoeError
            If there is none at all; :meth:`current` repeats it.
        """
        try:
            self._served = source.load(self.settings)
        except AutonoeError as error:
            _LOGGER.error("The model cannot be used: %s", error.message)
            if self._served is None:
                self._served = source.load_last_good(self.settings)
            self._problem = error
            if self._served is None:
                raise
            self._mark(stale=True)
        else:
            self._problem = None

    def current(self) -> ServedModel:
        """Return the model that answers now.

        Raises
        ------
        AutonoeError
            ``model_unavailable``, with the reason, while there is none.
        """
        if self._served is not None:
            return self._served
        reason = self._problem.message if self._problem else "It is being loaded."
        raise UnavailableError(
            f"There is no model to answer with. {reason}",
            hint=self._problem.hint if self._problem else "Try again in a few seconds.",
            code="model_unavailable",
        )

    async def follow(self) -> None:
        """Load the model when there is none, then follow the alias until cancelled."""
        while True:
            try:
                await self._refresh()
            except AutonoeError as error:
                _LOGGER.warning("%s", error.message)
            # jitter: servers that lost the registry together do not return to it together
            await asyncio.sleep(self.settings.refresh_s * random.uniform(0.8, 1.2))  # noqa: S311

    async def _refresh(self) -> None:
        served = self._served
        if served is None:
            await asyncio.to_thread(self.load)
            return
        if not self.settings.model.startswith(PREFIX):
            return
        uri = ModelUri.parse(self.settings.model)
        try:
            version = uri.version or await asyncio.to_thread(source.registry_version, uri)
        except AutonoeError:
            self._mark(stale=True)
            raise
        if version == served.out.version:
            self._mark(stale=False)
        elif version != self._refused:
            await asyncio.to_thread(self.load)
            loaded = self.current().out.version
            # a version that failed its checks is not tried again until the alias moves
            self._refused = version if loaded != version else ""
            _LOGGER.info("Version %s answers now", loaded)

    def _mark(self, *, stale: bool) -> None:
        served = self._served
        if served is not None and served.out.stale != stale:
            out = msgspec.structs.replace(served.out, stale=stale)
            self._served = ServedModel(served.model, out)
