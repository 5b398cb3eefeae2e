"""The model registry: versions, their checks, the gate, and the alias that servers follow."""

from autonoe_nace.registry.fetching import fetch
from autonoe_nace.registry.versions import CHAMPION, RegisteredVersion, register

__all__ = ["CHAMPION", "RegisteredVersion", "fetch", "register"]
