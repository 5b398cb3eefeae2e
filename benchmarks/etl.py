"""The ETL beside pandas: JSON lines to Parquet, rows per second and core."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import msgspec
import pandas as pd

from autonoe_nace.logs import etl
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import SEGMENT_SUFFIX
from benchmarks.log_rows import Rows
from benchmarks.measurement import Measurement, interleaved

ROWS = int(os.environ.get("BENCH_ETL_ROWS", "200_000"))
PEER_ROWS = min(ROWS, 50_000)
SEGMENT = 20_000


def lines(rows: int) -> list[bytes]:
    """Return ``rows`` lines as a server writes them, of one day."""
    names = LogRecord.__struct_fields__
    encoder = msgspec.json.Encoder()
    found = []
    for row in Rows().day(0, rows, 1).to_pylist():
        values = {name: row[name] for name in names} | {"features": dict(row["features"])}
        values |= {"characters": 0, "words": 0}
        found.append(encoder.encode(LogRecord(**values)))
    return found


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return rows per second of processor time, ours and pandas' on the same lines."""
    folder.mkdir(parents=True, exist_ok=True)
    written = lines(ROWS)
    peer_file = folder / "peer.jsonl"
    peer_file.write_bytes(b"\n".join(written[:PEER_ROWS]) + b"\n")
    etl.run(_segments(folder, written[:SEGMENT]), str(folder / "warm"))

    def ours() -> float:
        logs = _segments(folder, written)
        target = folder / "out"
        shutil.rmtree(target, ignore_errors=True)
        begun = time.process_time()
        report = etl.run(logs, str(target))
        spent = time.process_time() - begun
        assert (report.new, report.corrupt, report.duplicates) == (ROWS, 0, 0)
        return ROWS / spent

    def peer() -> float:
        begun = time.process_time()
        frame = pd.read_json(peer_file, lines=True)
        frame.to_parquet(folder / "peer.parquet", compression="zstd")
        return PEER_ROWS / (time.process_time() - begun)

    mine, other = interleaved(ours, peer, pairs=pairs)
    size = sum(map(len, written)) / len(written)
    print(f"a line has {size:,.0f} bytes", file=sys.stderr)  # not in the name: rows merge by it
    name = "ETL of JSON lines, per core"
    return [Measurement(name, "rows/s", mine, other, "pandas read_json, to_parquet")]


def _segments(folder: Path, written: list[bytes]) -> Path:
    logs = folder / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    for start in range(0, len(written), SEGMENT):
        name = f"20251101T000000-1-{start:09d}-a{SEGMENT_SUFFIX}"
        (logs / name).write_bytes(b"\n".join(written[start : start + SEGMENT]) + b"\n")
    return logs
