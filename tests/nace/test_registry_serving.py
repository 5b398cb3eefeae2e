"""A server follows a promotion and a rollback without losing a request, and refuses what is bad."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from autonoe.embedded import ports
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.serving.following import Follower
from autonoe_nace.serving.settings import ServingSettings
from nace.registry_parts import gold, mlflow, registered, train_model

__all__ = ["mlflow"]
pytestmark = pytest.mark.slow

PAUSE_S = 0.05
TIMEOUT_S = 600
"""Each swap starts two processes of Python, which a busy machine takes its time for."""
BODY = json.dumps({"records": [{"text": "coltivazione di riso"}, {"text": "panificio"}]})


class Client(threading.Thread):
    """Asks one question after the other on one connection, and keeps what was answered."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.ended = port, threading.Event()
        self.versions: list[str] = []
        self.lost: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        # steady, not saturating: the servers' own processes need the machine to fetch and check
        while not self.ended.wait(PAUSE_S):
            try:
                status, model = ask(connection)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.lost.append(repr(error))
                connection.close()
                continue
            if status != 200:
                self.lost.append(str(status))
            else:
                self.versions.append(str(model["version"]))
        connection.close()


def ask(connection: http.client.HTTPConnection) -> tuple[int, dict[str, object]]:
    connection.request("POST", "/v1/predict", BODY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    document = json.loads(answer.read())
    assert all("error" not in result or not result["error"] for result in document["results"])
    return answer.status, dict(document["model"])


@contextmanager
def server(uri: str, state: Path) -> Iterator[int]:
    """Run the real command and yield its port once it answers."""
    port = ports.choose(1)[0]
    command = [str(Path(sys.executable).with_name("autonoe")), "nace", "serve", "--model", uri]
    command += ["--port", str(port), "--state-dir", str(state), "--refresh", "0.5"]
    command += ["--registry-timeout", str(TIMEOUT_S)]
    with (state.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (state.parent / "server.log").read_text()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200

    try:
        wait_until(answers, timeout_s=TIMEOUT_S, what="the server", ignoring=(OSError,))
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def model_now(port: int) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        return ask(connection)[1]
    finally:
        connection.close()


def wait_for(port: int, version: str, *, stale: bool = False) -> None:
    wait_until(
        lambda: (model_now(port)["version"], model_now(port)["stale"]) == (version, stale),
        timeout_s=TIMEOUT_S,
        what=f"version {version}{' marked stale' if stale else ''}",
    )


def test_no_request_is_lost_while_the_alias_moves(mlflow: str, tmp_path: Path) -> None:
    name = f"swap-{uuid.uuid4().hex[:8]}"
    poor = train_model(tmp_path / "poor", rows=range(0, 4_000, 10), epoch=5)
    good = train_model(tmp_path / "good", rows=range(0, 8_000, 4), epoch=15)
    bad = train_model(tmp_path / "bad", rows=range(1, 4_000, 10), epoch=5)
    one, two = registered([poor, good], name)
    cache = tmp_path / "cache"
    registry.promote(name, one, gold=None, force_reason="the first model", cache=cache)
    with server(f"models:/{name}@champion", tmp_path / "state") as port:
        wait_for(port, one)
        clients = [Client(port) for _ in range(3)]
        for client in clients:
            client.start()
        assert registry.promote(name, two, gold=gold(), cache=cache).moved
        wait_for(port, two)
        assert registry.rollback(name, cache=cache).decision.version == one
        wait_for(port, one)

        # somebody points the alias to a version that was cut in the store: it never serves
        run = tracking.track(bad, {}, experiment=name)
        three = registry.register(run, name=name).version
        cut = tmp_path / "model.bin"
        cut.write_bytes((bad / "model.bin").read_bytes()[:-100])
        MlflowClient().log_artifact(run.run_id, str(cut), "model")
        MlflowClient().set_registered_model_alias(name, "champion", three)
        wait_for(port, one, stale=True)
        assert registry.history(name)[-1].kind == "outside"
        assert registry.rollback(name, cache=cache).decision.version == one
        wait_for(port, one)

        for client in clients:
            client.ended.set()
        for client in clients:
            client.join(timeout=60)
    served = Counter(version for client in clients for version in client.versions)
    assert [client.lost for client in clients] == [[], [], []]
    assert set(served) == {one, two}
    assert min(served.values()) > 5


def test_a_version_that_could_not_be_fetched_in_time_is_tried_again(
    mlflow: str, tmp_path: Path
) -> None:
    name = f"late-{uuid.uuid4().hex[:8]}"
    one, two = registered(
        [
            train_model(tmp_path / "one", rows=range(0, 4_000, 10), epoch=5),
            train_model(tmp_path / "two", rows=range(1, 4_000, 10), epoch=5),
        ],
        name,
    )
    client = MlflowClient()
    client.set_registered_model_alias(name, "champion", one)
    patient = ServingSettings(
        f"models:/{name}@champion", tmp_path / "state", registry_timeout_s=TIMEOUT_S
    )
    follower = Follower(patient)
    first = follower.look()
    assert first.source is not None
    assert first.source.version == one
    client.set_registered_model_alias(name, "champion", two)
    follower.settings = replace(patient, registry_timeout_s=0.01)
    hasty = follower.look()
    assert (hasty.source, hasty.stale) == (None, True)
    follower.settings = patient
    again = follower.look()
    assert again.source is not None
    assert (again.source.version, again.stale) == (two, False)
