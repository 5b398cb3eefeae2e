"""Starting, awaiting, weighing and ending the processes that are measured."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

POLL_S = 0.02


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
        family = tree(process.pid)
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=15)
        for left in alive:
            left.kill()
        psutil.wait_procs(alive, timeout=5)


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


def tree(pid: int) -> list[psutil.Process]:
    """Return the process and all its descendants."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def resident_mb(processes: Sequence[psutil.Process]) -> float:
    """Return the summed resident memory in MB (10^6 bytes); shared pages count in each process."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6
