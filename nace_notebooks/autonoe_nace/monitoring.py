"""Numbers of the prediction logs: DuckDB over the Parquet of the object store.

The logs are read once into a small cube (day x hundredth of the confidence index x outcome), so
that a slider answers in milliseconds whatever the number of predictions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.dataset as ds
from pyarrow import fs

from autonoe.errors import InvalidInputError, NotFoundError, UnavailableError

_CUBE = """
CREATE TABLE cube AS
SELECT date, deployment, error <> '' AS failed,
       CAST(least(100, floor(confidence * 100 + 1e-9)) AS INTEGER) AS hundredth,
       count(*) AS n
FROM logs GROUP BY ALL
"""
_REQUESTS = """
CREATE TABLE requests AS
SELECT date, deployment, count(DISTINCT request_id) AS requests, count(*) AS predictions,
       count(*) FILTER (error <> '') AS errors,
       quantile_cont(latency_ms, 0.5) AS latency_p50_ms,
       quantile_cont(latency_ms, 0.99) AS latency_p99_ms
FROM logs GROUP BY ALL
"""
_WANTED = "(CAST($deployment AS VARCHAR) IS NULL OR deployment = $deployment)"
_Z = 1.959963984540054


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % Wilson interval."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, successes: int, n: int) -> Rate:
        """Return the share ``successes / n``; 0 with the interval 0 to 1 when ``n`` is 0."""
        if n == 0:
            return cls(0.0, 0.0, 1.0, 0)
        p = successes / n
        centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return cls(p, max(0.0, centre - half), min(1.0, centre + half), n)

    def __str__(self) -> str:
        """Return it as people read it: ``63.2 % (61.0 to 65.3 %)``."""
        value, low, high = (100 * part for part in (self.value, self.low, self.high))
        return f"{value:.1f} % ({low:.1f} to {high:.1f} %)"


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
        self._db = duckdb.connect(":memory:")
        # texts and labels of strangers are in the logs: no query may reach for files or settings
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")
        try:
            self._db.register("logs", _dataset(uri))
            self._db.execute(_CUBE)
            self._db.execute(_REQUESTS)
        except (OSError, duckdb.Error) as error:
            raise UnavailableError(
                f"The logs at {uri} cannot be read ({type(error).__name__}).",
                hint="`autonoe credentials status` shows which buckets this account reaches.",
            ) from error
        self._db.unregister("logs")

    def deployments(self) -> list[str]:
        """Return the names of the deployments that logged something."""
        rows = self._rows("SELECT DISTINCT deployment FROM cube ORDER BY 1")
        return [str(row["deployment"]) for row in rows]

    def per_day(self, *, deployment: str | None = None) -> list[dict[str, Any]]:
        """Return requests, predictions, errors and latency (ms) of each day (UTC)."""
        return self._rows(
            f"SELECT date, sum(requests) AS requests, sum(predictions) AS predictions, "  # noqa: S608
            "sum(errors) AS errors, "
            # of several deployments the slowest counts
            "max(latency_p50_ms) AS latency_p50_ms, max(latency_p99_ms) AS latency_p99_ms "
            f"FROM requests WHERE {_WANTED} GROUP BY date ORDER BY date",
            deployment=deployment,
        )

    def automatic(self, threshold: float, *, deployment: str | None = None) -> Rate:
        """Return the share of predictions that ``threshold`` would code automatically.

        Parameters
        ----------
        threshold : float
            Confidence in [0, 1], in hundredths.
        deployment : str, optional
            Of one deployment only.
        """
        row = self._rows(
            "SELECT coalesce(sum(n) FILTER (hundredth >= $hundredth), 0) AS auto, "  # noqa: S608
            f"coalesce(sum(n), 0) AS n FROM cube WHERE NOT failed AND {_WANTED}",
            hundredth=_hundredth(threshold),
            deployment=deployment,
        )[0]
        return Rate.of(int(row["auto"]), int(row["n"]))

    def automatic_per_day(
        self, threshold: float, *, deployment: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the share of each day (UTC) with its interval: date, rate, low, high, n."""
        rows = self._rows(
            "SELECT date, coalesce(sum(n) FILTER (hundredth >= $hundredth), 0) AS auto, "  # noqa: S608
            f"sum(n) AS n FROM cube WHERE NOT failed AND {_WANTED} GROUP BY date ORDER BY date",
            hundredth=_hundredth(threshold),
            deployment=deployment,
        )
        days = []
        for row in rows:
            rate = Rate.of(int(row["auto"]), int(row["n"]))
            days.append(
                {
                    "date": row["date"],
                    "rate": rate.value,
                    "low": rate.low,
                    "high": rate.high,
                    "n": rate.n,
                }
            )
        return days

    def confidence(self, *, deployment: str | None = None, width: int = 5) -> list[dict[str, Any]]:
        """Return the distribution of the index: lower bound and number of each class.

        Parameters
        ----------
        deployment : str, optional
            Of one deployment only.
        width : int
            Width of a class in hundredths.
        """
        return self._rows(
            "SELECT (least(hundredth, 99) // $width) * $width / 100.0 AS lower, sum(n) AS n "  # noqa: S608
            f"FROM cube WHERE NOT failed AND {_WANTED} GROUP BY 1 ORDER BY 1",
            width=width,
            deployment=deployment,
        )

    def _rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        used: Mapping[str, Any] = {k: v for k, v in parameters.items() if f"${k}" in sql}
        cursor = self._db.execute(sql, used) if used else self._db.execute(sql)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _dataset(uri: str) -> ds.Dataset:
    if "://" in uri:
        store, root = fs.FileSystem.from_uri(uri.rstrip("/"))
    else:
        store, root = fs.LocalFileSystem(), str(Path(uri).absolute())
    found = store.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
    files = [
        info.path
        for info in found
        if info.path.endswith(".parquet") and not info.base_name.startswith(".")
    ]
    if not files:
        raise NotFoundError(
            f"There are no prediction logs at {uri} yet.",
            hint="Send requests to the API, then run the ETL (autonoe nace etl).",
        )
    return ds.dataset(
        files,
        filesystem=store,
        format="parquet",
        partitioning=ds.partitioning(flavor="hive"),
        partition_base_dir=root,
    )


def _hundredth(threshold: float) -> int:
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"The threshold is between 0 and 1, not {threshold}.")
    return round(threshold * 100)
