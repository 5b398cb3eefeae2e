"""The short way of the hot route: when it is taken, and that nobody can tell by the answers."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from autonoe.waiting import wait_until
from autonoe_nace.serving import protocol
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.protocol import ShortProtocol
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.short_route import Reply, ShortRoute
from support.serving import TEXT, new_key

GOOD: dict[str, Any] = {"records": [{"text": TEXT}]}
LONG_WAY = "/v1/predict?"
"""The same route, under a name that the short way does not know."""


class Watched(ShortRoute):
    """Remembers what began, and what was passed on."""

    def __init__(self, route: ShortRoute) -> None:
        self.__dict__.update(route.__dict__)
        self.ways: list[bool] = []

    def begin(self, headers: list[tuple[bytes, bytes]], body: bytes, reply: Reply) -> bool:
        """Note whether the short way was taken."""
        self.ways.append(super().begin(headers, body, reply))
        return self.ways[-1]


class Api:
    """A server in a thread, and raw connections to it."""

    def __init__(self, options: ServingSettings) -> None:
        self.app = ServingApp(options)
        self.app.holder.load()
        front = self.app.asgi()
        self.route = Watched(front.short[b"/v1/predict"])
        front.short[b"/v1/predict"] = self.route
        config = uvicorn.Config(
            front,
            http=ShortProtocol,
            ws="none",
            log_config=None,
            port=0,
            server_header=False,
            proxy_headers=False,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_until(lambda: self.server.started, timeout_s=20, what="the server")
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Send a request on a connection of its own, and return its answer."""
        with self.connect() as connection:
            connection.sendall(request)
            return read(connection.makefile("rb"))


def read(stream: Any) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and content of the next answer."""
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return status, headers, json.loads(stream.read(int(headers["content-length"])))


def request(
    body: object = GOOD, path: str = "/v1/predict", *, key: str = "", more: str = ""
) -> bytes:
    """Return a request as bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(content)}"]
    if "content-type" not in more.lower():
        lines.append("Content-Type: application/json")
    lines += [f"X-API-Key: {key}"] * bool(key) + [more] * bool(more)
    return "\r\n".join([*lines, "", ""]).encode() + content


@contextlib.contextmanager
def _running(options: ServingSettings) -> Iterator[Api]:
    api = Api(options)
    try:
        yield api
    finally:
        api.server.should_exit = True
        api.thread.join(20)
        assert not api.thread.is_alive()


@pytest.fixture
def api(small_model: Path, tmp_path: Path) -> Iterator[Api]:
    with _running(ServingSettings(str(small_model), tmp_path / "state")) as found:
        yield found


@pytest.fixture
def guarded(small_model: Path, tmp_path: Path) -> Iterator[tuple[Api, str]]:
    """Give a server that asks for a key, and one that may ask twice and for three records."""
    keys = tmp_path / "keys.json"
    key = new_key(keys, rate_per_s=0.001, records_per_day=3)
    options = ServingSettings(str(small_model), tmp_path / "state", key_file=keys)
    with _running(options) as found:
        yield found, key


def test_a_small_request_goes_the_short_way_and_is_answered_as_on_the_long_one(api: Api) -> None:
    status, headers, content = api.ask(request())
    assert api.route.ways == [True]
    _, others, same = api.ask(request(path=LONG_WAY))
    assert api.route.ways == [True]
    ids = content.pop("request_id"), same.pop("request_id")
    assert status == 200
    assert content == same
    assert [re.fullmatch("[0-9a-f]{32}", one) is not None for one in ids] == [True, True]
    assert ids[0] != ids[1]
    assert headers["x-request-id"] == ids[0]
    assert set(headers) == set(others) == {"date", "content-type", "content-length", "x-request-id"}
    assert headers["content-type"] == "application/json"


