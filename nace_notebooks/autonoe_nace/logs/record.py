"""One prediction as it is logged, and its columns in Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc


class LogRecord(msgspec.Struct, omit_defaults=True):
    """One logged prediction; with the model's id it can be replayed.

    What has a default may be missing in a line, and is left out of a new one when it is the
    default: lines of older servers stay readable, and lines stay short. A field that is not known
    here comes from a newer server and is passed over.
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
    """Candidates, the most probable first; their titles are the nomenclature's."""
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
    characters: int = 0
    """Length of the text as sent; the log writes it where it hides the text itself."""
    words: int = 0
    """Words of the text as sent, separated by blanks; written as ``characters`` is."""


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
        ("characters", pa.int32()),
        ("words", pa.int32()),
        ("code", pa.string()),
        ("probability", pa.float64()),
    ]
)
"""Columns of the Parquet files; their folder adds ``date`` (UTC day, ``date=YYYY-MM-DD``).

``code`` and ``probability`` are those of the first candidate (empty and 0 without one), so that a
question about all predictions reads two narrow columns and no lists. ``characters`` is
always filled.
"""
DEFAULTS: dict[str, object] = {
    "error": "",
    "features": {},
    "stage": "model",
    "fallback_code": "",
    "top_k": 0,
    "level": 0,
    "characters": 0,
    "words": 0,
}
"""What a line that lacks the field means."""
REQUIRED = tuple(name for name in LogRecord.__struct_fields__ if name not in DEFAULTS)
"""Fields without which a line is no prediction."""


def table(records: Sequence[LogRecord]) -> pa.Table:
    """Return records as rows of :data:`SCHEMA`."""
    columns: dict[str, list[object]] = {
        name: [getattr(record, name) for record in records] for name in LogRecord.__struct_fields__
    }
    columns["characters"] = [r.characters or len(r.text) for r in records]
    columns["code"] = [r.codes[0] if r.codes else "" for r in records]
    columns["probability"] = [r.probabilities[0] if r.probabilities else 0.0 for r in records]
    return pa.table(
        [pa.array(columns[entry.name], type=entry.type) for entry in SCHEMA], schema=SCHEMA
    )


def conform(rows: pa.Table) -> pa.Table:
    """Return rows of any earlier form of :data:`SCHEMA` in today's: what is new has its default.

    Parameters
    ----------
    rows : Table
        As read from a file of this or an older version; unknown columns are left out.
    """
    if rows.schema.equals(SCHEMA):
        return rows
    columns = []
    for entry in SCHEMA:
        if entry.name in rows.column_names:
            columns.append(rows[entry.name].cast(entry.type))
        elif entry.name in DEFAULTS:
            value = pa.scalar(DEFAULTS[entry.name], entry.type)
            columns.append(pa.repeat(value, len(rows)))
        else:  # of the first candidate
            source, nothing = _FIRST[entry.name]
            first = pc.list_element(_padded(rows[source], nothing, entry.type), 0)
            columns.append(first)
    return pa.table(columns, schema=SCHEMA)


_FIRST = {"code": ("codes", ""), "probability": ("probabilities", 0.0)}


def _padded(lists: pa.ChunkedArray, nothing: object, kind: pa.DataType) -> pa.Array:
    """Return the lists with ``nothing`` in those that are empty, since they have no element 0."""
    return pa.array([row or [nothing] for row in lists.to_pylist()], type=pa.list_(kind))
