"""Preparation of activity texts: the same bytes of code and data in training and in serving."""

from autonoe_nace.text.bands import Banding, built_in_bands, load_bands
from autonoe_nace.text.effects import Effect, rule_effects
from autonoe_nace.text.features import FeatureTokens
from autonoe_nace.text.preparation import Preparation
from autonoe_nace.text.rules import Rule, RuleSet, available_languages, load_rules, rules_for

__all__ = [
    "Banding",
    "Effect",
    "FeatureTokens",
    "Preparation",
    "Rule",
    "RuleSet",
    "available_languages",
    "built_in_bands",
    "load_bands",
    "load_rules",
    "rule_effects",
    "rules_for",
]
