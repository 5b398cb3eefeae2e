"""The model in use: swapped in one step, so that no request sees half of two models."""

from __future__ import annotations

import asyncio
import logging

from autonoe.errors import AutonoeError, UnavailableError
from autonoe_nace.serving import source
from autonoe_nace.serving.following import Follower, News
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.source import ServedModel

_LOGGER = logging.getLogger(__name__)


class ModelHolder:
    """Holds the current model and, where no other process does, follows its alias.

    Parameters
    ----------
    settings : ServingSettings
        What to serve.
    served : ServedModel, optional
        A model that was loaded already.
    """

    def __init__(self, settings: ServingSettings, served: ServedModel | None = None) -> None:
        self.settings = settings
        self._served = served
        self._problem: AutonoeError | None = None
        self._follower = Follower(settings)

    def load(self) -> None:
        """Look for a model once and load what there is.

        Raises
        ------
        AutonoeError
            If there is none at all; :meth:`current` repeats it.
        """
        self.take(self._follower.look())
        if self._served is None and self._problem is not None:
            raise self._problem

    def take(self, news: News) -> None:
        """Load the model that ``news`` brings; when that fails, the one in use stays."""
        stale = news.stale
        if news.source is not None:
            try:
                self._served = source.open_model(news.source, self.settings)
            except AutonoeError as error:
                _LOGGER.error("The model cannot be loaded: %s", error.message)
                news, stale = News(None, stale=True, problem=error), True
        self._problem = news.problem
        self.mark(stale=stale)

    def fail(self, problem: AutonoeError) -> None:
        """Remember why there is no model, for whoever asks."""
        self._problem = problem

    def mark(self, *, stale: bool) -> None:
        """Mark the model in use."""
        if self._served is not None and self._served.out.stale != stale:
            self._served = self._served.marked(stale=stale)

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
            news = await asyncio.to_thread(self._follower.look)
            await asyncio.to_thread(self.take, news)
            await asyncio.sleep(self._follower.pause_s())
