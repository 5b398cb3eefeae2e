"""Labelled texts: reading them, what was wrong with them, and the default set."""

from autonoe_nace.data.ateco2025 import ateco
from autonoe_nace.data.class_texts import read_class_texts
from autonoe_nace.data.dataset import DataReport, Dataset, Finding, examine
from autonoe_nace.data.reading import read_table, read_texts

__all__ = [
    "DataReport",
    "Dataset",
    "Finding",
    "ateco",
    "examine",
    "read_class_texts",
    "read_table",
    "read_texts",
]
