"""A loss of labels that may have a weight each."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class LabelLoss(keras.losses.Loss):
    """A loss between labels and predictions, as one that Keras compiles.

    `sample_weight`, the third item of a batch of `fit`, holds a weight for each
    label, `[batch, num_classes]`, such as 0 for those that nobody rated; or, as
    in Keras, one for each example, `[batch]`.

    Example:
        >>> loss = yt8m.models.LabelLoss(yt8m.ops.LOSSES["CrossEntropyLoss"])
        >>> labels, predictions = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
        >>> round(float(loss(labels, predictions)), 2)  # 2 log(2)
        1.39
        >>> rated = np.array([[1.0, 0.0]])  # the first label alone
        >>> round(float(loss(labels, predictions, rated)), 2)
        0.69

    Args:
        function: computes `[batch]` losses from labels and predictions,
            `[batch, num_classes]` both, and weights of that shape or None; one
            of `ops.LOSSES`.
        **kwargs: the arguments of `keras.losses.Loss`.
    """

    def __init__(
        self, function: Callable[..., tf.Tensor], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._function = function

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Computes the mean loss of a batch."""
        if sample_weight is None or len(sample_weight.shape) < 2:
            return super().__call__((y_true,), y_pred, sample_weight)
        # A weight of a label is no weight of the example's loss.
        return super().__call__((y_true, sample_weight), y_pred)

    def call(self, y_true, y_pred):
        labels, *weights = y_true
        return self._function(labels, y_pred, *weights)
