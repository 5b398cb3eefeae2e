"""How good a model is: at each level, with intervals, weights, costs and beside another."""

from autonoe_nace.evaluation.assess import Options, assess, judge
from autonoe_nace.evaluation.compare import compare
from autonoe_nace.evaluation.costs import Costs
from autonoe_nace.evaluation.evaluate import evaluate
from autonoe_nace.evaluation.measures import calibration_error, macro_f1, wilson
from autonoe_nace.evaluation.outcomes import TOP, observe
from autonoe_nace.evaluation.report import write_report

__all__ = [
    "TOP",
    "Costs",
    "Options",
    "assess",
    "calibration_error",
    "compare",
    "evaluate",
    "judge",
    "macro_f1",
    "observe",
    "wilson",
    "write_report",
]
