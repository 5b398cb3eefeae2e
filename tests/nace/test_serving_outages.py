"""A server that starts while the registry, or its object store, is down, and one whose alias flaps.

The real command serves from a real registry; between them is a server that lets everything pass
until a test wants it otherwise.
"""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest
from mlflow import MlflowClient

from autonoe.waiting import wait_until
from nace.registry_parts import mlflow, registered, train_model
from support.registry_front import Fault, Front, front
from support.serving_process import TEXT, Server, start

__all__ = ["mlflow"]
pytestmark = pytest.mark.slow

TIMEOUT_S = 300
"""Each swap starts two processes of Python, which a busy machine takes its time for."""
MOVES = 30
PAUSE_S = 0.1


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [
        train_model(folder / name, rows=range(first, 4_000, 10), epoch=5)
        for first, name in enumerate(("one", "two"))
    ]


@pytest.fixture
def name(mlflow: str) -> str:
    return f"outage-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def faulty(mlflow: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """Put a front before the registry, for the servers that a test starts."""
    with front(mlflow) as (between, address):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", address)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
        yield between


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start_one(uri: str, *options: str) -> Server:
        timeout = ("--registry-timeout", str(TIMEOUT_S))
        server = start(uri, tmp_path / "state", "--refresh", "0.3", *timeout, *options)
        started.append(server)
        server.wait()
        return server

    yield start_one
    for server in started:
        server.process.terminate()
        server.process.communicate(timeout=60)


def model_of(server: Server) -> tuple[str, bool]:
    status, answer = server.post(TEXT)
    assert status == 200, answer
    return answer["model"]["version"], answer["model"]["stale"]


def wait_for(server: Server, version: str) -> None:
    wait_until(
        lambda: model_of(server) == (version, False), timeout_s=TIMEOUT_S, what=f"version {version}"
    )


@pytest.mark.parametrize("fault", get_args(Fault))
def test_what_is_down_at_the_start_costs_freshness_and_no_answer(
    serve: Callable[..., Server], folders: list[Path], name: str, faulty: Front, fault: Fault
) -> None:
    first, second = registered(folders, name)
    uri = f"models:/{name}@champion"
    MlflowClient().set_registered_model_alias(name, "champion", first)
    server = serve(uri)
    wait_for(server, first)
    assert server.metric("model_stale") == 0
    server.process.terminate()
    server.process.wait(timeout=60)

    # the alias moves while nobody serves, so that the copy on this machine is not enough
    MlflowClient().set_registered_model_alias(name, "champion", second)
    faulty.fault = fault
    server = serve(uri, "--workers", "2")
    wait_until(lambda: faulty.hit > 0, timeout_s=TIMEOUT_S, what="a question to the registry")
    assert model_of(server) == (first, True)
    assert server.metric("model_stale") == 1
    status, ready = server.get("/health/ready")
    assert (status, json.loads(ready)["model"]["stale"]) == (200, True)

    faulty.fault = None
    faulty.released.set()
    wait_for(server, second)
    assert server.metric("model_stale") == 0


@pytest.mark.parametrize("fault", ["registry hangs", "store hangs"])
def test_nobody_waits_for_a_registry_that_hangs_where_a_good_copy_is(
    *,
    serve: Callable[..., Server],
    folders: list[Path],
    name: str,
    faulty: Front,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = registered(folders, name)
    MlflowClient().set_registered_model_alias(name, "champion", first)
    server = serve(f"models:/{name}@champion")
    wait_for(server, first)
    server.process.terminate()
    server.process.wait(timeout=60)
    MlflowClient().set_registered_model_alias(name, "champion", second)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    faulty.fault = fault
    server = serve(f"models:/{name}@champion")
    wait_until(lambda: faulty.hit > 0, timeout_s=TIMEOUT_S, what="a question to the registry")
    assert model_of(server) == (first, True)
    assert faulty.let_go == 0, "the question still waits for its answer; people got theirs"


def test_once_it_is_ready_nobody_hears_that_there_is_no_model(
    folders: list[Path], name: str, tmp_path: Path, mlflow: str
) -> None:
    (first,) = registered(folders[:1], name)
    MlflowClient().set_registered_model_alias(name, "champion", first)
    server = start(f"models:/{name}@champion", tmp_path / "state", "--workers", "3")
    try:
        # without a pause: the moment between the first worker with a model and the last is short
        server.wait(interval_s=0)
        assert {server.post(TEXT)[0] for _ in range(100)} == {200}
    finally:
        server.process.terminate()
        server.process.communicate(timeout=60)


def test_a_whole_copy_needs_no_store_and_is_not_stale(
    serve: Callable[..., Server], folders: list[Path], name: str, faulty: Front
) -> None:
    (first,) = registered(folders[:1], name)
    MlflowClient().set_registered_model_alias(name, "champion", first)
    server = serve(f"models:/{name}@champion")
    wait_for(server, first)
    server.process.terminate()
    server.process.wait(timeout=60)
    faulty.fault = "store fails"
    server = serve(f"models:/{name}@champion")
    wait_for(server, first)
    assert faulty.hit == 0


class Client(threading.Thread):
    """Asks one question after the other, on one connection or on a new one each time."""

    def __init__(self, port: int, *, kept: bool) -> None:
        super().__init__(daemon=True)
        self.port, self.kept, self.ended = port, kept, threading.Event()
        self.versions: list[str] = []
        self.lost: list[object] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        # steady, not saturating: the server's own processes need the machine to fetch and check
        while not self.ended.wait(0.05):
            try:
                connection.request(
                    "POST", "/v1/predict", json.dumps(TEXT), {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                document = json.loads(answer.read())
                if answer.status == 200:
                    self.versions.append(document["model"]["version"])
                else:
                    self.lost.append(document)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(error)
                connection.close()
            if not self.kept:
                connection.close()  # the next request connects anew
        connection.close()


def test_an_alias_that_never_rests_loses_no_request_and_ends_where_it_stops(
    serve: Callable[..., Server], folders: list[Path], name: str
) -> None:
    first, second = registered(folders, name)
    registry = MlflowClient()
    registry.set_registered_model_alias(name, "champion", first)
    server = serve(f"models:/{name}@champion", "--workers", "2")
    wait_for(server, first)
    clients = [Client(server.port, kept=kept) for kept in (True, True, False)]
    for client in clients:
        client.start()
    pause = threading.Event()
    for move in range(MOVES):
        registry.set_registered_model_alias(name, "champion", (second, first)[move % 2])
        pause.wait(PAUSE_S)
    registry.set_registered_model_alias(name, "champion", second)
    wait_for(server, second)
    for client in clients:
        seen = len(client.versions)
        wait_until(
            lambda c=client, n=seen: c.versions[n:][-3:] == [second] * 3,  # type: ignore[misc]
            timeout_s=TIMEOUT_S,
            what="the last version for every client",
        )
        client.ended.set()
        client.join(60)
    assert [client.lost for client in clients] == [[], [], []]
    assert {version for client in clients for version in client.versions} == {first, second}
    assert model_of(server) == (second, False)
