"""Coding by look-up, in the manner of Sicore: a first stage, and the baseline of every model."""

from autonoe_nace.lookup.baseline import beside_model, lookup_baseline
from autonoe_nace.lookup.entry import LookupAnswer
from autonoe_nace.lookup.index import LOOKUP_FILE, LookupIndex
from autonoe_nace.lookup.synonyms import SynonymSet, load_synonyms

__all__ = [
    "LOOKUP_FILE",
    "LookupAnswer",
    "LookupIndex",
    "SynonymSet",
    "beside_model",
    "load_synonyms",
    "lookup_baseline",
]
