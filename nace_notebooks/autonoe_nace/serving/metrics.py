"""Prometheus metrics of one server, in a registry of their own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from autonoe_nace.logs.writer import PredictionLog

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ServingMetrics:
    """What an operator watches: requests, latency, coded records, dropped logs, staleness."""

    def __init__(self, log: PredictionLog) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "autonoe_nace_requests",
            "Requests answered, by route and HTTP status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "autonoe_nace_request_seconds",
            "Time in the server per request, in seconds.",
            ["route"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.records = Counter(
            "autonoe_nace_records",
            "Records by outcome: auto, review, or error.",
            ["outcome"],
            registry=self.registry,
        )
        self.stale = Gauge(
            "autonoe_nace_model_stale",
            "1 when the registry could not be asked and the last good model answers.",
            registry=self.registry,
        )
        written = Gauge("autonoe_nace_logs_written", "Log lines on disk.", registry=self.registry)
        written.set_function(lambda: log.written)
        dropped = Gauge("autonoe_nace_logs_dropped", "Log lines lost.", registry=self.registry)
        dropped.set_function(lambda: log.dropped)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text form."""
        text: bytes = generate_latest(self.registry)
        return text
