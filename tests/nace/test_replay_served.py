"""The log of a real server, every kind of request in it, comes out the same from the registry."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from autonoe.cli import main
from autonoe.waiting import wait_until
from autonoe_nace import registry, tracking
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.replay import from_registry, read_rows, replay
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import mlflow

__all__ = ["mlflow"]

PARAMS = TrainingParams(dim=12, epoch=8, bucket=4_000, lookup=True, titles=False, keep_texts=False)
FETCH_S = 300
"""Longest wait for the model: the server fetches and checks it in processes of their own."""


def material() -> Dataset:
    data = ateco().subset(range(0, 6_000, 6))
    return replace(data, features={"TYPE_LIASSE": tuple("AC"[i % 2] for i in range(len(data)))})


@pytest.fixture(scope="module")
def version(mlflow: str, tmp_path_factory: pytest.TempPathFactory) -> registry.RegisteredVersion:
    """Return a registered model with a rules engine and a side variable."""
    folder = train(material(), PARAMS).save(tmp_path_factory.mktemp("model") / "rich")
    name = f"replayed-{uuid.uuid4().hex[:12]}"
    return registry.register(tracking.track(folder, {}, experiment=name), name=name)


def ask_everything(client: TestClient) -> int:
    """Send each kind of request that is logged; return how many texts were answered."""
    known = list(material().texts[:20])
    texts = ["coltivazione di riso", "commercio al dettaglio di scarpe", "trasporto merci", *known]
    answered = 0

    def ask(records: list[dict[str, Any]], **more: Any) -> None:
        nonlocal answered
        answer = client.post("/v1/predict", json={"records": records, **more})
        assert answer.status_code == 200, answer.text
        answered += sum("candidates" in result for result in answer.json()["results"])

    ask([{"text": texts[0]}])
    ask([{"text": texts[0], "features": {"TYPE_LIASSE": "A"}}], top_k=1)
    ask([{"text": text} for text in texts], top_k=3)
    ask([{"text": t, "features": {"TYPE_LIASSE": "AC"[i % 2]}} for i, t in enumerate(texts)])
    ask([{"text": text} for text in texts], level=2)
    ask([{"text": text} for text in texts], min_probability=0.1, set_coverage=0.9)
    ask([{"text": texts[1]}, {"text": "..."}, {"text": texts[2]}])
    query = {"text_description": texts[1], "type_liasse": "C", "prob_min": 0}
    assert client.get("/predict", params=query).status_code == 200
    batch = {"text_description": texts, "type_": ["C"] * len(texts)}
    assert len(client.post("/predict-batch", json=batch).json()) == len(texts)
    return answered + 1 + len(texts)


@pytest.fixture(scope="module")
def served(
    version: registry.RegisteredVersion, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, int]:
    """Return the folder of a server's log, and how many texts it answered."""
    state = tmp_path_factory.mktemp("state")
    options = ServingSettings(version.uri, state, threshold=0.3, registry_timeout_s=FETCH_S)
    with TestClient(ServingApp(options).asgi()) as client:
        wait_until(
            lambda: client.get("/health/ready").status_code == 200,
            timeout_s=FETCH_S,
            what="the model from the registry",
        )
        answered = ask_everything(client)
    return state / "logs", answered


def test_a_servers_whole_log_is_given_again_by_the_command(
    served: tuple[Path, int],
    version: registry.RegisteredVersion,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs, answered = served
    rows = list(read_rows(str(logs)))
    assert {row.stage for row in rows} == {"model", "lookup"}, "both are to be replayed"
    assert len({row.level for row in rows}) == 2
    assert {row.features.get("TYPE_LIASSE", "") for row in rows} == {"", "A", "C"}
    assert any(row.fallback_code for row in rows)
    assert len({len(row.codes) for row in rows}) > 3
    with pytest.raises(SystemExit) as left:
        main(["nace", "replay", str(logs), "--cache", str(tmp_path / "cache"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert not left.value.code, report["differences"]
    assert (report["rows"], report["identical"], report["replayed"]) == (
        answered + 1, answered, answered,
    )  # fmt: skip
    assert report["not_replayed"] == {"refused": 1}
    (model,) = report["models"]
    assert (model["name"], model["version"]) == (version.name, version.version)
    assert (model["sha256"], model["problem"]) == (version.sha256, "")


def test_the_registry_gives_a_replay_the_logged_version_or_says_why_not(
    served: tuple[Path, int], version: registry.RegisteredVersion, tmp_path: Path
) -> None:
    rows = list(read_rows(str(served[0]), limit=3))
    source = from_registry(tmp_path / "cache")
    assert source(version.name, version.version, version.sha256).manifest.hashes["model"] == (
        version.sha256
    )

    def problem(row: dict[str, Any]) -> str:
        report = replay([row], source)
        assert (report.passed, report.not_replayed) == (False, {"no_model": 1})
        return report.models[0].problem

    first = {name: getattr(rows[0], name) for name in LogRecord.__struct_fields__}
    assert "not the model" in problem({**first, "model_sha256": "0" * 64})
    assert "MLflow has not got" in problem({**first, "model_version": "99"})
    # a cache that lost its files is filled again
    shutil.rmtree(tmp_path / "cache")
    assert replay(rows, source).identical == 3
