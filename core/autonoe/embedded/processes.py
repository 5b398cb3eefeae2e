"""One supervised process: started, watched, started again when it dies, taken over when we do.

A process outlives the supervisor that started it. The next supervisor finds its record, checks
that it is the same process with the same settings, and watches it as if it were its own child;
so the death of the supervisor interrupts nobody (ADR 0011).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from autonoe import __version__
from autonoe.embedded import process_table
from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.probes import Probe

log = logging.getLogger(__name__)

_PROBE_INTERVAL_S = 0.1
_STEADY_S = 10.0
"""Seconds: a process that was ready for so long restarts at once, another one after a pause."""
_MAX_BACKOFF_S = 10.0


class State(StrEnum):
    """Where a process is in its life."""

    STOPPED = "stopped"
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"


@dataclass(frozen=True)
class ProcessSpec:
    """What to start, and how to see that it works."""

    name: str
    """Unique on the platform; also the name of the process record."""
    argv: tuple[str, ...]
    """Program and arguments; every local user can read them, so no secret may be among them."""
    env: Mapping[str, str]
    """The whole environment: nothing is inherited."""
    log: Path
    probe: Probe
    cwd: Path
    ready_within_s: float = 60.0
    """Seconds after which a process that is not ready is ended and started again."""
    stop_within_s: float = 8.0
    """Seconds between asking the process to end and ending it."""
    uid: int | None = None
    gid: int | None = None
    depends_on: tuple[str, ...] = field(default=())
    """Files whose content is part of the settings, such as a configuration file."""
    env_that_matters: frozenset[str] | None = None
    """Variables that are part of the settings; None: all. A shell's own differ at each login."""

    def fingerprint(self) -> str:
        """Return a digest of the settings: a process with another one is not taken over."""
        wanted = self.env_that_matters
        env = sorted((k, v) for k, v in self.env.items() if wanted is None or k in wanted)
        content = [self.argv, env, __version__, self.uid, self.gid]
        for name in self.depends_on:
            with contextlib.suppress(FileNotFoundError):
                content.append(hashlib.sha256(Path(name).read_bytes()).hexdigest())
        return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()


Launch = Callable[[ProcessSpec], Awaitable[int]]
"""Starts the process, as leader of its own group, and returns its number."""


