"""How full the home folder is, in words: before it stops a person's work."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

GIB = 2**30
NEARLY = 0.9
"""Share of the disk from which a person is warned."""
FULL_BYTES = 32 * 2**20
"""With less left, Jupyter and Git fail in odd ways."""


@dataclass(frozen=True)
class HomeDisk:
    """The file system that the home folder is on."""

    total_bytes: int
    used_bytes: int
    free_bytes: int
    level: Literal["fine", "nearly_full", "full"]
    message: str
    """One sentence with amounts; for a disk that is filling up, what to do."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a plain document."""
        return asdict(self)


def describe(total: int, used: int, free: int) -> HomeDisk:
    """Return how full a disk is that has these many bytes.

    Parameters
    ----------
    total, used, free : int
        Bytes. Used and free need not add up: part can be kept for the administrator.
    """
    amounts = f"{_gib(used)} of {_gib(used + free)} GiB"
    if free < FULL_BYTES:
        level: Literal["fine", "nearly_full", "full"] = "full"
        message = f"Your home is full ({amounts}). Delete what you do not need, or move it to S3."
    elif used >= NEARLY * (used + free):
        level = "nearly_full"
        message = f"Your home is nearly full ({amounts}). Move large files to S3."
    else:
        level, message = "fine", f"Your home holds {amounts}."
    return HomeDisk(total, used, free, level, message)


def measure(home: Path) -> HomeDisk:
    """Return how full the disk of ``home`` is.

    Raises
    ------
    OSError
        If the folder cannot be looked at.
    """
    usage = shutil.disk_usage(home)
    return describe(usage.total, usage.used, usage.free)


def _gib(count: int) -> str:
    return f"{count / GIB:.1f}"
