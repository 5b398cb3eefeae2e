"""From one version of a classification to another: tables, dual coding, recoding, series."""

from autonoe_nace.recoding.answers import Ambiguity, CodePair, DualPrediction
from autonoe_nace.recoding.correspondence import Correspondence, Relation
from autonoe_nace.recoding.dual import DualCoder, dual_predict
from autonoe_nace.recoding.sources import load_correspondence

__all__ = [
    "Ambiguity",
    "CodePair",
    "Correspondence",
    "DualCoder",
    "DualPrediction",
    "Relation",
    "dual_predict",
    "load_correspondence",
]
