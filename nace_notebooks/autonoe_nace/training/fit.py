"""One run of fastText in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.fasttext_process import NOT_FINITE
from autonoe_nace.model.scores import PREFIX
from autonoe_nace.training.params import TrainingParams

_POLL_S = 0.1
_STOP_S = 10


def fit(
    samples: Sequence[tuple[str, str]],
    params: TrainingParams,
    target: Path,
    report: Callable[[float], None],
) -> None:
    """Train on ``samples`` (prepared text, code) and write fastText's file to ``target``.

    Parameters
    ----------
    samples : sequence of (str, str)
        In the order in which fastText reads them; the order is part of what fixes the bits.
    params : TrainingParams
        How to train.
    target : Path
        File to write.
    report : callable
        Gets the share done, in [0, 1], some times a second.

    Raises
    ------
    InvalidInputError
        If the learning rate made the training diverge.
    AutonoeError
        If the process ended otherwise.
    """
    source = target.with_suffix(".txt")
    log = target.with_suffix(".log")
    with source.open("w", encoding="utf-8") as file:
        file.writelines(f"{PREFIX}{code} {text}\n" for text, code in samples)
    command = [sys.executable, "-m", "autonoe_nace.fasttext_process"]
    command += [str(source), str(target), json.dumps(params.fasttext())]
    report(0.0)
    try:
        with log.open("wb") as stderr:
            code = _run(command, stderr.fileno(), source, params.epoch, report)
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    finally:
        source.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    if code == NOT_FINITE:
        raise InvalidInputError(
            f"The training diverged with the learning rate {params.lr}.",
            hint="Take half of it (--lr).",
            code="training_diverged",
        )
    if code != 0:
        raise AutonoeError(
            f"fastText stopped with the exit code {code}: {said[-1] if said else 'no message'}",
            hint="Out of memory is the usual cause: lower --bucket or --dim.",
            code="training_failed",
        )
    report(1.0)


def _run(
    command: Sequence[str], stderr: int, source: Path, epochs: int, report: Callable[[float], None]
) -> int:
    process = subprocess.Popen(command, stderr=stderr, stdin=subprocess.DEVNULL)
    size = max(1, source.stat().st_size)
    # One pass builds the vocabulary, the others train.
    positions = _passes(process.pid, source)
    try:
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                done = next(positions) / size / (epochs + 1)
                report(min(0.99, done))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(_STOP_S)


def _passes(pid: int, source: Path) -> Iterator[int]:
    """Yield how many bytes of ``source`` the process has read so far, over all its passes.

    With one thread fastText says nothing before it is done. What it reads is known to the kernel:
    the position in the file falls back each time a pass begins.
    """
    before, earlier_passes, size = 0, 0, source.stat().st_size
    while True:
        position = _position(pid, source)
        if position is not None:
            if position < before:
                earlier_passes += size
            before = position
        yield earlier_passes + before


def _position(pid: int, source: Path) -> int | None:
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.readlink() == source:
                info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text(encoding="ascii")
                return int(info.split(maxsplit=2)[1])
    except OSError:
        return None  # the process has just ended, or belongs to another account by now
    return None
