"""A metric of batches whose labels may have a weight each."""

from collections.abc import Callable

import keras
import tensorflow as tf

from yt8m_compact import ops


class RankingMetric(keras.metrics.Mean):
    """The mean over batches of a metric of the ranking of rated classes.

    For `weighted_metrics` of `keras.Model.compile`, where `sample_weight` holds
    a weight for each label, 0 where nobody rated it.

    Args:
        function: computes a scalar from labels and predictions, `[batch,
            num_classes]`.
        name: the metric's name.
    """

    def __init__(
        self, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], name: str
    ) -> None:
        super().__init__(name=name)
        self._function = function

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Adds a batch."""
        predictions = ops.rated_predictions(y_pred, sample_weight)
        super().update_state(self._function(y_true, predictions))
