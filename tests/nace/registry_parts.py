"""What the tests of the registry share: models of known order of worth, and their registration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from mlflow import MlflowClient

from autonoe_nace import registry, tracking
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.training import TrainingParams, train
from support.mlflow_server import mlflow_server

GOLD_ROWS = range(5, 8_233, 20)


@cache
def gold() -> Dataset:
    """Return 412 texts whose rows none of the models below learns from."""
    return ateco().subset(GOLD_ROWS)


def train_model(folder: Path, *, rows: range, epoch: int, seed: int = 1) -> Path:
    """Train a small model; more rows and passes make a better one."""
    params = TrainingParams(
        dim=10, epoch=epoch, bucket=2_000, calibration_share=0, titles=False, seed=seed
    )
    return train(ateco().subset(rows), params).save(folder)


def registered(folders: Sequence[Path], name: str) -> list[str]:
    """Track and register each model under ``name`` without moving an alias; return versions."""
    return [
        registry.register(tracking.track(folder, {}, experiment=name), name=name).version
        for folder in folders
    ]


def as_champion(run: tracking.TrackedRun, name: str) -> registry.RegisteredVersion:
    """Register ``run`` and point ``champion`` to it in MLflow itself, unchecked and uncompared."""
    version = registry.register(run, name=name)
    MlflowClient().set_registered_model_alias(name, registry.CHAMPION, version.version)
    return replace(version, alias=registry.CHAMPION)


def champion(name: str) -> str:
    """Return the version of ``name`` that servers follow."""
    return str(MlflowClient().get_model_version_by_alias(name, registry.CHAMPION).version)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry of this module's own and point the environment to it."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url, pytest.MonkeyPatch.context() as m:
        m.setenv("MLFLOW_TRACKING_URI", url)
        m.setenv("MLFLOW_REGISTRY_URI", url)
        m.setenv("AUTONOE_ACCOUNT", "ana")
        yield url
