"""How good a model is: at each level, with intervals, weights, costs and beside another."""

from autonoe_nace.evaluation.compare import compare
from autonoe_nace.evaluation.evaluate import evaluate
from autonoe_nace.evaluation.measures import calibration_error, macro_f1, wilson
from autonoe_nace.evaluation.outcomes import TOP, observe

__all__ = [
    "TOP",
    "calibration_error",
    "compare",
    "evaluate",
    "macro_f1",
    "observe",
    "wilson",
]
