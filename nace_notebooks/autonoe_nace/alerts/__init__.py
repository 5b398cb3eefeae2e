"""Alert rules in a file: evaluated over the logs, written with their figures, able to retrain."""

from autonoe_nace.alerts.check import check
from autonoe_nace.alerts.rules import Rule, RuleFile, load_rules

__all__ = ["Rule", "RuleFile", "check", "load_rules"]
