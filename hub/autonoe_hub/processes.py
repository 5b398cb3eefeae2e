"""Processes that outlive the hub: recognised again for certain, and ended with all they started."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

_TERM_S = 3
_KILL_S = 2


def identity(pid: int) -> str:
    """Return what tells ``pid`` from any other process of that number; "" if it is gone.

    It is this boot's identifier and the kernel's count of ticks at the process's start. A time of
    day would not do: it moves when the clock is set.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    # The name is in parentheses and may hold anything, so count from the last one.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"


def descendants(pid: int) -> list[psutil.Process]:
    """Return the processes that ``pid`` started, and theirs."""
    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process]) -> None:
    """End ``processes`` with SIGTERM, then with SIGKILL; those that are gone are left alone.

    psutil compares the start time before each signal, so a number that passed on is not hit.
    """
    left = [process for process in processes if process.is_running()]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(left, timeout=_TERM_S)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_KILL_S)
