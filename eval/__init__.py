"""Evaluation: exact metrics, weight counts, reports, and yt8m-eval."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.eval.evaluation import evaluate_run
from yt8m_compact.eval.metrics import EvaluationMetrics
from yt8m_compact.eval.report import Report
from yt8m_compact.eval.weights import count_weights

__all__ = ["EvaluationMetrics", "Report", "count_weights", "evaluate_run"]
