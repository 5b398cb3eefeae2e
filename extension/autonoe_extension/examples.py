"""Copies the example notebooks into the person's home at the start of their server."""

from __future__ import annotations

import importlib
import logging
from importlib.util import find_spec
from pathlib import Path

FOLDER = "nace"
"""Below the server's root folder."""


def install_examples(root_dir: str, log: logging.Logger) -> None:
    """Copy the NACE notebooks to ``<root_dir>/nace``; what is there already stays as it is.

    An edge: a full disk or a broken package must not stop the server, so it logs one line instead.
    """
    # The package is an extra of its own: a server without it simply has no examples.
    if find_spec("autonoe_nace.notebooks") is None:
        return
    try:
        notebooks = importlib.import_module("autonoe_nace.notebooks")
        notebooks.install(Path(root_dir) / FOLDER)
    except Exception as error:
        log.warning(
            "Autonoe: the example notebooks could not be copied to %s: %s",
            Path(root_dir) / FOLDER,
            error,
        )
