"""Starting, awaiting, weighing and ending the processes that are measured."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from autonoe.embedded import process_table

POLL_S = 0.02
_CPUCLOCK_SCHED = 2


@contextmanager
def server(
    command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in ``folder`` as a session of its own, and end all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process_table.end_all(family(process.pid), grace_s=10)


def wait_for_page(url: str, *, timeout_s: float = 120.0) -> None:
    """Return as soon as ``url`` answers 200."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(POLL_S)
    raise TimeoutError(f"{url} did not answer within {timeout_s:.0f} s")


def family(pid: int) -> list[int]:
    """Return the process and all its descendants."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


def processor_ns(pid: int) -> dict[int, int]:
    """Return the processor time that a process and each of its descendants took so far.

    Returns
    -------
    dict of int to int
        Nanoseconds by process, those of threads that ended included. ``/proc/PID/stat`` has the
        same in ticks of 10 ms; the ``schedstat`` of the threads lacks those that ended.
    """
    found = {}
    for one in family(pid):
        with suppress(OSError):
            found[one] = time.clock_gettime_ns(_processor_clock(one))
    return found


def spent_s(before: Mapping[int, int], after: Mapping[int, int]) -> float:
    """Return the seconds between two results of :func:`processor_ns`.

    Raises
    ------
    RuntimeError
        If a process ended in between: what it took cannot be known any more.
    """
    if ended := before.keys() - after.keys():
        raise RuntimeError(f"Processes {sorted(ended)} of the server ended while it was measured.")
    return sum(now - before.get(one, 0) for one, now in after.items()) / 1e9


def _processor_clock(pid: int) -> int:
    """Return the clock of the time that all threads of ``pid`` took: clock_getcpuclockid(3)."""
    return (~pid << 3) | _CPUCLOCK_SCHED


@contextmanager
def apart(pids: Sequence[int]) -> Iterator[bool]:
    """Keep servers on one processor core and this process on the others, until the block ends.

    Parameters
    ----------
    pids : sequence of int
        Their main processes; descendants and all threads go along, and hand it on to new ones.

    Yields
    ------
    bool
        Whether that could be done; a machine of one core has no other.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield False
        return
    moved = [one for pid in pids for one in family(pid)]
    try:
        for one in moved:
            _put(one, {cores[0]})
        _put(os.getpid(), set(cores[1:]))
        yield True
    finally:
        for one in [*moved, os.getpid()]:
            _put(one, set(cores))


def _put(pid: int, cores: set[int]) -> None:
    """Let all threads of a process run on ``cores`` only; one that ended meanwhile is none."""
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), cores)


def resident_mb(pids: Sequence[int]) -> float:
    """Return the summed resident memory in MB (10^6 bytes); shared pages count in each process."""
    total = 0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            total += psutil.Process(pid).memory_info().rss
    return total / 1e6
