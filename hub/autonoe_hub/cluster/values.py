"""The values that the chart was installed with, as the hub's pod sees them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from autonoe.errors import InvalidInputError

VALUES_FILE = Path("/usr/local/etc/jupyterhub/secret/values.yaml")
"""Where the z2jh chart mounts them; our own renderer mounts them at the same place."""


def values_file() -> Path:
    """Return where the values are: what ``AUTONOE_HUB_VALUES_FILE`` names, else the chart's place.

    Beside it lie the keys of the same Secret, a file for each.
    """
    return Path(os.environ.get("AUTONOE_HUB_VALUES_FILE", VALUES_FILE))


def read_values(file: Path | None = None) -> dict[str, Any]:
    """Return the installed values; an empty dict where there are none, as on a laptop.

    Parameters
    ----------
    file : Path, optional
        Default: `values_file`.

    Raises
    ------
    InvalidInputError
        If the file holds something else than one YAML mapping.
    """
    path = file or values_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        # The parser's own message would repeat a line of a file that holds secrets.
        raise InvalidInputError(
            f"{path} is not a YAML mapping.", hint="Check the values the hub was installed with."
        )
    return values


def lookup(values: dict[str, Any], path: str, default: Any = None) -> Any:
    """Return ``values["a"]["b"]`` for ``path="a.b"``; ``default`` for what is missing or null."""
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, dict):
            return default
        found = found.get(part)
    return default if found is None else found
