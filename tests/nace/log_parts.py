"""One logged prediction, from which tests make those that they need."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from autonoe_nace.logs.record import LogRecord

RECORD = LogRecord(
    request_id="r",
    position=0,
    time=datetime(2026, 1, 1, tzinfo=UTC),
    deployment="d",
    key_id="k",
    model_name="m",
    model_version="1",
    model_sha256="0" * 64,
    text="riso",
    codes=["01.12"],
    probabilities=[0.9],
    confidence=0.7,
    threshold=0.8,
    auto=False,
    latency_ms=1.0,
)


def logged(**fields: Any) -> LogRecord:
    """Return :data:`RECORD` with other ``fields``."""
    return msgspec.structs.replace(RECORD, **fields)
