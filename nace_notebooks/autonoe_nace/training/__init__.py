"""Training: from labelled texts to a calibrated model, the same bits each time."""

from autonoe_nace.training.params import TrainingParams
from autonoe_nace.training.train import Progress, train

__all__ = ["Progress", "TrainingParams", "train"]
