"""Canary predictions: a model must answer known texts as on the day it was trained.

The test runs in a process of its own, which a bad file can crash without harm.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autonoe.errors import AutonoeError
from autonoe_nace.model.manifest import CanaryCase, damaged

if TYPE_CHECKING:
    from autonoe_nace.model.nace_model import NaceModel

TIMEOUT_S = 180
"""A model that has not answered its canaries by then counts as damaged. Its processor time is
limited apart, much more tightly: waiting for a turn on a busy machine is no damage."""

TOLERANCE = 1e-3
"""Difference of a probability that another processor's arithmetic can cause."""

_CASES = 12
_MEMORY_FACTOR = 3
_MEMORY_BYTES = 3 << 30
_CPU_S = 5
_CPU_BYTES_PER_S = 20 << 20

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A check needs no pool of threads, each of which would reserve address space."""


def make_cases(model: NaceModel, texts: Sequence[str]) -> tuple[CanaryCase, ...]:
    """Return cases from ``texts``, evenly spread; ``texts`` must hold no row of a user's."""
    step = max(1, len(texts) // _CASES)
    chosen = [text for text in texts[::step][:_CASES] if model.prepare(text)]
    best = [found.candidates[0] for found in model.predict(chosen, k=1)]
    return tuple(
        CanaryCase(text=text, code=first.code, probability=round(first.probability, 6))
        for text, first in zip(chosen, best, strict=True)
    )


def check_cases(model: NaceModel) -> None:
    """Compare the model's answers with those in its manifest.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if there is no case, or an answer differs.
    """
    cases = model.manifest.canary
    if not cases:
        raise damaged("it states no canary predictions")
    for case, found in zip(cases, model.predict([case.text for case in cases]), strict=True):
        given = {c.code: c.probability for c in found.candidates}
        if not abs(given.get(case.code, -1.0) - case.probability) <= TOLERANCE:
            raise damaged("it no longer gives the answers that it gave when it was trained")


def check_in_child(folder: Path, *, measure: bool = False) -> dict[str, float]:
    """Load the model in a child process and let it answer its canaries there.

    The child has limited memory and time: a file that makes the reader crash, allocate without end
    or hang ends the child only.

    Parameters
    ----------
    folder : Path
        The model.
    measure : bool
        Whether the child also measures what the model costs.

    Returns
    -------
    dict
        Empty, or ``load_s``, ``memory_bytes`` (largest resident size), ``cpu_p50_ms``,
        ``cpu_p99_ms`` and ``wall_p99_ms`` of one text at a time.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if the child does not report success in :data:`TIMEOUT_S` seconds.
    """
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    memory = _MEMORY_FACTOR * size + _MEMORY_BYTES
    # fastText's reader runs on for ever past the end of a cut dictionary.
    cpu = _CPU_S * (2 if measure else 1) + size // _CPU_BYTES_PER_S
    command = [sys.executable, "-m", "autonoe_nace.model.check", str(folder.resolve())]
    command += [str(memory), str(cpu), *(["measure"] if measure else [])]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
        )
    except subprocess.TimeoutExpired as error:
        raise damaged(f"it did not load and answer within {TIMEOUT_S} s") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if done.returncode < 0:
        raise damaged(f"loading it ended the checking process (signal {-done.returncode})")
    if not isinstance(answer, dict) or "error" in answer or done.returncode != 0:
        found = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(found, dict) and isinstance(found.get("message"), str):
            raise AutonoeError(
                found["message"], hint=str(found.get("hint", "")), code=str(found.get("code"))
            )
        raise damaged(f"it cannot be loaded (the check ended with {done.returncode})")
    return {str(name): float(value) for name, value in answer.items()}


def limit_this_process(memory_bytes: int, cpu_s: int) -> None:
    """End this process past so much address space or processor time; allow no core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
