"""Numbers of the prediction logs: DuckDB over the Parquet that the ETL writes."""

from autonoe_nace.monitoring.classes import count_codes, drill, hardest, nomenclature_of, rarest
from autonoe_nace.monitoring.compare import compare
from autonoe_nace.monitoring.drift import distances, drift
from autonoe_nace.monitoring.rates import Rate
from autonoe_nace.monitoring.selection import ALL, Selection, Window
from autonoe_nace.monitoring.source import Logs
from autonoe_nace.monitoring.statistics import PredictionStatistics

__all__ = [
    "ALL",
    "Logs",
    "PredictionStatistics",
    "Rate",
    "Selection",
    "Window",
    "compare",
    "count_codes",
    "distances",
    "drift",
    "drill",
    "hardest",
    "nomenclature_of",
    "rarest",
]
