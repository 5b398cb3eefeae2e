"""The check's child: ``python -m autonoe_nace.model.check FOLDER BYTES SECONDS [measure]``."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from autonoe.errors import AutonoeError
from autonoe_nace.model.canary import check_cases, limit_this_process
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.model.nace_model import NaceModel

_CALLS = 400


def main(folder: str, memory_bytes: str, cpu_s: str, measure: str = "") -> int:
    """Load the model, compare its canaries, write ``{}``, its cost, or the error to stdout."""
    limit_this_process(int(memory_bytes), int(cpu_s))
    started = time.perf_counter()
    try:
        path = Path(folder)
        model = NaceModel(path, Manifest.read(path))
        loaded = time.perf_counter()
        check_cases(model)
    except AutonoeError as error:
        sys.stdout.write(json.dumps(error.as_dict()))
        return 1
    sys.stdout.write(json.dumps(_cost(model, loaded - started) if measure else {}))
    return 0


def _cost(model: NaceModel, load_s: float) -> dict[str, float]:
    """Measure single answers: the processor's time is the model's, the clock's is the machine's."""
    texts = [case.text for case in model.manifest.canary]
    cpu, wall = [], []
    for call in range(_CALLS):
        began, clock = time.thread_time(), time.perf_counter()
        model.predict([texts[call % len(texts)]])
        cpu.append((time.thread_time() - began) * 1000)
        wall.append((time.perf_counter() - clock) * 1000)
    return {
        "load_s": round(load_s, 3),
        # Linux counts in KiB
        "memory_bytes": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
        "cpu_p50_ms": round(float(np.percentile(cpu, 50)), 4),
        "cpu_p99_ms": round(float(np.percentile(cpu, 99)), 4),
        "wall_p99_ms": round(float(np.percentile(wall, 99)), 4),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
