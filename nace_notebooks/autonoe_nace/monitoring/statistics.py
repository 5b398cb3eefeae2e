"""The first form of these questions, as notebooks and scripts know it."""

from __future__ import annotations

from typing import Any

from autonoe_nace.monitoring import daily
from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import Selection
from autonoe_nace.monitoring.source import Logs


class PredictionStatistics:
    """Counts and rates of the predictions below one address.

    Parameters
    ----------
    uri : str
        Where :func:`autonoe_nace.logs.etl.run` wrote to: ``s3://bucket/prefix`` or a folder.

    Raises
    ------
    NotFoundError
        If there is no log yet.
    UnavailableError
        If the store cannot be read.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.logs = Logs(uri)

    def deployments(self) -> list[str]:
        """Return the names of the deployments that logged something."""
        return self.logs.deployments()

    def per_day(self, *, deployment: str | None = None) -> list[dict[str, Any]]:
        """Return requests, predictions, errors and latency (ms) of each day (UTC)."""
        return daily.per_day(self.logs, Selection(deployment=deployment))

    def automatic(self, threshold: float, *, deployment: str | None = None) -> Rate:
        """Return the share of predictions that ``threshold`` would code automatically."""
        return daily.automatic(self.logs, threshold, Selection(deployment=deployment))

    def automatic_per_day(
        self, threshold: float, *, deployment: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the share of each day (UTC) with its interval: date, rate, low, high, n."""
        return daily.automatic_per_day(self.logs, threshold, Selection(deployment=deployment))

    def confidence(self, *, deployment: str | None = None, width: int = 5) -> list[dict[str, Any]]:
        """Return the distribution of the index: lower bound and number of each class.

        Parameters
        ----------
        deployment : str, optional
            Of one deployment only.
        width : int
            Width of a class in hundredths.
        """
        return daily.distribution(self.logs, Selection(deployment=deployment), width=width)
