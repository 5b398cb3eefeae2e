"""A platform of these tests' own: they kill its parts, which nobody else may notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autonoe.embedded import ports, process_table
from autonoe.embedded.control import call
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until

AUTONOE = str(Path(sys.executable).with_name("autonoe"))


@dataclass(frozen=True)
class OwnPlatform:
    """A running platform whose parts may be killed."""

    layout: Layout

    @property
    def file(self) -> PlatformFile:
        return PlatformFile.load(self.layout)

    def status(self) -> dict[str, Any]:
        answer = call(self.layout.control_socket, "status")
        assert isinstance(answer, dict)
        return answer

    def row(self, name: str) -> dict[str, Any]:
        rows = {row["name"]: row for row in self.status()["components"]}
        found = rows[name]
        assert isinstance(found, dict)
        return found

    def is_ready(self) -> bool:
        try:
            return bool(self.status()["state"] == "ready")
        except UnavailableError:
            return False

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        wait_until(self.is_ready, timeout_s=timeout_s, what="the platform to be ready")

    def up(self) -> dict[str, Any]:
        return up(self.layout.root)


def autonoe(
    *args: str, check: bool = True, timeout_s: float = 240
) -> subprocess.CompletedProcess[str]:
    """Run the real command line."""
    done = subprocess.run(
        [AUTONOE, *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert not check or done.returncode == 0, f"{args}: {done.stdout}\n{done.stderr}"
    return done


def up(root: Path, *args: str) -> dict[str, Any]:
    """Start the platform in ``root``, or find it running, and return what ``up --json`` says."""
    answer = json.loads(autonoe("up", "--detach", "--json", "--data-dir", str(root), *args).stdout)
    assert isinstance(answer, dict)
    return answer


def free_port() -> str:
    return str(ports.choose(1)[0])


def down(root: Path) -> None:
    """Stop the platform in ``root``; nothing of it may be left running."""
    autonoe("down", "--data-dir", str(root))
    assert process_table.of_platform(Layout(root)) == []


def kill(pids: list[int]) -> None:
    """End ``pids`` as a crash would, and wait until they are gone."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not any(process_table.identity(pid) for pid in pids),
        timeout_s=10,
        what="killed processes to be gone",
        interval_s=0.005,
    )


def limit_s(seconds: float) -> float:
    """Return ``seconds`` of an idle machine as this machine is now: two cores may serve ten."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def seconds_since(moment: float) -> float:
    return time.monotonic() - moment


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPlatform]:
    """Return a platform that this module alone uses; afterwards nothing of it may run."""
    root = tmp_path_factory.mktemp("own") / "data"
    up(root, "--port", free_port())
    yield OwnPlatform(Layout(root))
    down(root)
