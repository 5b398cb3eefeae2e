"""One small real model for all tests of the service side; training it takes a second or two."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe_nace.data import ateco
from autonoe_nace.training import TrainingParams, train
from support.doubly_coded import doubly, forward, recoded, register

__all__ = ["doubly", "forward", "recoded", "register"]
"""Fixtures of the recoding tests."""


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model of 400 Italian texts: quick to train, poor at coding."""
    data = ateco().subset(range(0, 4_000, 10))
    params = TrainingParams(dim=10, epoch=5, bucket=2_000, calibration_share=0, titles=False)
    return train(data, params).save(tmp_path_factory.mktemp("model") / "small")
