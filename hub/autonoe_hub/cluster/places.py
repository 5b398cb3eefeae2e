"""Where a hub on a cluster keeps what it may lose."""

from __future__ import annotations

import os
from pathlib import Path

from autonoe.profiles.site import SiteSettings

STATE = Path("/srv/jupyterhub")
"""The hub's volume."""


def writable(name: str) -> Path | None:
    """Return a place below the hub's volume; None where there is no volume that it can write."""
    return STATE / name if os.access(STATE, os.W_OK) else None


def site_files() -> tuple[Path | None, Path | None]:
    """Return the organisation's settings and the cache of catalogues."""
    settings = SiteSettings()
    return settings.file, settings.cache or writable("catalogues")
