"""A running OpenBao and SeaweedFS, and accounts that each test has for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.environment import STATIC_KEYS
from autonoe.waiting import wait_until
from identity.people import Person, unique
from identity.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a stack that no test stops."""
    one = Stack(tmp_path_factory.mktemp("stack"))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="session")
def _unruly_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    one = Stack(tmp_path_factory.mktemp("unruly"))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture
def own_stack(_unruly_stack: Stack) -> Iterator[Stack]:
    """Return a stack to be stopped and started at will; it is mended after each test."""
    yield _unruly_stack
    for part in (_unruly_stack.bao, _unruly_stack.weed):
        part.mend()


@pytest.fixture
def person(stack: Stack) -> Callable[..., Person]:
    """Return a maker of people with names of their own."""

    def make(stem: str = "ana", **options: Any) -> Person:
        return Person(stack, stack.accounts().ensure(unique(stem), **options))

    return make


@pytest.fixture
def group() -> Callable[[str], str]:
    """Return a maker of project names that no other test uses."""
    return unique


@pytest.fixture
def agent_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., CredentialAgent]]:
    """Return a starter of agents, which are stopped after the test."""
    started: list[CredentialAgent] = []
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in STATIC_KEYS:
        monkeypatch.delenv(name, raising=False)

    def start(
        someone: Person, *, ready: bool = True, home: Path | None = None, **changes: Any
    ) -> CredentialAgent:
        settings = someone.stack.settings(someone.account, **changes)
        agent = CredentialAgent(settings, tmp_path / f"agent-{len(started)}", home=home)
        started.append(agent)
        agent.start()
        if ready:
            wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=20, what="an S3 session")
        return agent

    yield start
    for agent in started:
        agent.stop()
