"""Supervision of one process, with small programs in place of components."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autonoe.embedded import process_table
from autonoe.embedded.processes import ManagedProcess, ProcessSpec, State

pytestmark = pytest.mark.asyncio

# Writes its number into a file, so that the probe and the test can see it; then waits.
WAITS = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITS
ENDS = "import sys; sys.exit('no luck')"
WITH_CHILD = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'],"
    " stdin=subprocess.PIPE);" + WAITS
)


def _spec(folder: Path, code: str, **changes: object) -> ProcessSpec:
    mark = folder / "ready"

    async def probe() -> bool:
        return mark.exists() and mark.read_text() != ""

    settings: dict[str, object] = {
        "name": "sample",
        "argv": (sys.executable, "-c", code, str(mark)),
        "env": {"PATH": os.environ["PATH"]},
        "log": folder / "sample.log",
        "probe": probe,
        "cwd": folder,
        "ready_within_s": 30.0,
        "stop_within_s": 1.0,
    }
    return ProcessSpec(**{**settings, **changes})  # type: ignore[arg-type]


def _records(folder: Path) -> Path:
    records = folder / "run"
    records.mkdir(exist_ok=True)
    return records


async def _until(condition: Callable[[], object]) -> None:
    """Let the event loop, and with it the supervision, go on until ``condition`` holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  other processes change it; they set no event
            await asyncio.sleep(0.01)


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    process = ManagedProcess(_spec(tmp_path, WAITS), _records(tmp_path))
    await process.start()
    assert await process.wait_ready(30)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await _until(lambda: process.pid not in {None, first} and process.state is State.READY)
    assert process.restarts == 1
    assert "SIGKILL" in process.last_exit
    await process.stop()
    assert process.state is State.STOPPED
    assert process_table.identity(first) is None


async def test_one_that_never_gets_ready_is_tried_again_and_counted(tmp_path: Path) -> None:
    process = ManagedProcess(_spec(tmp_path, ENDS), _records(tmp_path))
    await process.start()
    await _until(lambda: process.failures >= 2)
    assert not process.ready_once
    assert "exit code 1" in process.last_exit
    assert "no luck" in (tmp_path / "sample.log").read_text()
    await process.stop()


async def test_one_that_hangs_at_its_start_is_ended(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    process = ManagedProcess(
        _spec(tmp_path, WAITS, probe=never, ready_within_s=0.5), _records(tmp_path)
    )
    await process.start()
    await _until(lambda: process.failures >= 1)
    assert "not ready within" in process.last_exit
    await process.stop()


async def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    process = ManagedProcess(_spec(tmp_path, "", argv=("/no/such/program",)), _records(tmp_path))
    await process.start()
    await _until(lambda: process.failures >= 1)
    assert "could not be started" in process.last_exit
    await process.stop()


async def test_stop_ends_one_that_ignores_it_and_its_children(tmp_path: Path) -> None:
    for code in (STUBBORN, WITH_CHILD):
        (tmp_path / "ready").unlink(missing_ok=True)
        process = ManagedProcess(_spec(tmp_path, code), _records(tmp_path))
        await process.start()
        assert await process.wait_ready(30)
        members = process.pids
        await process.stop()
        assert not [pid for pid in members if process_table.identity(pid)]


async def test_a_successor_takes_over_the_same_process(tmp_path: Path) -> None:
    spec = _spec(tmp_path, WAITS)
    first = ManagedProcess(spec, _records(tmp_path))
    await first.start()
    assert await first.wait_ready(30)
    first.detach()
    second = ManagedProcess(spec, _records(tmp_path))
    await second.start()
    assert await second.wait_ready(30)
    assert second.pid == first.pid
    await second.stop()
    assert process_table.identity(first.pid or 0) is None


async def test_with_other_settings_it_is_replaced(tmp_path: Path) -> None:
    first = ManagedProcess(_spec(tmp_path, WAITS), _records(tmp_path))
    await first.start()
    assert await first.wait_ready(30)
    first.detach()
    (tmp_path / "ready").unlink()
    changed = _spec(tmp_path, WAITS, env={"PATH": os.environ["PATH"], "MORE": "1"})
    second = ManagedProcess(changed, _records(tmp_path))
    await second.start()
    assert await second.wait_ready(30)
    assert second.pid != first.pid
    assert process_table.identity(first.pid or 0) is None
    await second.stop()


async def test_children_of_a_leader_that_died_unwatched_are_ended(tmp_path: Path) -> None:
    spec = _spec(tmp_path, WITH_CHILD)
    first = ManagedProcess(spec, _records(tmp_path))
    await first.start()
    assert await first.wait_ready(30)
    leader = first.pid
    assert leader is not None
    (child,) = (pid for pid in first.pids if pid != leader)
    first.detach()
    os.kill(leader, signal.SIGKILL)
    await _until(lambda: process_table.identity(leader) is None)
    (tmp_path / "ready").unlink()
    second = ManagedProcess(spec, _records(tmp_path))
    await second.start()
    assert await second.wait_ready(30)
    assert process_table.identity(child) is None
    await second.stop()


async def test_it_has_only_the_environment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    process = ManagedProcess(_spec(tmp_path, WAITS), _records(tmp_path))
    await process.start()
    assert await process.wait_ready(30)
    names = psutil.Process(process.pid).environ().keys()
    assert "AWS_PROFILE" not in names
    assert process_table.MARK in names
    await process.stop()
