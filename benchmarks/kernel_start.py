"""Seconds from launching a kernel to its first answer: ours beside plain ipykernel."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.manager import start_new_kernel

from autonoe.embedded.jupyter_paths import jupyter_paths
from benchmarks.measurement import Measurement, interleaved

OURS, PEER = "autonoe-python", "python3"


def measure(_folder: Path, *, pairs: int) -> list[Measurement]:
    """Return the medians of ``pairs`` alternating starts of both kernels."""
    with _paths():
        ours, peer = interleaved(lambda: start_s(OURS), lambda: start_s(PEER), pairs=pairs)
    return [Measurement("kernel: launch to first answer", "s", ours, peer, "ipykernel")]


def start_s(name: str) -> float:
    """Return the seconds that a kernel of the spec ``name`` needs to answer."""
    started = time.perf_counter()
    manager, client = start_new_kernel(startup_timeout=60, kernel_name=name)
    took = time.perf_counter() - started
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return took


@contextmanager
def _paths() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(jupyter_paths())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
