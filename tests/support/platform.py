"""One embedded platform for a whole test session, whichever pytest-xdist worker needs it first."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from autonoe.embedded import links, ports
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile

AUTONOE = str(Path(sys.executable).with_name("autonoe"))
START_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Platform:
    """The running platform as a person meets it: a data folder, an address, the command line."""

    layout: Layout
    file: PlatformFile

    @property
    def url(self) -> str:
        """Public address without a slash at the end."""
        return self.file.public_url

    @property
    def owner(self) -> str:
        """Account of the person who started the platform."""
        return self.file.owner

    def cli(
        self, *args: str, check: bool = True, timeout_s: float = 300.0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``autonoe ARGS`` with ``AUTONOE_DATA_DIR`` set to this platform's folder."""
        done = subprocess.run(
            [AUTONOE, *args],
            env={**os.environ, "AUTONOE_DATA_DIR": str(self.layout.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd=cwd,
        )
        if check:
            assert done.returncode == 0, f"autonoe {args}: {done.stdout}\n{done.stderr}"
        return done

    def json(self, *args: str, timeout_s: float = 300.0) -> Any:
        """Run ``autonoe ARGS --json`` and return the document on its stdout."""
        return json.loads(self.cli(*args, "--json", timeout_s=timeout_s).stdout)

    def link(self, account: str | None = None, next_path: str = "") -> str:
        """Return an unused one-time login link of ``account`` (the owner by default)."""
        ticket = links.mint(self.layout, account or self.owner, next_path=next_path)
        return links.link(self.url, ticket)


def start(root: Path) -> None:
    """Start a platform in ``root`` by the real command."""
    port = ports.choose(1)[0]
    done = subprocess.run(
        [AUTONOE, "up", "--detach", "--json", "--data-dir", str(root), "--port", str(port)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"autonoe up failed ({done.returncode}): {done.stdout}\n{done.stderr}")
    assert "link" in json.loads(done.stdout)


def stop(root: Path) -> str:
    """Stop the platform in ``root``; return what went wrong, or an empty string."""
    done = subprocess.run(
        [AUTONOE, "down", "--data-dir", str(root)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
    )
    return "" if done.returncode == 0 else f"autonoe down: {done.stdout}\n{done.stderr}"


def of_folder(root: Path) -> list[psutil.Process]:
    """Return the processes whose command line or working folder lies in ``root``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if any(str(root) in part for part in (*process.cmdline(), process.cwd())):
                found.append(process)
        except psutil.Error:
            continue
    return found


class SharedPlatform:
    """The platform of one test session: started once on demand, stopped by the controller."""

    def __init__(self, session_root: Path) -> None:
        self.root = session_root / "platform"
        self.lock = session_root / "platform.lock"
        self.state = session_root / "platform-failure.txt"

    def get(self) -> Platform:
        """Return the platform, which the first caller of the session starts."""
        with _locked(self.lock):
            if not self.state.exists():
                self.state.write_text(self._start(), encoding="utf-8")
        failure = self.state.read_text(encoding="utf-8")
        assert not failure, f"The platform did not start: {failure}"
        layout = Layout(self.root)
        return Platform(layout, PlatformFile.load(layout))

    def _start(self) -> str:
        try:
            start(self.root)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            return str(error) or repr(error)
        return ""

    def close(self, keep_logs_in: Path | None) -> list[str]:
        """Stop the platform if one was started; return complaints about what was left behind."""
        complaints = []
        if self.state.exists():
            complaints = [text for text in [stop(self.root)] if text]
        if keep_logs_in is not None and self.root.exists():
            shutil.rmtree(keep_logs_in, ignore_errors=True)
            shutil.copytree(Layout(self.root).logs, keep_logs_in, dirs_exist_ok=True)
        left = of_folder(self.root)
        for process in left:
            complaints.append(f"left running: {process}")
            process.kill()
        psutil.wait_procs(left, timeout=10)
        return complaints


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
