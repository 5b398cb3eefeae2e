"""Atomic files, one-time links, ports, log rotation, control socket: without a platform."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe.embedded import files, links, ports, rotation, secret_makers, starting
from autonoe.embedded.control import ControlServer, call
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import (
    AutonoeError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from autonoe.waiting import wait_until


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "data")
    made.create()
    return made


def test_an_interrupted_write_leaves_the_old_content(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = layout.root / "file"
    files.write_atomic(path, "old")

    def power_cut(_: int) -> None:
        raise OSError("no power")

    monkeypatch.setattr(os, "fsync", power_cut)
    with pytest.raises(OSError, match="no power"):
        files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in layout.root.iterdir() if p.is_file()] == ["file"]


def test_readers_see_the_old_or_the_new_never_a_part(layout: Layout) -> None:
    path, done = layout.root / "file", threading.Event()
    contents = {letter * 200_000 for letter in "ab"}
    files.write_atomic(path, "a" * 200_000)
    seen: set[str] = set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(30):
        files.write_atomic(path, "ab"[turn % 2] * 200_000)
    done.set()
    reader.join()
    assert seen <= contents


def test_a_ticket_works_once(layout: Layout) -> None:
    ticket = links.mint(layout, "Ana María", next_path="/user/ana/lab")
    assert links.redeem(layout, ticket) == links.Ticket("Ana María", "/user/ana/lab")
    assert links.redeem(layout, ticket) is None
    assert not list(layout.tickets.iterdir())


def test_of_many_at_once_one_gets_in(layout: Layout) -> None:
    ticket = links.mint(layout, "ana")
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: links.redeem(layout, ticket), range(64)))
    assert sum(answer is not None for answer in got) == 1


def test_an_expired_ticket_is_worthless(layout: Layout) -> None:
    assert links.redeem(layout, links.mint(layout, "ana", ttl_s=-1)) is None


def test_the_ticket_itself_is_nowhere_on_disk(layout: Layout) -> None:
    ticket = links.mint(layout, "ana")
    for path in layout.root.rglob("*"):
        assert ticket not in path.name
        if path.is_file():
            assert ticket not in path.read_text()
            assert path.stat().st_mode & 0o077 == 0


@given(st.text(max_size=60))
def test_no_invented_ticket_reaches_a_file(text: str) -> None:
    assert links.redeem(Layout(Path("/nonexistent")), text) is None


@pytest.mark.parametrize("text", ["../../platform.json", "A" * 43, "a/b", "", "%2e%2e"])
def test_a_ticket_cannot_name_a_path(layout: Layout, text: str) -> None:
    before = sorted(layout.root.rglob("*"))
    assert links.redeem(layout, text) is None
    assert sorted(layout.root.rglob("*")) == before


def test_chosen_ports_are_free_distinct_and_below_the_outgoing_range() -> None:
    chosen = ports.choose(20)
    assert len(set(chosen)) == 20
    assert all(ports.is_free(port) and port < 32_768 for port in chosen)
    low, high = ports.choose_pair(10_000)
    assert high - low == 10_000


def test_the_holder_of_a_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        found = ports.holder(port)
        assert found is not None
        assert found.pid == os.getpid()
        assert ports.first_free(port, "127.0.0.1") != port


def test_a_platform_file_comes_back_as_it_was(layout: Layout) -> None:
    made = PlatformFile.create(host="127.0.0.1", port=8123, owner="ana")
    assert len({made.port, *made.internal_ports.values()}) == len(made.internal_ports) + 1
    made.save(layout)
    assert PlatformFile.load(layout) == made
    with pytest.raises(NotFoundError):
        PlatformFile.load(Layout(layout.root / "other"))
    layout.platform_file.write_text('{"host": "127.0.0.1"')
    with pytest.raises(AutonoeError) as caught:
        PlatformFile.load(layout)
    assert caught.value.code == "platform_file"


def test_secrets_are_made_once_and_completed_when_cut_off(layout: Layout) -> None:
    secret_makers.ensure(layout)
    before = {p: p.read_bytes() for p in layout.secrets.rglob("*") if p.is_file()}
    assert len(before) >= 15
    assert all(p.stat().st_mode & 0o077 == 0 for p in layout.secrets.rglob("*"))
    lost = layout.secret("hub-cookie-secret")
    lost.unlink()
    secret_makers.ensure(layout)
    after = {p: p.read_bytes() for p in layout.secrets.rglob("*") if p.is_file()}
    assert set(after) == set(before)
    assert {p for p in after if after[p] != before[p]} == {lost}


def test_a_log_is_emptied_while_its_writer_keeps_it_open(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old line\n" * 200)
        assert not rotation.rotate(log, limit_bytes=10_000)
        assert rotation.rotate(log, limit_bytes=1_000)
        writer.write(b"new line\n")
    assert log.read_bytes() == b"new line\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"old line\n" * 200
    assert rotation.tail(log) == ["new line"]
    assert rotation.tail(tmp_path / "none") == []


def test_waiting_ends_with_the_condition_or_the_deadline() -> None:
    answers = iter([None, 0, "done"])
    assert wait_until(lambda: next(answers), timeout_s=5, what="it", interval_s=0.001) == "done"

    def fails() -> bool:
        raise OSError("still closed")

    with pytest.raises(UnavailableError, match="still closed"):
        wait_until(fails, timeout_s=0.02, what="it", interval_s=0.001, ignoring=(OSError,))
    with pytest.raises(OSError, match="still closed"):
        wait_until(fails, timeout_s=1, what="it")


@pytest.mark.asyncio
async def test_the_control_socket_answers_each_with_what_it_may(tmp_path: Path) -> None:
    # Longer than the 107 bytes of a socket's address.
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "control.sock"

    async def echo(args: dict[str, Any], uid: int) -> Any:
        return {"args": args, "uid": uid}

    async def refuses(_: dict[str, Any], __: int) -> Any:
        raise ConflictError("No.", hint="Ask again.")

    async def breaks(_: dict[str, Any], __: int) -> Any:
        raise KeyError("secret detail")

    server = ControlServer(
        path, public={"echo": echo, "refuses": refuses, "breaks": breaks}, private={"own": echo}
    )
    await server.start()
    try:
        answer = await asyncio.to_thread(call, path, "echo", word="é")
        assert answer == {"args": {"word": "é"}, "uid": os.geteuid()}
        assert (await asyncio.to_thread(call, path, "own"))["uid"] == os.geteuid()
        for op, code in {
            "refuses": "conflict",
            "breaks": "failed",
            "none": "invalid_input",
        }.items():
            with pytest.raises(AutonoeError) as caught:
                await asyncio.to_thread(call, path, op)
            assert caught.value.code == code
            assert "secret detail" not in caught.value.message
        for line in (b"\n", b"{}\n", b"[1]\n", b'{"op": 3}\n', b"\xff\xff\n"):
            assert b"invalid_input" in await _raw(path, line)
        with pytest.raises(ForbiddenError):
            server._handler("own", os.geteuid() + 1)
    finally:
        await server.stop()
    with pytest.raises(UnavailableError) as gone:
        call(path, "echo")
    assert gone.value.code == "not_running"


async def _raw(path: Path, line: bytes) -> bytes:
    from autonoe.embedded import unix_sockets

    def talk() -> bytes:
        with unix_sockets.connect(path, timeout_s=5) as connection:
            connection.sendall(line)
            return connection.makefile("rb").readline()

    return await asyncio.to_thread(talk)


def test_a_port_that_is_just_closing_is_waited_for_and_a_held_one_is_not() -> None:
    with socket.socket() as closing:
        closing.bind(("127.0.0.1", 0))
        timer = threading.Timer(0.3, closing.close)
        timer.start()
        assert starting._freed_soon(closing.getsockname()[1], "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as held:
        begun = time.monotonic()
        assert not starting._freed_soon(held.getsockname()[1], "127.0.0.1")
        assert time.monotonic() - begun < starting._PORT_FREED_S
