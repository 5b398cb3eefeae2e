"""What a model's folder holds, readable without loading the model or any library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autonoe.errors import InvalidInputError

MODEL_FILES = ("model.bin", "model.json", "README.md")
"""The only files of a model folder that are ever logged or fetched."""


def read_manifest(model_dir: Path) -> dict[str, Any]:
    """Return ``model.json`` of a model folder.

    Raises
    ------
    InvalidInputError
        If the folder holds no readable manifest.
    """
    try:
        manifest = json.loads((model_dir / "model.json").read_text(encoding="utf-8"))
        known = isinstance(manifest["hashes"]["model"], str)
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InvalidInputError(
            f"{model_dir.name} is no model folder: model.json is missing or unreadable.",
            hint="Make one with: autonoe nace train --data FILE --output DIR",
        )
    assert isinstance(manifest, dict)  # noqa: S101  the line that reads its hashes proves it
    return manifest
