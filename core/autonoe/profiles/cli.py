"""The command ``autonoe profiles``."""

from __future__ import annotations

import click


@click.group()
def profiles() -> None:
    """Check and show the catalogue of profiles."""
