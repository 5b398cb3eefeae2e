"""Preparation of activity texts: the same bytes of code and data in training and in serving."""

from autonoe_nace.text.preparation import Preparation
from autonoe_nace.text.rules import Rule, RuleSet, available_languages, load_rules, rules_for

__all__ = ["Preparation", "Rule", "RuleSet", "available_languages", "load_rules", "rules_for"]
