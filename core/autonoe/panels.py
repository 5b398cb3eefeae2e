"""The panels that are installed, found by entry point: ``panels.credentials()``.

The panels themselves live in the extension, which core may not import.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

GROUP = "autonoe.panels"


def __getattr__(name: str) -> Any:
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    raise AttributeError(
        f"No panel named {name!r} is installed; there are: {', '.join(__dir__()) or 'none'}."
    )


def __dir__() -> list[str]:
    return sorted({entry.name for entry in entry_points(group=GROUP)})
