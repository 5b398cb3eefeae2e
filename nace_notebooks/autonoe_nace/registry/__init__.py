"""The model registry: versions, their checks, the gate, and the alias that servers follow."""

from autonoe_nace.registry.checks import CheckItem, CheckLimits, CheckReport, check
from autonoe_nace.registry.decisions import Decision, history
from autonoe_nace.registry.fetching import fetch
from autonoe_nace.registry.gate import GateReport, gate
from autonoe_nace.registry.promotion import Outcome, promote, rollback
from autonoe_nace.registry.registration import register
from autonoe_nace.registry.versions import CHAMPION, RegisteredVersion

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
