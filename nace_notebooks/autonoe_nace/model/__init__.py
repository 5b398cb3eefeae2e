"""The trained model: its files, their checks, and predictions with calibrated probabilities."""

from autonoe_nace.model.answers import Candidate, Prediction
from autonoe_nace.model.nace_model import NaceModel

__all__ = ["Candidate", "NaceModel", "Prediction"]
