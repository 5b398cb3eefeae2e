"""The API follows its alias, and outlives the registry and bad versions."""

from __future__ import annotations

import http.client
import json
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from starlette.testclient import TestClient

from autonoe.credentials import session
from autonoe.credentials.settings import AgentSettings
from autonoe.waiting import wait_until
from autonoe_nace import tracking
from autonoe_nace.data import ateco
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import as_champion
from support.platform import Platform
from support.serving_process import start

pytestmark = [pytest.mark.platform, pytest.mark.slow]

BODY = {"records": [{"text": "coltivazione di riso"}]}
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def name(platform: Platform) -> Iterator[str]:
    with session(AgentSettings.for_account(platform.layout, platform.owner)):
        yield f"test-{uuid.uuid4().hex[:12]}"


def model_of(client: TestClient) -> dict:  # type: ignore[type-arg]
    answer = client.post("/v1/predict", json=BODY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["model"])


def ready(client: TestClient) -> None:
    wait_until(
        lambda: client.get("/health/ready").status_code == 200, timeout_s=120, what="a model"
    )


def test_it_follows_its_alias_and_outlives_the_registry(
    name: str, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = as_champion(tracking.track(small_model, {}, experiment=name), name)
    options = ServingSettings(first.uri, tmp_path / "state", refresh_s=0.2)
    with TestClient(ServingApp(options).asgi()) as client:
        ready(client)
        assert (model_of(client)["version"], model_of(client)["stale"]) == ("1", False)

        alive = os.environ["MLFLOW_TRACKING_URI"]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", DEAD)
        wait_until(lambda: model_of(client)["stale"], timeout_s=60, what="the mark of staleness")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
        wait_until(lambda: not model_of(client)["stale"], timeout_s=60, what="the registry again")

        # a second version: every request in between is answered, by one model or the other
        params = TrainingParams(
            dim=10, epoch=6, bucket=2_000, calibration_share=0, titles=False, seed=7
        )
        other = train(ateco().subset(range(0, 4_000, 10)), params).save(tmp_path / "other")
        second = as_champion(tracking.track(other, {}, experiment=name), name)
        wait_until(
            lambda: model_of(client)["version"] == second.version, timeout_s=120, what="the swap"
        )
        assert model_of(client)["sha256"] == second.sha256

        # a third version that is cut off never serves; the alias goes back, and all is well
        third_run = tracking.track(
            train(ateco().subset(range(1, 4_000, 10)), params).save(tmp_path / "third"),
            {},
            experiment=name,
        )
        cut = tmp_path / "model.bin"
        cut.write_bytes((tmp_path / "third" / "model.bin").read_bytes()[:-100])
        MlflowClient().log_artifact(third_run.run_id, str(cut), "model")
        as_champion(third_run, name)
        wait_until(lambda: model_of(client)["stale"], timeout_s=120, what="the refusal")
        assert model_of(client)["version"] == second.version
        MlflowClient().set_registered_model_alias(name, "champion", second.version)
        wait_until(lambda: not model_of(client)["stale"], timeout_s=60, what="the alias back")

    # the registry is down at the next start: the last good model answers, and says so
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DEAD)
    with TestClient(ServingApp(options).asgi()) as client:
        ready(client)
        model = model_of(client)
        assert (model["version"], model["stale"]) == (second.version, True)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
        wait_until(lambda: not model_of(client)["stale"], timeout_s=60, what="the registry again")


def test_without_registry_and_last_model_it_waits_and_recovers(
    name: str, small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = as_champion(tracking.track(small_model, {}, experiment=name), name)
    alive = os.environ["MLFLOW_TRACKING_URI"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DEAD)
    options = ServingSettings(version.uri, tmp_path / "state", refresh_s=0.2)
    with TestClient(ServingApp(options).asgi()) as client:
        wait_until(
            lambda: "fetch" in client.get("/health/ready").json()["error"]["message"],
            timeout_s=120,
            what="the reason",
        )
        assert client.get("/health/live").status_code == 200
        monkeypatch.setenv("MLFLOW_TRACKING_URI", alive)
        ready(client)
        assert model_of(client)["version"] == version.version


def test_an_alias_that_flaps_under_load_loses_no_request(
    name: str, small_model: Path, tmp_path: Path
) -> None:
    first = as_champion(tracking.track(small_model, {}, experiment=name), name)
    params = TrainingParams(
        dim=10, epoch=6, bucket=2_000, calibration_share=0, titles=False, seed=7
    )
    other = train(ateco().subset(range(0, 4_000, 10)), params).save(tmp_path / "other")
    second = as_champion(tracking.track(other, {}, experiment=name), name)
    server = start(first.uri, tmp_path / "state", "--workers", "2", "--refresh", "0.2")
    answered: list[str] = []
    lost: list[object] = []
    done = threading.Event()

    def keep_asking(*, kept: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while not done.is_set():
            try:
                connection.request(
                    "POST", "/v1/predict", json.dumps(BODY), {"Content-Type": "application/json"}
                )
                answer = connection.getresponse()
                document = json.loads(answer.read())
                if answer.status == 200:
                    answered.append(document["model"]["version"])
                else:
                    lost.append(document)
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)
            if not kept:
                connection.close()  # the next request connects anew

    try:
        server.wait()
        clients = [
            threading.Thread(target=keep_asking, kwargs={"kept": kept}) for kept in (True, False)
        ]
        for client in clients:
            client.start()
        for version in (first.version, second.version) * 2:
            MlflowClient().set_registered_model_alias(name, "champion", version)
            seen = len(answered)
            wait_until(
                lambda seen=seen, version=version: version in answered[seen:],  # type: ignore[misc]
                timeout_s=120,
                what=f"version {version}",
            )
        done.set()
        for client in clients:
            client.join(60)
    finally:
        done.set()
        server.process.terminate()
        server.process.communicate(timeout=60)
    assert lost == []
    assert set(answered) == {first.version, second.version}
