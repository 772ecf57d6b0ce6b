"""GAP@k, as a metric of Keras."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.eval import average_precision
from yt8m_compact.eval import collecting_metric
from yt8m_compact.eval import exact_metric

_NUM_VIDEOS = 1 << 17


@keras.saving.register_keras_serializable(exact_metric.PACKAGE)
class GlobalAveragePrecision(collecting_metric.CollectingMetric):
    """GAP@k, exact, as a metric of Keras.

    In a compiled step, as the progress bar of `fit` shows it, it is that of the
    last batch; at the end of an epoch, and in the history, that of all videos.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> gap = yt8m.evaluation.GlobalAveragePrecision(top_k=2)
        >>> labels = np.array([[1, 0, 0], [0, 0, 1]])
        >>> scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> gap.update_state(labels, scores)
        >>> round(float(gap.result()), 3)
        0.75
        >>> other = yt8m.evaluation.GlobalAveragePrecision(top_k=2)
        >>> other.merge_state([gap, gap])
        >>> round(float(other.result()), 3)
        0.75

        >>> import keras
        >>> model = keras.Sequential([keras.layers.Dense(3, "sigmoid")])
        >>> loss = yt8m.models.LabelLoss(yt8m.ops.LOSSES["CrossEntropyLoss"])
        >>> model.compile("adam", loss, metrics=[gap])
        >>> history = model.fit(np.eye(2), labels, verbose=0).history
        >>> 0 < history["gap"][0] <= 1
        True

    Args:
        top_k: how many predictions of a video count.
        num_videos: the most videos between two resets, of which 5 bytes are
            kept for each of the `top_k`.
        name: the name in logs.
        dtype: as of `keras.metrics.Metric`.

    References:
        See `EvaluationMetrics`.
    """

    def __init__(
        self,
        top_k: int = 20,
        num_videos: int = _NUM_VIDEOS,
        name: str = "gap",
        dtype: Any = None,
    ) -> None:
        if top_k < 1:
            raise ValueError(f"expected at least 1. Received: top_k={top_k}")
        super().__init__(num_videos, top_k, name, dtype)
        self._top_k = top_k
        self._of_batch = self.add_state("of_batch", (), "float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the settings."""
        return {**super().get_config(), "top_k": self._top_k}

    def _collect(self, is_label: tf.Tensor, predictions: tf.Tensor) -> None:
        scores, classes = ops.top_k(predictions, self._top_k)
        hits = tf.gather(is_label, classes, batch_dims=1)
        num_labels = tf.math.count_nonzero(is_label)
        if tf.inside_function():
            value = _of_batch(scores, hits, num_labels)
            self._of_batch.assign(value)
        self._keep(scores, hits, num_labels)

    def _in_step(self) -> tf.Tensor:
        return tf.convert_to_tensor(self._of_batch.value)

    def _compute(self) -> float:
        scores, marks, num_labels = self.kept()
        return average_precision.average_precision(
            scores[marks != collecting_metric.EMPTY],
            scores[marks > collecting_metric.NO_LABEL],
            num_labels,
        )


def _of_batch(
    scores: tf.Tensor, hits: tf.Tensor, num_labels: tf.Tensor
) -> tf.Tensor:
    """Computes the average precision of a batch in a graph.

    Args:
        scores: float32 `[batch, top_k]`.
        hits: bool `[batch, top_k]`, whether they are labels.
        num_labels: int64, the labels of the batch.

    Returns:
        float32, 0 without labels.
    """
    scores = tf.reshape(scores, [-1])
    order = tf.argsort(scores)
    rising = tf.gather(scores, order)
    hits = tf.cast(tf.gather(tf.reshape(hits, [-1]), order), tf.float32)
    # Equal scores are one threshold: the first of them has all above.
    first = tf.searchsorted(rising, rising)
    above = tf.cast(tf.size(scores) - first, tf.float32)
    true = tf.gather(tf.cumsum(hits, reverse=True), first)
    total = tf.cast(tf.maximum(num_labels, 1), tf.float32)
    return tf.reduce_sum(hits * true / above) / total
