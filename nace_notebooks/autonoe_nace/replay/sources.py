"""Where a replay finds the model of a logged answer: a folder, or the registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autonoe.errors import AutonoeError, NotFoundError
from autonoe_nace.model import NaceModel

ModelSource = Callable[[str, str, str], NaceModel]
"""From name, version and SHA-256 to the model; raises ``AutonoeError`` when it cannot be had."""


def from_folder(folder: Path) -> ModelSource:
    """Return a source that knows the one model in ``folder``."""

    def load(name: str, version: str, sha256: str) -> NaceModel:
        return _the_one(NaceModel.load(folder), sha256)

    return load


def from_registry(cache: Path) -> ModelSource:
    """Return a source that fetches versions from the registry and keeps them in ``cache``."""
    from autonoe_nace.registry import fetch

    def load(name: str, version: str, sha256: str) -> NaceModel:
        folder, found = fetch(f"models:/{name}/{version}", cache)
        if found.sha256 != sha256:
            raise _another(sha256)
        return _the_one(NaceModel.load(folder), sha256)

    return load


def _the_one(model: NaceModel, sha256: str) -> NaceModel:
    if model.manifest.hashes["model"] != sha256:
        raise _another(sha256)
    return model


def _another(sha256: str) -> AutonoeError:
    return NotFoundError(
        f"This is not the model {sha256[:12]} that gave the answer.",
        hint="autonoe nace models history NAME tells which versions served.",
    )
