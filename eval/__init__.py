"""Evaluation: exact metrics, weight counts, reports, and yt8m-eval."""

from yt8m_compact import keras_backend
from yt8m_compact import lazy

keras_backend.expect_tensorflow()

with lazy.imports():
    from yt8m_compact.eval.equal_recall_precision import EqualRecallPrecision
    from yt8m_compact.eval.evaluation import evaluate_run
    from yt8m_compact.eval.global_average_precision import (
        GlobalAveragePrecision,
    )
    from yt8m_compact.eval.hit_at_one import HitAtOne
    from yt8m_compact.eval.mean_average_precision import MeanAveragePrecision
    from yt8m_compact.eval.metrics import EvaluationMetrics
    from yt8m_compact.eval.report import Report
    from yt8m_compact.eval.weights import count_weights

__all__ = [
    "EqualRecallPrecision",
    "EvaluationMetrics",
    "GlobalAveragePrecision",
    "HitAtOne",
    "MeanAveragePrecision",
    "Report",
    "count_weights",
    "evaluate_run",
]
