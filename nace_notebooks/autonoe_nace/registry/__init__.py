"""The model registry: versions, their checks, the gate, and the alias that servers follow.

What compares models is imported when it is asked for: the process in which a server fetches a model
needs none of it, and starts in half the time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from autonoe_nace.registry.fetching import fetch
from autonoe_nace.registry.registration import register
from autonoe_nace.registry.versions import CHAMPION, RegisteredVersion

if TYPE_CHECKING:
    from autonoe_nace.registry.checks import CheckItem, CheckLimits, CheckReport, check
    from autonoe_nace.registry.decisions import Decision, history
    from autonoe_nace.registry.gating import GateReport, gate
    from autonoe_nace.registry.promotion import Outcome, promote, rollback

__all__ = [
    "CHAMPION",
    "CheckItem",
    "CheckLimits",
    "CheckReport",
    "Decision",
    "GateReport",
    "Outcome",
    "RegisteredVersion",
    "check",
    "fetch",
    "gate",
    "history",
    "promote",
    "register",
    "rollback",
]

_LATER = {
    "CheckItem": "checks",
    "CheckLimits": "checks",
    "CheckReport": "checks",
    "check": "checks",
    "Decision": "decisions",
    "history": "decisions",
    "GateReport": "gating",
    "gate": "gating",
    "Outcome": "promotion",
    "promote": "promotion",
    "rollback": "promotion",
}


def __getattr__(name: str) -> Any:
    """Import what compares models when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
