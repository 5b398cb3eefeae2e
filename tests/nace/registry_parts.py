"""What the tests of the registry share: models of known order of worth, and their registration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from autonoe_nace import registry, tracking
from autonoe_nace.data import Dataset, ateco
from autonoe_nace.training import TrainingParams, train


@cache
def gold() -> Dataset:
    """Return 412 texts that none of the models below learns from."""
    return ateco().subset(range(5, 8_233, 20))


def train_model(folder: Path, *, rows: range, epoch: int, seed: int = 1) -> Path:
    """Train a small model; more rows and passes make a better one."""
    params = TrainingParams(
        dim=10, epoch=epoch, bucket=2_000, calibration_share=0, titles=False, seed=seed
    )
    return train(ateco().subset(rows), params).save(folder)


def registered(folders: Sequence[Path], name: str) -> list[str]:
    """Track and register each model under ``name`` without moving an alias; return versions."""
    return [
        registry.register(tracking.track(folder, {}, experiment=name), name=name, alias="").version
        for folder in folders
    ]
