"""How a service worked: its errors by code, its latency, the versions that answered."""

from __future__ import annotations

from typing import Any

from autonoe_nace.monitoring.daily import quantile
from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import ALL, Selection, hundredths
from autonoe_nace.monitoring.source import Logs


def errors(logs: Logs, selection: Selection = ALL) -> list[dict[str, Any]]:
    """Return each error code with its number and its share of all predictions (Wilson)."""
    total = logs.rows("SELECT count(*) AS n FROM facts WHERE {where}", selection)[0]["n"]
    rows = logs.rows(
        "SELECT error, count(*) AS n FROM facts WHERE error <> '' AND {where} "
        "GROUP BY 1 ORDER BY n DESC, error",
        selection,
    )
    return [{**row, "share": Rate.of(row["n"], total).as_dict()} for row in rows]


def latency(logs: Logs, selection: Selection = ALL) -> dict[str, float]:
    """Return quantiles of the latency of requests in ms: p50, p90, p99, p999."""
    rows = logs.rows(
        "SELECT bin, CAST(sum(n) AS BIGINT) AS n FROM latencies WHERE {where} GROUP BY bin",
        selection,
    )
    bins = {row["bin"]: row["n"] for row in rows}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    return {name: quantile(bins, share) for name, share in shares.items()}


def versions(
    logs: Logs, threshold: float = 0.8, selection: Selection = ALL
) -> list[dict[str, Any]]:
    """Return of each model version: first and last day, predictions, errors, automatic share.

    Parameters
    ----------
    logs : Logs
        Where to count.
    threshold : float
        What every version is judged by, so that they can be compared.
    selection : Selection
        Which predictions.
    """
    rows = logs.rows(
        "SELECT deployment, version, min(date) AS first, max(date) AS last, "
        "CAST(sum(n) AS BIGINT) AS predictions, "
        "CAST(coalesce(sum(n) FILTER (failed), 0) AS BIGINT) AS errors, "
        "CAST(coalesce(sum(n) FILTER (stage = 'lookup' AND NOT failed), 0) AS BIGINT) AS looked_up,"
        " CAST(coalesce(sum(n) FILTER (hundredth >= $hundredth AND NOT failed), 0) AS BIGINT) "
        "AS chosen FROM counts WHERE {where} GROUP BY ALL ORDER BY first, deployment, version",
        selection,
        hundredth=hundredths(threshold),
    )
    for row in rows:
        answered = row["predictions"] - row["errors"]
        row["automatic"] = Rate.of(row.pop("chosen"), answered).as_dict()
    return rows