REQUESTS = {
    "several": {"records": [{"text": TEXT}, {"text": "produzione di pane"}], "top_k": 2},
    "one bad": {"records": [{"text": TEXT}, {"text": ""}]},
    "side": {"records": [{"text": TEXT, "features": {"nature": "03"}}]},
    "least": {**GOOD, "min_probability": 0.5, "level": 2},
    "too many to be small": {"records": [{"text": TEXT}] * 9},
    "explained": {**GOOD, "explain": True},
    "dual without a table": {**GOOD, "dual": True},
    "no word": {"records": [{"text": "12 34"}]},
    "stop words": {"records": [{"text": "di"}]},
    "too long": {"records": [{"text": "x" * 5_001}]},
    "no records": {"records": []},
    "unknown coverage": {**GOOD, "set_coverage": 0.123},
    "wrong type": {"records": 5},
    "no json": b'{"records',
    "half a character": rb'{"records": [{"text": "\ud800"}]}',
    "empty": b"",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_both_ways_say_the_same(api: Api, name: str) -> None:
    short = api.ask(request(REQUESTS[name]))
    long = api.ask(request(REQUESTS[name], LONG_WAY))
    for _, headers, content in (short, long):
        content.pop("request_id", None)
        for changing in ("date", "x-request-id", "content-length"):
            headers.pop(changing)
    assert short == long


@pytest.mark.parametrize(
    ("more", "status"),
    [("Content-Type: text/plain", 415), ("Content-Type: application/json; charset=utf-8", 200)],
)
def test_other_types_go_the_long_way(api: Api, more: str, status: int) -> None:
    assert api.ask(request(more=more))[0] == status
    assert api.route.ways == [False]


def test_head_and_body_may_come_apart(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REST_WITHIN_S", 30.0)
    whole = request()
    cut = whole.index(b"{")
    with api.connect() as connection:
        for pieces in ((whole[:cut], whole[cut:]), [whole[n : n + 1] for n in range(len(whole))]):
            for piece in pieces:
                connection.sendall(piece)
            assert read(connection.makefile("rb"))[0] == 200
    assert api.route.ways == [True, True]


def test_who_sends_slowly_goes_the_long_way(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = request()
    with api.connect() as connection:
        connection.sendall(whole[:-5])
        wait_until(lambda: bool(api.server.server_state.tasks), timeout_s=10, what="the long way")
        connection.sendall(whole[-5:])
        assert read(connection.makefile("rb"))[0] == 200
        assert api.route.ways == []
        # And the next one of the same connection is short again.
        connection.sendall(whole)
        assert read(connection.makefile("rb"))[0] == 200
    assert api.route.ways == [True]


def test_requests_sent_at_once_are_answered_in_order(api: Api) -> None:
    bodies = [{"records": [{"text": TEXT}] * n} for n in (1, 3, 2)]
    with api.connect() as connection:
        connection.sendall(b"".join(map(request, bodies)))
        stream = connection.makefile("rb")
        assert [len(read(stream)[2]["results"]) for _ in bodies] == [1, 3, 2]
    # The first is not answered yet when the others are read.
    assert api.route.ways == [True]


@pytest.mark.parametrize("more", ["Expect: 100-continue", "Connection: close"])
def test_what_is_not_plain_is_left_to_uvicorn(api: Api, more: str) -> None:
    with api.connect() as connection:
        connection.sendall(request(more=more))
        stream = connection.makefile("rb")
        if more.startswith("Expect"):
            assert stream.readline().startswith(b"HTTP/1.1 100")
            assert stream.readline() == b"\r\n"
        status, headers, _ = read(stream)
        assert status == 200
        if more == "Connection: close":
            assert headers["connection"] == "close"
            assert stream.read() == b""
    assert api.route.ways == []


def test_a_large_body_goes_the_long_way(api: Api) -> None:
    body = json.dumps(GOOD).encode() + b" " * protocol.MOST_BYTES
    assert api.ask(request(body))[0] == 200
    assert api.route.ways == []


def test_garbage_after_a_good_head_ends_the_connection_and_no_other(api: Api) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with api.connect() as other, api.connect() as connection:
        connection.sendall(head)
        assert connection.makefile("rb").read().startswith(b"HTTP/1.1 400")
        other.sendall(request())
        assert read(other.makefile("rb"))[0] == 200


def test_a_client_that_leaves_costs_nobody_else_an_answer(api: Api) -> None:
    for cut in (None, -5):
        with api.connect() as connection:
            connection.sendall(request()[:cut])
    assert api.ask(request())[0] == 200
    wait_until(
        lambda: not api.server.server_state.connections, timeout_s=10, what="no connection left"
    )


def test_a_client_that_reads_nothing_is_not_read_from_for_ever(api: Api) -> None:
    many = request() * 200
    sent = 0
    with api.connect() as connection, contextlib.suppress(TimeoutError):
        connection.settimeout(3)
        while sent < 60_000_000:
            connection.sendall(many)
            sent += len(many)
    assert sent < 60_000_000


def test_keys_rates_and_quotas_hold_on_the_short_way(guarded: tuple[Api, str]) -> None:
    api, key = guarded
    two = {"records": [{"text": TEXT}] * 2}
    assert api.ask(request())[2]["error"]["code"] == "missing_key"
    assert api.ask(request(key="unknown"))[2]["error"]["code"] == "unknown_key"
    assert api.route.ways == [False, False]
    assert api.ask(request(two, key=key))[0] == 200
    api.app.gate.usage._table.cells[0] = 5.0  # tokens of a bucket that fills in a quarter hour
    status, headers, content = api.ask(request(two, key=key))
    assert (status, content["error"]["code"]) == (429, "quota_exceeded")
    assert int(headers["retry-after"]) > 0
    api.app.gate.usage._table.cells[0] = 0.0
    assert api.ask(request(key=key))[2]["error"]["code"] == "rate_limited"
    assert api.route.ways == [False, False, True, True, True]
    use = api.app.gate.usage.today(next(iter(api.app.gate.usage._places)))
    assert (use.requests, use.records, use.refused) == (2, 2, 2)
    text = api.app.metrics.render().decode()
    for status, count in ((200, 1), (401, 2), (429, 2)):
        line = f'autonoe_nace_requests_total{{route="/v1/predict",status="{status}"}} {count}.0'
        assert line in text


def test_a_model_that_fails_is_a_500_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of the model")

    model = api.app.holder.current().model
    with monkeypatch.context() as patched:
        patched.setattr(type(model), "predict", fail)
        status, _, content = api.ask(request())
        assert (status, content["error"]["code"]) == (500, "failed")
        assert "secret" not in json.dumps(content)
    assert api.ask(request())[0] == 200
    assert api.route.ways == [True, True]


def test_a_server_that_is_replaced_sends_its_clients_away(api: Api) -> None:
    with api.connect() as connection:
        api.app.gate.draining = True
        connection.sendall(request())
        stream = connection.makefile("rb")
        status, headers, _ = read(stream)
        assert (status, headers["connection"]) == (200, "close")
        assert stream.read() == b""


def test_a_request_half_read_at_a_stop_is_answered(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REST_WITHIN_S", 30.0)
    whole = request()
    with api.connect() as connection:
        connection.sendall(whole[:-5])
        wait_until(lambda: _half_read(api), timeout_s=10, what="half a request")
        api.server.should_exit = True
        wait_until(lambda: bool(api.server.server_state.tasks), timeout_s=10, what="the long way")
        connection.sendall(whole[-5:])
        status, headers, _ = read(connection.makefile("rb"))
    assert (status, headers["connection"]) == (200, "close")


def _half_read(api: Api) -> bool:
    return any(getattr(one, "_body", b"") for one in list(api.server.server_state.connections))
