"""Coding by look-up, in the manner of Sicore: a first stage, and the baseline of every model."""

from autonoe_nace.lookup.baseline import lookup_baseline
from autonoe_nace.lookup.index import LOOKUP_FILE, LookupAnswer, LookupIndex
from autonoe_nace.lookup.synonyms import SynonymSet, load_synonyms

__all__ = [
    "LOOKUP_FILE",
    "LookupAnswer",
    "LookupIndex",
    "SynonymSet",
    "load_synonyms",
    "lookup_baseline",
]
