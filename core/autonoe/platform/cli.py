"""The command ``autonoe platform``."""

from __future__ import annotations

import click


@click.group()
def platform() -> None:
    """Plan, install and check what a hub on Kubernetes rests on."""
