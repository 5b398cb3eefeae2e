"""Drift of what comes in and what goes out: how large, and against what is usual."""

from autonoe_nace.monitoring.drift.distances import distances
from autonoe_nace.monitoring.drift.report import drift

__all__ = ["distances", "drift"]
