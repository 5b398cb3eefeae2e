"""Nomenclatures of activities: levels, titles and parents of codes."""

from autonoe_nace.nomenclature.sources import BUILT_IN, load_nomenclature
from autonoe_nace.nomenclature.tree import LEVEL_NAMES, Node, Nomenclature

__all__ = ["BUILT_IN", "LEVEL_NAMES", "Node", "Nomenclature", "load_nomenclature"]
