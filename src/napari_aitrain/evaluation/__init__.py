"""How good a prediction is: metrics, calibration, threshold curves, files and reports."""

from .calibration import Calibration, calibrate, expected_calibration_error, rescore
from .curve import ThresholdCurve, curve_from_scores, threshold_curve
from .files import Evaluation, evaluate_files
from .metrics import instance_metrics, semantic_metrics

__all__ = [
    "Calibration",
    "Evaluation",
    "ThresholdCurve",
    "calibrate",
    "curve_from_scores",
    "evaluate_files",
    "expected_calibration_error",
    "instance_metrics",
    "rescore",
    "semantic_metrics",
    "threshold_curve",
]
