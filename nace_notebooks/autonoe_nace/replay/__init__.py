"""Replay: any logged answer can be given again by the very model that gave it."""

from autonoe_nace.replay.report import Difference, ModelUsed, ReplayReport
from autonoe_nace.replay.rows import read_rows
from autonoe_nace.replay.run import TOLERANCE, replay
from autonoe_nace.replay.sources import from_folder, from_registry

__all__ = [
    "TOLERANCE",
    "Difference",
    "ModelUsed",
    "ReplayReport",
    "from_folder",
    "from_registry",
    "read_rows",
    "replay",
]