class ManagedProcess:
    """Keeps one process running between :meth:`start` and :meth:`stop`.

    Parameters
    ----------
    spec : ProcessSpec
        What to run.
    records : Path
        Folder of process records (``layout.run``).
    launch : callable, optional
        Another way to start it than ``exec``.
    """

    def __init__(self, spec: ProcessSpec, records: Path, launch: Launch | None = None) -> None:
        self.spec = spec
        self.state = State.STOPPED
        self.pid: int | None = None
        self.restarts = 0
        """How often it was started again since this supervisor began."""
        self.failures = 0
        """How often in a row it ended before it was ready, or soon after."""
        self.last_exit = ""
        """What happened last, in words."""
        self.ready_once = False
        self._record = records / f"{spec.name}.json"
        self._mark = {process_table.MARK: str(records.parent)}
        self._launch = launch or self._execute
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._child: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Begin to keep the process running; returns at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_running(), name=f"keep {self.spec.name}")

    async def wait_ready(self, timeout_s: float | None = None) -> bool:
        """Wait until the process answers its probe; False if ``timeout_s`` seconds pass first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End the process and all of its group; returns when they are gone."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        if self.pid is None:
            self.pid = self._survivor(any_settings=True)
        await self._end()
        self._record.unlink(missing_ok=True)
        self.state = State.STOPPED
        self._ready.clear()

    def detach(self) -> None:
        """Stop watching, and leave the process to the next supervisor."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def uptime_s(self) -> float:
        """Seconds since the process started; 0 when there is none."""
        return process_table.started_s_ago(self.pid) if self.pid else 0.0

    @property
    def pids(self) -> list[int]:
        """The processes of its group that live now."""
        return process_table.group_members(self.pid) if self.pid else []

    async def _keep_running(self) -> None:
        self.state = State.STARTING
        self.pid = self._survivor()
        if self.pid is None:
            await self._end_leftover()
        while True:
            try:
                await self._one_life()
            except OSError as error:
                self.last_exit = f"could not be started: {error}"
                self.failures += 1
            log.warning("%s %s", self.spec.name, self.last_exit)
            self.state = State.RESTARTING
            self.restarts += 1
            if self.failures:
                await asyncio.sleep(min(0.1 * 2**self.failures, _MAX_BACKOFF_S))

    async def _one_life(self) -> None:
        if self.pid is None:
            self.pid = await self._launch(self.spec)
            self._remember(self.pid)
        pid, began = self.pid, time.monotonic()
        exited = asyncio.ensure_future(_exit_of(pid))
        try:
            became_ready = await self._until_ready(exited)
            if became_ready:
                self.state = State.READY
                self.ready_once = True
                self._ready.set()
                ready_at = time.monotonic()
                await exited
                steady = time.monotonic() - ready_at >= _STEADY_S
                self.failures = 0 if steady else self.failures + 1
                self.last_exit = f"ended after {time.monotonic() - began:.0f} s"
            else:
                self.failures += 1
                self.last_exit = (
                    "ended before it was ready"
                    if exited.done()
                    else f"was not ready within {self.spec.ready_within_s:g} s"
                )
        finally:
            exited.cancel()
            self._ready.clear()
        if self._child is not None and self._child.pid == pid and exited.done():
            self.last_exit += _how(self._child.wait())
        await self._end(signal.SIGKILL)

    async def _until_ready(self, exited: asyncio.Future[None]) -> bool:
        deadline = time.monotonic() + self.spec.ready_within_s
        while time.monotonic() < deadline and not exited.done():
            with contextlib.suppress(OSError):
                if await self.spec.probe() and not exited.done():
                    return True
            await asyncio.wait([exited], timeout=_PROBE_INTERVAL_S)
        return False

    async def _execute(self, spec: ProcessSpec) -> int:
        self._child = await asyncio.to_thread(_spawn, spec, self._mark)
        return self._child.pid

    async def _end(self, number: signal.Signals = signal.SIGTERM) -> None:
        pid, self.pid = self.pid, None
        if pid is None:
            return
        if number is signal.SIGTERM and process_table.identity(pid):
            # The leader alone: it knows in which order its own children end.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.spec.stop_within_s):
                    await _exit_of(pid)
        process_table.signal_group(pid, signal.SIGKILL)
        for member in (pid, *process_table.group_members(pid)):
            await _exit_of(member)
        if self._child is not None and self._child.pid == pid:
            self._child.wait()
            self._child = None

    def _remember(self, pid: int) -> None:
        record = {
            "pid": pid,
            "identity": process_table.identity(pid),
            "fingerprint": self.spec.fingerprint(),
        }
        write_json(self._record, record)

    def _survivor(self, *, any_settings: bool = False) -> int | None:
        """Return the process that an earlier supervisor left running, if it is the same still."""
        record = read_json(self._record)
        if not isinstance(record, dict):
            return None
        pid = record.get("pid")
        if not isinstance(pid, int) or process_table.identity(pid) != record.get("identity"):
            return None
        if not any_settings and record.get("fingerprint") != self.spec.fingerprint():
            return None
        return pid

    async def _end_leftover(self) -> None:
        self.pid = self._survivor(any_settings=True)
        await self._end()
        record = read_json(self._record)
        if isinstance(record, dict) and process_table.leaderless(record):
            # The leader died while nobody watched; its children keep the number of the group.
            process_table.signal_group(record["pid"], signal.SIGKILL)


def _spawn(spec: ProcessSpec, mark: Mapping[str, str]) -> subprocess.Popen[bytes]:
    spec.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(spec.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab", buffering=0) as output:
        output.write(f"=== {datetime.now(UTC):%FT%TZ} autonoe starts {spec.name}\n".encode())
        return subprocess.Popen(
            spec.argv,
            env={**spec.env, **mark},
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=spec.uid,
            group=spec.gid,
            extra_groups=[] if spec.uid is not None else None,
        )


async def _exit_of(pid: int) -> None:
    """Return when ``pid`` has ended; it need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, ended)
    try:
        await ended
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _how(code: int) -> str:
    if code >= 0:
        return f", exit code {code}"
    try:
        return f", {signal.Signals(-code).name}"
    except ValueError:
        return f", signal {-code}"
