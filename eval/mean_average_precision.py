"""MAP, as a metric of Keras."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import collecting_metric
from yt8m_compact.eval import exact_metric


@keras.saving.register_keras_serializable(exact_metric.PACKAGE)
class MeanAveragePrecision(collecting_metric.CollectingMetric):
    """MAP, exact, as a metric of Keras.

    It needs all predictions of all videos, and is not computed in a compiled
    step: the progress bar of `fit` shows NaN until the end of the epoch.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> metric = yt8m.evaluation.MeanAveragePrecision(
        ...     num_classes=3, num_videos=100
        ... )
        >>> labels = np.array([[1, 0, 0], [0, 0, 1]])
        >>> scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> metric.update_state(labels, scores)
        >>> float(metric.result())  # of class 0: 1, of class 2: 1/2
        0.75

    Args:
        num_classes: the number of classes.
        num_videos: the most videos between two resets, of which 5 bytes are
            kept for each class: 0.4 GB for 20,000 with 3,862 classes.
        name: the name in logs.
        dtype: as of `keras.metrics.Metric`.

    References:
        See `EvaluationMetrics`.
    """

    def __init__(
        self,
        num_classes: int,
        num_videos: int,
        name: str = "map",
        dtype: Any = None,
    ) -> None:
        if num_classes < 1:
            raise ValueError(
                f"expected at least 1. Received: num_classes={num_classes}"
            )
        super().__init__(num_videos, num_classes, name, dtype)
        self._num_classes = num_classes

    def get_config(self) -> dict[str, Any]:
        """Returns the settings."""
        return {**super().get_config(), "num_classes": self._num_classes}

    def _collect(self, is_label: tf.Tensor, predictions: tf.Tensor) -> None:
        if predictions.shape[1] != self._num_classes:
            raise ValueError(
                f"expected y_pred of {self._num_classes} classes, as "
                f"{self.name} was made for. Received: y_pred.shape="
                f"{predictions.shape}"
            )
        self._keep(predictions, is_label, tf.math.count_nonzero(is_label))

    def _in_step(self) -> tf.Tensor:
        return tf.constant(math.nan, tf.float64)

    def _compute(self) -> float:
        scores, marks, _ = self.kept()
        is_label = marks > collecting_metric.NO_LABEL
        values = [
            average_precision.average_precision(
                scores[:, index], scores[is_label[:, index], index]
            )
            for index in np.flatnonzero(is_label.any(axis=0))
        ]
        return math.fsum(values) / len(values)
