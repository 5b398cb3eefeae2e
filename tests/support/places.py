"""Folders that tests read or write outside their own ``tmp_path``."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

ARTEFACTS = REPOSITORY / "build" / "test-artefacts"
"""Screenshots and logs that outlive a run; never committed."""


def shared() -> Path:
    """Return the folder of nomenclatures and labelled data that lies beside the repository."""
    chosen = os.environ.get("AUTONOE_SHARED")
    return Path(chosen) if chosen else REPOSITORY.parent / "shared"
