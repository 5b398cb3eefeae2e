"""The server starts, whatever the platform does, and says what is wrong."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autonoe_extension.manager import PROOF, PlatformManager

EXTRA_S = 2.0
"""The issue's limit: what a platform that is down may add to the server's start."""


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Serve a port that accepts connections and never answers, which is worse than a closed one."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def _start_s(variables: dict[str, str], patch: pytest.MonkeyPatch) -> float:
    """Return the seconds that the manager needs to start and to give a kernel its variables."""
    for name, value in variables.items():
        patch.setenv(name, value)
    manager = PlatformManager()
    started = time.perf_counter()
    manager.start()
    try:
        took = time.perf_counter() - started
        assert manager.status()["platform"] is True
        return took
    finally:
        manager.stop()


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_platform_that_is_down_does_not_delay_the_server(
    kind: str,
    agent_variables: dict[str, str],
    silent_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    if kind == "silent":
        address = f"http://127.0.0.1:{silent_port}"
        agent_variables |= {name: address for name in agent_variables if name.endswith("_URL")}
    assert _start_s(agent_variables, monkeypatch) < EXTRA_S


async def test_the_status_says_that_it_is_down(
    on_platform: None, jp_fetch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    card: dict[str, Any] = {}
    for _ in range(200):
        card = json.loads((await jp_fetch("autonoe", "status")).body)["credentials"]
        if card["state"] == "down":
            break
    assert card["state"] == "down"
    assert card["problem"]["code"] == "renewal"
    assert "does not answer" in card["problem"]["technical"]
    logger = "autonoe.credentials.keeper"
    lines = [r for r in (*caplog.get_records("setup"), *caplog.records) if r.name == logger]
    assert len(lines) == 1, "one line, not one per attempt"
    assert lines[0].levelno == logging.WARNING


async def test_a_server_outside_a_platform_starts_without_an_agent(
    jp_fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PROOF not in os.environ
    answer = json.loads((await jp_fetch("autonoe", "status")).body)
    assert answer["platform"] is False
    assert answer["credentials"]["state"] == "none"
