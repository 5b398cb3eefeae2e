"""Running a command that must end: with a deadline, a bounded log, and nothing left behind."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MAX_LOG = 2 << 20
_TAIL = 3000
_TERM_S = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    """Exit code; negative for a signal."""
    timed_out: bool
    """Whether the deadline ended it."""
    output: str
    """The last 64 KiB of what it wrote."""

    @property
    def tail(self) -> str:
        """The end of what it wrote."""
        return self.output[-_TAIL:]


def run(
    argv: list[str],
    *,
    cwd: Path,
    env: dict[str, str],
    timeout_s: float,
    log: Path | None = None,
) -> Outcome:
    """Run ``argv`` in a session of its own and return how it ended.

    Parameters
    ----------
    argv : list of str
        Program and arguments; no shell.
    cwd : Path
        Working folder.
    env : dict
        All its variables.
    timeout_s : float
        Seconds after which it is ended, with everything that it started.
    log : Path, optional
        File (0600) for the first 2 MiB of its output, replaced at each run.

    Raises
    ------
    OSError
        If it cannot be started.
    """
    with _Log(log) as sink:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        timed_out = True
        try:
            timed_out = _pump(process, sink, time.monotonic() + timeout_s)
        finally:
            # Also when the server is stopped in the middle: nothing may go on alone.
            if timed_out:
                _end(process)
            assert process.stdout is not None  # noqa: S101  asked for above
            process.stdout.close()
        return Outcome(process.wait(), timed_out, sink.text())


def _pump(process: subprocess.Popen[bytes], sink: _Log, deadline: float) -> bool:
    """Copy the output until the process ends; return True if the deadline came first."""
    assert process.stdout is not None  # noqa: S101  asked for by run()
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        open_ = True
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return True
            if open_:
                for _ in selector.select(min(left, 0.1)):
                    chunk = os.read(descriptor, 65536)
                    sink.add(chunk)
                    open_ = bool(chunk)
            else:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(min(left, 0.1))
            if process.poll() is not None:
                # A daemon that the command left behind may hold the pipe for ever.
                with suppress(BlockingIOError):
                    while chunk := os.read(descriptor, 65536):
                        sink.add(chunk)
                return False


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_S)
            if number == signal.SIGTERM:
                continue  # its children may have stayed
            return


class _Log:
    """The end of an output in memory, and its beginning in a file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._descriptor = -1
        self._written = 0
        self._last = b""

    def __enter__(self) -> _Log:
        if self._file is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with suppress(OSError):
                self._descriptor = os.open(self._file, flags, 0o600)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def add(self, chunk: bytes) -> None:
        self._last = (self._last + chunk)[-65536:]
        room = _MAX_LOG - self._written
        if self._descriptor >= 0 and room > 0:
            with suppress(OSError):
                self._written += os.write(self._descriptor, chunk[:room])

    def text(self) -> str:
        return self._last.decode("utf-8", "replace")
