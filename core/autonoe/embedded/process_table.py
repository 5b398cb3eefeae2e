"""What the system knows of processes: who is still the same, who belongs together."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from autonoe.embedded.layout import Layout

MARK = "AUTONOE_SUPERVISED"
"""Environment variable with the data folder, in each process that the supervisor starts."""

_PROC = Path("/proc")


@cache
def _boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the name, is in parentheses and may hold anything, a parenthesis included.
    return text.rpartition(")")[2].split()


def identity(pid: int) -> str | None:
    """Return what tells this life of ``pid`` from another's, or None if nothing runs under it.

    The system reuses numbers; the start time in clock ticks since boot, with the boot's own id,
    does not repeat and does not move when somebody sets the clock.
    """
    fields = _stat(pid)
    if fields is None or fields[0] in {"Z", "X"}:
        return None
    return f"{_boot_id()}:{fields[19]}"


def started_s_ago(pid: int) -> float:
    """Return for how many seconds ``pid`` has run; 0 if it does not."""
    fields = _stat(pid)
    if fields is None:
        return 0.0
    uptime = float((_PROC / "uptime").read_text().split()[0])
    return max(0.0, uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK"))


def group_members(group: int) -> list[int]:
    """Return the living processes of the process group ``group``."""
    return groups().get(group, [])


def groups() -> dict[int, list[int]]:
    """Return the living processes of every process group, in one look."""
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        fields = _stat(pid)
        if fields is not None and fields[0] not in {"Z", "X"}:
            found.setdefault(int(fields[2]), []).append(pid)
    return found


def leaderless(record: Mapping[str, Any]) -> bool:
    """Return whether the process of ``record`` (``pid``, ``identity``) ended since this boot."""
    pid, known = record.get("pid"), str(record.get("identity"))
    return isinstance(pid, int) and identity(pid) is None and known.startswith(_boot_id())


def memory_bytes(pids: Iterable[int]) -> int:
    """Return the resident memory of ``pids`` together, in bytes.

    Pages that several processes share count once in all (the kernel's proportional set size);
    where the kernel does not tell, resident pages count for each.
    """
    return sum(_memory_of(pid) for pid in pids)


def _memory_of(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def signal_group(group: int, number: signal.Signals) -> None:
    """Send ``number`` to every process of ``group``; those that are gone already do not matter."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def of_platform(layout: Layout) -> list[int]:
    """Return every process that was started by the platform in ``layout``, however indirectly.

    Components have :data:`MARK` in their environment, people's servers and all that runs in them
    ``AUTONOE_CONTROL_SOCKET``; the children of such a process count even when they were given a
    clean environment. ``AUTONOE_DATA_DIR`` would not do: people set it in their own shells.
    """
    marks = {
        f"{MARK}={layout.root}".encode(),
        f"AUTONOE_CONTROL_SOCKET={layout.control_socket}".encode(),
    }
    own_line = _ancestors(os.getpid())
    marked = {pid for pid in psutil.pids() if pid not in own_line and _is_marked(pid, marks)}
    for pid in list(marked):
        try:
            marked.update(child.pid for child in psutil.Process(pid).children(recursive=True))
        except psutil.Error:
            continue
    return sorted(pid for pid in marked - own_line if identity(pid))


def _is_marked(pid: int, marks: set[bytes]) -> bool:
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return not marks.isdisjoint(environment.split(b"\0"))


def _ancestors(pid: int) -> set[int]:
    line = {pid}
    while (fields := _stat(pid)) and (pid := int(fields[1])) > 0:
        line.add(pid)
    return line


def end_all(pids: Iterable[int], *, grace_s: float = 3.0) -> None:
    """End ``pids``: politely, then after ``grace_s`` seconds without asking."""
    processes = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            process.terminate()
            processes.append(process)
        except psutil.Error:
            continue
    _, left = psutil.wait_procs(processes, timeout=grace_s)
    for process in left:
        try:
            process.kill()
        except psutil.Error:
            continue
    psutil.wait_procs(left, timeout=grace_s)
