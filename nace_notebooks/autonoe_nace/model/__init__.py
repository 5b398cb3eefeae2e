"""The trained model: its files, their checks, and predictions with calibrated probabilities."""

from autonoe_nace.model.nace_model import Candidate, NaceModel, Prediction

__all__ = ["Candidate", "NaceModel", "Prediction"]
