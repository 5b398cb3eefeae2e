"""One prediction as it is logged, and its columns in Parquet."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pyarrow as pa


class LogRecord(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One logged prediction; with the model's id it can be replayed.

    What has a default may be missing in a line, and is left out of a new one when it is the
    default: lines of older servers stay readable, and lines stay short.
    """

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
    features: dict[str, str] = {}
    """Side variables as sent (column to value); part of what a replay needs."""
    stage: str = "model"
    """What gave the first code: ``model``, or ``lookup`` for the rules engine."""
    fallback_code: str = ""
    """Code of a broader level that reached the wanted confidence; empty when there is none."""
    top_k: int = 0
    """Candidates that the client asked for; 0 when an older server did not log it."""
    level: int = 0
    """Level of ``codes`` (1 section to 5 subclass); 0 when an older server did not log it."""


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
        ("features", pa.map_(pa.string(), pa.string())),
        ("stage", pa.string()),
        ("fallback_code", pa.string()),
        ("top_k", pa.int32()),
        ("level", pa.int32()),
    ]
)
"""Columns of the Parquet files; their folder adds ``date`` (UTC day, ``date=YYYY-MM-DD``)."""


def conform(rows: pa.Table) -> pa.Table:
    """Return rows of any earlier form of :data:`SCHEMA` in today's: what is new has its default.

    Parameters
    ----------
    rows : Table
        As read from a file of an older version; columns that are not known are left out.
    """
    defaults = LogRecord.__struct_defaults__
    first = len(LogRecord.__struct_fields__) - len(defaults)
    values = dict(zip(LogRecord.__struct_fields__[first:], defaults, strict=True))
    columns = []
    for entry in SCHEMA:
        if entry.name in rows.column_names:
            columns.append(rows[entry.name].cast(entry.type))
        else:
            value = values[entry.name]
            # a factory stands for an empty container
            value = value if isinstance(value, str | int) else {}
            columns.append(pa.repeat(pa.scalar(value, entry.type), len(rows)))
    return pa.table(columns, schema=SCHEMA)
