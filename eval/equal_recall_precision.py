"""PERR, as a metric of Keras."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.eval import exact_metric


@keras.saving.register_keras_serializable(exact_metric.PACKAGE)
class EqualRecallPrecision(exact_metric.ExactMetric):
    """PERR, the precision at equal recall rate, exact, as a metric of Keras.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> metric = yt8m.evaluation.EqualRecallPrecision()
        >>> labels = np.array([[1, 0, 1], [0, 0, 1]])
        >>> scores = np.array([[0.9, 0.6, 0.2], [0.8, 0.1, 0.4]])
        >>> metric.update_state(labels, scores)
        >>> float(metric.result())  # 1 of 2 labels, 0 of 1
        0.25

    Args:
        max_labels: the most labels of a video.
        name: the name in logs.
        dtype: as of `keras.metrics.Metric`.

    References:
        See `EvaluationMetrics`.
    """

    def __init__(
        self, max_labels: int = 64, name: str = "perr", dtype: Any = None
    ) -> None:
        if max_labels < 1:
            raise ValueError(
                f"expected at least 1. Received: max_labels={max_labels}"
            )
        super().__init__(name, dtype)
        self._max_labels = max_labels
        # By the number of labels of a video: whole numbers, so that nothing
        # depends on the batches. The last one counts videos of more labels.
        self._hits = self.add_state("hits", [max_labels + 2])

    def get_config(self) -> dict[str, Any]:
        """Returns the settings."""
        return {**super().get_config(), "max_labels": self._max_labels}

    def _collect(self, is_label: tf.Tensor, predictions: tf.Tensor) -> None:
        _, classes = ops.top_k(predictions, self._max_labels)
        hits = tf.gather(is_label, classes, batch_dims=1)
        num_labels = tf.math.count_nonzero(is_label, axis=1)
        ranks = tf.range(classes.shape[1], dtype=tf.int64)
        counted = hits & (ranks < num_labels[:, tf.newaxis])
        number = tf.math.count_nonzero(counted, axis=1)
        too_many = num_labels > self._max_labels
        number = tf.where(too_many, tf.ones_like(number), number)
        places = tf.minimum(num_labels, self._max_labels + 1)
        self._hits.assign(
            tf.tensor_scatter_nd_add(
                tf.convert_to_tensor(self._hits.value),
                places[:, tf.newaxis],
                number,
            )
        )

    def _in_step(self) -> tf.Tensor:
        hits = tf.cast(tf.convert_to_tensor(self._hits.value), tf.float64)
        videos = tf.cast(
            tf.convert_to_tensor(self.num_videos.value), tf.float64
        )
        numbers = tf.range(1, self._max_labels + 1, dtype=tf.float64)
        return tf.math.divide_no_nan(
            tf.reduce_sum(hits[1:-1] / numbers), videos
        )

    def _compute(self) -> float:
        hits = exact_metric.read(self._hits)
        if hits[-1]:
            raise ValueError(
                f"expected at most max_labels={self._max_labels} of a video. "
                f"Received: {hits[-1]} videos of more; make {self.name} with a "
                "larger max_labels"
            )
        sums = hits[1:-1] / np.arange(1, self._max_labels + 1)
        return math.fsum(sums) / int(exact_metric.read(self.num_videos))
