"""A running OpenBao and SeaweedFS, and accounts that each test has for itself."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autonoe.accounts import Account
from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.chain import IdentityChain
from autonoe.credentials.environment import STATIC_KEYS
from autonoe.identity.sts import S3Session
from autonoe.waiting import wait_until
from identity.stack import Stack, client

_numbers = itertools.count(1)


def unique(stem: str) -> str:
    """Return a name that no other test uses."""
    return f"{stem}-{os.getpid()}-{next(_numbers)}"


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


class Person:
    """An account, its chain, and clients with a session of it."""

    def __init__(self, stack: Stack, account: Account) -> None:
        self.stack = stack
        self.account = account
        self.chain = IdentityChain(stack.settings(account))
        self.bucket = account.buckets[0]

    @property
    def jwt(self) -> str:
        """Return a new identity token."""
        found = self.chain.client(timeout_s=5).read("identity/oidc/token/s3")
        assert found is not None
        return str(found["token"])

    def session(self) -> S3Session:
        """Return a new S3 session."""
        return self.chain.s3_session()

    def s3(self, service: str = "s3", **options: Any) -> Any:
        """Return a client with a new session."""
        return client(self.stack.s3_url, self.session(), service, **options)


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
