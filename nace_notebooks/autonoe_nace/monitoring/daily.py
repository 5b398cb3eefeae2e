"""Days of a service: requests, errors, latency, and what was or would be coded automatically."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import ALL, Selection, hundredths
from autonoe_nace.monitoring.source import BINS_PER_E, Logs


def per_day(logs: Logs, selection: Selection = ALL) -> list[dict[str, Any]]:
    """Return of each day (UTC): requests, predictions, errors, latency p50 and p99 in ms."""
    days = logs.rows(
        "SELECT date, CAST(sum(requests) AS BIGINT) AS requests, "
        "CAST(sum(n) AS BIGINT) AS predictions, "
        "CAST(coalesce(sum(n) FILTER (failed), 0) AS BIGINT) AS errors "
        "FROM counts WHERE {where} GROUP BY date ORDER BY date",
        selection,
    )
    bins: dict[Any, dict[int, int]] = defaultdict(dict)
    for row in logs.rows(
        "SELECT date, bin, CAST(sum(n) AS BIGINT) AS n FROM latencies WHERE {where} GROUP BY ALL",
        selection,
    ):
        bins[row["date"]][row["bin"]] = row["n"]
    for day in days:
        found = bins[day["date"]]
        day["latency_p50_ms"] = quantile(found, 0.5)
        day["latency_p99_ms"] = quantile(found, 0.99)
    return days


def quantile(bins: dict[int, int], share: float) -> float:
    """Return a quantile of latencies that were counted by class, in ms; NaN of none."""
    total = sum(bins.values())
    if not total:
        return math.nan
    wanted, seen = share * (total - 1), 0
    for place in sorted(bins):
        seen += bins[place]
        if seen > wanted:
            return math.exp(place / BINS_PER_E)
    return math.nan


def automatic(logs: Logs, threshold: float, selection: Selection = ALL) -> Rate:
    """Return the share of answered predictions that ``threshold`` would code automatically.

    Parameters
    ----------
    logs : Logs
        Where to count.
    threshold : float
        Confidence in [0, 1], in hundredths.
    selection : Selection
        Which predictions; those with an error do not count.
    """
    row = logs.rows(
        "SELECT coalesce(sum(n) FILTER (hundredth >= $hundredth), 0) AS auto, "
        "coalesce(sum(n), 0) AS n FROM counts WHERE NOT failed AND {where}",
        selection,
        hundredth=hundredths(threshold),
    )[0]
    return Rate.of(int(row["auto"]), int(row["n"]))


def automatic_per_day(
    logs: Logs, threshold: float, selection: Selection = ALL
) -> list[dict[str, Any]]:
    """Return the share of each day (UTC) with its interval: date, rate, low, high, n.

    ``logged`` is the share that the deployment's own threshold coded on that day.
    """
    rows = logs.rows(
        "SELECT date, coalesce(sum(n) FILTER (hundredth >= $hundredth), 0) AS chosen, "
        "sum(n) AS n, sum(auto) AS auto "
        "FROM counts WHERE NOT failed AND {where} GROUP BY date ORDER BY date",
        selection,
        hundredth=hundredths(threshold),
    )
    days = []
    for row in rows:
        rate = Rate.of(int(row["chosen"]), int(row["n"]))
        days.append(
            {
                "date": row["date"],
                "rate": rate.value,
                "low": rate.low,
                "high": rate.high,
                "n": rate.n,
                "logged": int(row["auto"]) / int(row["n"]),
            }
        )
    return days


def distribution(logs: Logs, selection: Selection = ALL, *, width: int = 5) -> list[dict[str, Any]]:
    """Return the distribution of the confidence index: lower bound and number of each class.

    Parameters
    ----------
    logs : Logs
        Where to count.
    selection : Selection
        Which predictions.
    width : int
        Width of a class in hundredths.
    """
    return logs.rows(
        "SELECT (least(hundredth, 99) // $width) * $width / 100.0 AS lower, "
        "CAST(sum(n) AS BIGINT) AS n "
        "FROM counts WHERE NOT failed AND {where} GROUP BY 1 ORDER BY 1",
        selection,
        width=width,
    )


def by_hundredth(logs: Logs, selection: Selection = ALL) -> list[dict[str, Any]]:
    """Return date, hundredth of the index and n: all that a threshold slider needs."""
    return logs.rows(
        "SELECT date, hundredth, CAST(sum(n) AS BIGINT) AS n FROM counts "
        "WHERE NOT failed AND {where} GROUP BY ALL ORDER BY ALL",
        selection,
    )
