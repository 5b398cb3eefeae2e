"""Turn log segments into Parquet by day: rerunnable, free of duplicates, nothing dropped silently.

Each day's file is rebuilt from what it held and what is new, and replaced in one step; only then
does a segment move to ``done``. A run that dies anywhere is repaired by the next one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import urllib3

from autonoe.backends.base import Deployment
from autonoe.waiting import wait_until
from autonoe_nace.logs.record import SCHEMA, LogRecord, conform
from autonoe_nace.logs.store import PART, PartitionStore
from autonoe_nace.logs.writer import SEGMENT_SUFFIX

_DECODER = msgspec.json.Decoder(LogRecord)
_COLUMNS = SCHEMA.names


@dataclass
class EtlReport:
    """What one run did."""

    segments: int = 0
    """Segments read."""
    new: int = 0
    """Predictions that were not in the store before."""
    duplicates: int = 0
    """Predictions seen more than once; the first one stays."""
    corrupt: int = 0
    """Lines that are no prediction; they lie in ``quarantine/`` as they were."""
    days: list[str] = field(default_factory=list)
    """Days (UTC) whose file was rebuilt."""
    busy: bool = False
    """True when another run was at work and this one left it alone."""

    def as_dict(self) -> dict[str, object]:
        """Return the report for ``--json``."""
        return dict(vars(self))


def bring(deployment: Deployment, target: str, *, timeout_s: float = 60) -> EtlReport:
    """Bring the logs of a deployment to the store, wherever it runs.

    On one machine its log files are read here. On a cluster its pod sends them by itself every few
    seconds; then this waits until what it has answered so far is there.

    Parameters
    ----------
    deployment : Deployment
        As a backend returned it.
    target : str
        As for :func:`run`; a pod knows its own.
    timeout_s : float
        Longest time to wait for a pod, in seconds.

    Raises
    ------
    UnavailableError
        If the pod does not answer, or its logs do not arrive in time.
    """
    if "://" not in deployment.log_folder:
        return run(Path(deployment.log_folder), target)
    report = EtlReport()

    def arrived() -> bool:
        answer = urllib3.request(
            "GET", f"{deployment.local_url}health/ready", timeout=5, retries=False
        )
        counts = answer.json()["logs"]
        report.new = int(counts["stored"])
        return int(counts["waiting"]) == 0

    wait_until(
        arrived,
        timeout_s=timeout_s,
        what=f"the logs of {deployment.name} to reach the object store",
        interval_s=0.5,
        ignoring=(urllib3.exceptions.HTTPError, ValueError, KeyError),
    )
    return report


def run(folder: Path, target: str, *, part: str = PART) -> EtlReport:
    """Move what lies in ``folder`` to the store.

    Parameters
    ----------
    folder : Path
        Folder of a :class:`~autonoe_nace.logs.writer.PredictionLog`; the server may be writing.
    target : str
        ``s3://bucket/prefix`` or a local folder.
    part : str
        Name of this writer's file in each day.

    Returns
    -------
    EtlReport

    Raises
    ------
    UnavailableError
        If the store cannot be read or written; the segments stay for the next run.
    """
    report = EtlReport()
    if not folder.is_dir():
        return report
    with _lease(folder) as mine:
        if not mine:
            report.busy = True
            return report
        segments = sorted(folder.glob(f"*{SEGMENT_SUFFIX}"))
        days = _read(folder, segments, report)
        store = PartitionStore(target, part=part)
        for day in sorted(days):
            _merge(store, day, days[day], report)
        done = folder / "done"
        done.mkdir(exist_ok=True, mode=0o700)
        for segment in segments:
            segment.replace(done / segment.name)
    return report


def _read(
    folder: Path, segments: list[Path], report: EtlReport
) -> dict[str, dict[tuple[str, int], LogRecord]]:
    days: dict[str, dict[tuple[str, int], LogRecord]] = defaultdict(dict)
    for segment in segments:
        report.segments += 1
        corrupt = []
        for line in segment.read_bytes().split(b"\n"):
            if not line:
                continue
            try:
                record = _DECODER.decode(line)
                # the UTC day holds all of it, the last second included
                day = record.time.astimezone(UTC).date().isoformat()
            except (ValueError, OverflowError):
                corrupt.append(line)
                continue
            key = (record.request_id, record.position)
            if key in days[day]:
                report.duplicates += 1
            else:
                days[day][key] = record
        if corrupt:
            _quarantine(folder, segment.name, corrupt)
            report.corrupt += len(corrupt)
    return days


def _merge(
    store: PartitionStore,
    day: str,
    records: dict[tuple[str, int], LogRecord],
    report: EtlReport,
) -> None:
    before = store.read(day)
    if before is not None:
        known = set(
            zip(before["request_id"].to_pylist(), before["position"].to_pylist(), strict=True)
        )
        report.duplicates += sum(key in known for key in records)
        records = {key: record for key, record in records.items() if key not in known}
    if not records:
        return
    rows = _table(list(records.values()))
    if before is not None:
        rows = pa.concat_tables([conform(before), rows])
    order = pc.sort_indices(
        rows, [("time", "ascending"), ("request_id", "ascending"), ("position", "ascending")]
    )
    store.replace(day, rows.take(order))
    report.new += len(records)
    report.days.append(day)


def _table(records: list[LogRecord]) -> pa.Table:
    columns = {name: [getattr(record, name) for record in records] for name in _COLUMNS}
    return pa.table(
        [pa.array(columns[entry.name], type=entry.type) for entry in SCHEMA], schema=SCHEMA
    )


def _quarantine(folder: Path, name: str, lines: list[bytes]) -> None:
    """Keep bad lines beside the log under their segment's name: a repeated run writes the same."""
    place = folder / "quarantine"
    place.mkdir(exist_ok=True, mode=0o700)
    partial = place / f".{name}.{secrets.token_hex(4)}"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(b"\n".join(lines) + b"\n")
    partial.replace(place / name)


@contextmanager
def _lease(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock when it is free; the system frees it when the process dies."""
    descriptor = os.open(folder / ".etl.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
