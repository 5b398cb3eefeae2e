"""A server with a correspondence, whose alias moves to a model of another classification."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from mlflow import MlflowClient

from autonoe.waiting import wait_until
from autonoe_nace.data import examine
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.training import TrainingParams, train
from nace.registry_parts import mlflow, registered
from support.serving_process import TEXT, Server, start

__all__ = ["mlflow"]
pytestmark = pytest.mark.slow

TIMEOUT_S = 300
"""Each swap starts two processes of Python, which a busy machine takes its time for."""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that codes to NACE Rev. 2."""
    tree = load_nomenclature("nace-rev2")
    codes = tree.at_level(4)[::6]
    data = examine([tree.title(code) for code in codes], codes, tree)
    params = TrainingParams(dim=10, epoch=5, bucket=2_000, calibration_share=0, titles=False)
    return train(data, params, tree).save(tmp_path_factory.mktemp("models") / "foreign")


def model_of(server: Server) -> tuple[str, bool]:
    status, answer = server.post(TEXT)
    assert status == 200, answer
    return answer["model"]["version"], answer["model"]["stale"]


def test_a_version_of_another_classification_never_answers(
    mlflow: str, small_model: Path, foreign: Path, tmp_path: Path
) -> None:
    name = f"dual-{uuid.uuid4().hex[:8]}"
    own, other = registered([small_model, foreign], name)
    client = MlflowClient()

    def point_to(version: str, answers: tuple[str, bool]) -> None:
        client.set_registered_model_alias(name, "champion", version)
        wait_until(
            lambda: model_of(server) == answers, timeout_s=TIMEOUT_S, what=f"the answer {answers}"
        )

    client.set_registered_model_alias(name, "champion", own)
    options = ("--refresh", "0.3", "--correspondence", "ateco")
    server = start(f"models:/{name}@champion", tmp_path / "state", *options)
    try:
        server.wait()
        point_to(own, (own, False))
        point_to(other, (own, True))
        status, answer = server.post({**TEXT, "dual": True})
        assert (status, answer["model"]["version"]) == (200, own)
        assert answer["results"][0]["dual"]["pair"]["target"]
        point_to(own, (own, False))
    finally:
        server.process.terminate()
        _, said = server.process.communicate(timeout=60)
    assert said.count(b"the correspondence ateco is between ateco2025 and ateco2022") == 1
    assert b"Traceback" not in said
