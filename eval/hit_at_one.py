"""Hit@1, as a metric of Keras."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact.eval import exact_metric


@keras.saving.register_keras_serializable(exact_metric.PACKAGE)
class HitAtOne(exact_metric.ExactMetric):
    """Hit@1, exact, as a metric of Keras.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> metric = yt8m.evaluation.HitAtOne()
        >>> labels = np.array([[1, 0, 0], [0, 0, 1]])
        >>> scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> metric.update_state(labels, scores)
        >>> float(metric.result())
        0.5

    Args:
        name: the name in logs.
        dtype: as of `keras.metrics.Metric`.

    References:
        See `EvaluationMetrics`.
    """

    def __init__(self, name: str = "hit_at_1", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self._num_hits = self.add_state("hits")

    def _collect(self, is_label: tf.Tensor, predictions: tf.Tensor) -> None:
        best = tf.argmax(predictions, axis=1)
        hits = tf.gather(is_label, best, batch_dims=1)
        self._num_hits.assign_add(tf.math.count_nonzero(hits))

    def _in_step(self) -> tf.Tensor:
        videos = tf.convert_to_tensor(self.num_videos.value)
        hits = tf.convert_to_tensor(self._num_hits.value)
        return tf.math.divide_no_nan(
            tf.cast(hits, tf.float64), tf.cast(videos, tf.float64)
        )

    def _compute(self) -> float:
        hits, videos = map(exact_metric.read, (self._num_hits, self.num_videos))
        return int(hits) / int(videos)
