"""Turn log segments into Parquet by day: rerunnable, free of duplicates, nothing dropped silently.

Segments are read in batches. A batch's rows are added to their days, each day's file in one step;
only then do its segments move to ``done``. A run that dies anywhere is repaired by the next one:
what it brought is known by request and position.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from autonoe.backends.base import Deployment
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.logs.lease import Lease, folder_lock, store_lease
from autonoe_nace.logs.merge import Staged
from autonoe_nace.logs.segments import stage
from autonoe_nace.logs.store import PART, PartitionStore
from autonoe_nace.logs.writer import SEGMENT_SUFFIX

WAIT_S = 30.0
"""How long to wait for another run on the same store, in seconds."""
_BATCH = 512 << 20
_STAMP = len("20261122")
_STAGING = ".etl-"


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


def run(folder: Path, target: str, *, part: str = PART, wait_s: float = WAIT_S) -> EtlReport:
    """Move what lies in ``folder`` to the store.

    Parameters
    ----------
    folder : Path
        Folder of a :class:`~autonoe_nace.logs.writer.PredictionLog`; the server may be writing.
    target : str
        ``s3://bucket/prefix`` or a local folder.
    part : str
        Name of this writer's file in each day.
    wait_s : float
        Longest time to wait for a run that brings another folder to the same store, in seconds.

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
    with folder_lock(folder) as mine:
        if not mine:
            report.busy = True
            return report
        segments = sorted(folder.glob(f"*{SEGMENT_SUFFIX}"))
        for left in folder.glob(f"{_STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)  # of a run that died
        if not segments:
            return report
        store = PartitionStore(target, part=part)
        with store_lease(target, wait_s=wait_s) as lease:
            if lease is None:
                report.busy = True
                return report
            for batch in _batches(segments):
                _bring_batch(batch, folder, store, lease, report)
    return report


def _bring_batch(
    batch: list[Path], folder: Path, store: PartitionStore, lease: Lease, report: EtlReport
) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=_STAGING) as place:
        file = Path(place) / "staged.parquet"
        outcome = stage(batch, file, folder)
        report.corrupt += outcome.corrupt
        staged = Staged(file, unique=outcome.unique)
        for day in staged.days:
            if lease.lost:
                raise UnavailableError(
                    "Another run took over, since this one gave no sign of life for too long.",
                    hint="Run the ETL again; nothing is lost.",
                )
            added = staged.add_to(store, day, Path(place))
            report.new += added
            if added and day not in report.days:
                report.days.append(day)
        report.duplicates += staged.duplicates
    done = folder / "done"
    done.mkdir(exist_ok=True, mode=0o700)
    for segment in batch:
        segment.replace(done / segment.name)
        report.segments += 1


def _batches(segments: list[Path]) -> Iterator[list[Path]]:
    """Yield segments of one day of writing each: their rows then go to one file of one day."""
    batch: list[Path] = []
    size = 0
    for segment in segments:
        other_day = batch and segment.name[:_STAMP] != batch[0].name[:_STAMP]
        if other_day or size > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(segment)
        size += segment.stat().st_size
    if batch:
        yield batch
