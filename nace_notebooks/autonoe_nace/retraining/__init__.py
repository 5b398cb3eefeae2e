"""From new labels to a better champion: train, compare on gold nobody learned from, promote."""

from autonoe_nace.retraining.plan import RetrainPlan
from autonoe_nace.retraining.run import retrain

__all__ = ["RetrainPlan", "retrain"]
