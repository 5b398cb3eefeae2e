"""One prediction as it is logged, and its columns in Parquet."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pyarrow as pa


class LogRecord(msgspec.Struct, forbid_unknown_fields=True):
    """One logged prediction; with the model's id it can be replayed."""

    request_id: str
    position: int
    """Place of the record in its request, from 0; with ``request_id`` it names the prediction."""
    time: datetime
    """When the answer was ready, UTC."""
    deployment: str
    key_id: str
    model_name: str
    model_version: str
    model_sha256: str
    text: str
    """The text as sent, or ``hmac-sha256:…`` when the deployment pseudonymises."""
    codes: list[str]
    titles: list[str]
    probabilities: list[float]
    confidence: float
    threshold: float
    auto: bool
    latency_ms: float
    """Time in the server of the request that the record came with, in milliseconds."""
    error: str = ""
    """Code of the record's error; then there are no candidates."""


SCHEMA = pa.schema(
    [
        ("request_id", pa.string()),
        ("position", pa.int32()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("deployment", pa.string()),
        ("key_id", pa.string()),
        ("model_name", pa.string()),
        ("model_version", pa.string()),
        ("model_sha256", pa.string()),
        ("text", pa.string()),
        ("codes", pa.list_(pa.string())),
        ("titles", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float64())),
        ("confidence", pa.float64()),
        ("threshold", pa.float64()),
        ("auto", pa.bool_()),
        ("latency_ms", pa.float64()),
        ("error", pa.string()),
    ]
)
"""Columns of the Parquet files; their folder adds ``date`` (UTC day, ``date=YYYY-MM-DD``)."""
