"""A start never waits for storage and secrets, and recovers by itself."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autonoe.accounts import Account
from autonoe.embedded import secret_makers
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import ConflictError, UnavailableError
from autonoe_hub import provisioning
from autonoe_hub.provisioning import Provisioner


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.create()
    PlatformFile.create(host="127.0.0.1", port=8000, owner="owner").save(layout)
    secret_makers.ensure(layout)
    return layout


@pytest.fixture
def stalled(layout: Layout) -> Iterator[None]:
    """Let the secrets store accept connections and never answer."""
    with socket.create_server(("127.0.0.1", PlatformFile.load(layout).openbao)):
        yield


async def start(people: Provisioner, *, timeout_s: float) -> tuple[Account, float]:
    begun = time.monotonic()
    account = await people.begin("owner", None)
    await people.settle(account, timeout_s=timeout_s)
    return account, time.monotonic() - begun


async def cancel(people: Provisioner) -> None:
    for attempt in people._running.values():
        if attempt.task is not None:
            attempt.task.cancel()


def test_a_refused_connection_costs_next_to_nothing(layout: Layout) -> None:
    async def run() -> None:
        people = Provisioner(layout)
        account, took_s = await start(people, timeout_s=1.5)
        await cancel(people)
        assert account.slug == "owner"
        assert layout.home("owner").is_dir()
        assert took_s < 2

    asyncio.run(run())


@pytest.mark.usefixtures("stalled")
def test_a_stalled_store_costs_no_more_than_the_limit(layout: Layout) -> None:
    async def run() -> float:
        people = Provisioner(layout)
        _, took_s = await start(people, timeout_s=1.0)
        await cancel(people)
        return took_s

    assert asyncio.run(run()) < 2


def test_it_goes_on_until_the_store_is_back(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provisioning, "_RETRY_S", (0.01,))
    calls = 0

    async def run() -> Account:
        people = Provisioner(layout)

        def ensure(wanted: Account) -> Account:
            nonlocal calls
            calls += 1
            if calls < 4:
                raise UnavailableError("down")
            return wanted

        monkeypatch.setattr(people, "_ensure", ensure)
        await start(people, timeout_s=0.5)
        return await asyncio.wait_for(people._running["owner"].ended, 10)

    assert asyncio.run(run()).name == "owner"
    assert calls == 4


def test_two_starts_share_one_attempt(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    everyone = threading.Event()

    async def run() -> None:
        people = Provisioner(layout)

        def ensure(wanted: Account) -> Account:
            nonlocal calls
            calls += 1
            assert everyone.wait(5)
            return wanted

        monkeypatch.setattr(people, "_ensure", ensure)
        begun = await asyncio.gather(*(people.begin("owner", None) for _ in range(4)))
        everyone.set()  # not before: all four have asked by now
        await asyncio.gather(*(people.settle(account, timeout_s=5) for account in begun))

    asyncio.run(run())
    assert calls == 1


def test_a_name_that_is_taken_is_said_at_once(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        people = Provisioner(layout)

        def ensure(_: Account) -> Account:
            raise ConflictError("The account was made for another name.")

        monkeypatch.setattr(people, "_ensure", ensure)
        await start(people, timeout_s=5)

    with pytest.raises(ConflictError):
        asyncio.run(run())
