"""Losses over the classes of a video, one value a video.

The three of the YouTube-8M starter code, with its constants.
"""

from __future__ import annotations

from collections.abc import Callable

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

_CROSS_ENTROPY_EPSILON = 1e-5
_SOFTMAX_EPSILON = 1e-7


def cross_entropy_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes `-sum_c y_c log(p_c + e) + (1 - y_c) log(1 - p_c + e)`.

    With `e = 1e-5`. The paper's loss (Araujo et al.,
    https://arxiv.org/abs/1810.01140, section 5).

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float, probabilities.
        weights: `[batch, num_classes]`, float, factors of the classes' terms, 0
            where a class is not rated; None is 1 everywhere.

    Returns:
        `[batch]`, of the dtype of `predictions`.
    """
    labels = tf.cast(labels, predictions.dtype)
    yes = labels * tf.math.log(predictions + _CROSS_ENTROPY_EPSILON)
    no = (1 - labels) * tf.math.log(1 - predictions + _CROSS_ENTROPY_EPSILON)
    return -tf.reduce_sum(_weigh(yes + no, weights), axis=-1)


def hinge_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes `sum_c max(0, 1 - (2 y_c - 1) p_c)`.

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float.
        weights: as for `cross_entropy_loss`.

    Returns:
        `[batch]`, of the dtype of `predictions`.
    """
    signs = 2 * tf.cast(labels, predictions.dtype) - 1
    terms = tf.nn.relu(1 - signs * predictions)
    return tf.reduce_sum(_weigh(terms, weights), axis=-1)


def softmax_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes the cross entropy of softmax with the labels scaled to sum 1.

    `-sum_c y_c / sum(y) log(softmax(p)_c + 1e-7)`; a video without labels
    has loss 0.

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float.
        weights: as for `cross_entropy_loss`.

    Returns:
        `[batch]`, of the dtype of `predictions`.
    """
    labels = _weigh(tf.cast(labels, predictions.dtype), weights)
    if weights is not None:
        # A class that is not rated has no part in the softmax.
        lowest = tf.as_dtype(predictions.dtype).min
        predictions = tf.where(weights > 0, predictions, lowest)
    total = tf.reduce_sum(labels, axis=-1, keepdims=True)
    shares = labels / tf.maximum(total, _SOFTMAX_EPSILON)
    logs = tf.math.log(tf.nn.softmax(predictions) + _SOFTMAX_EPSILON)
    return -tf.reduce_sum(shares * logs, axis=-1)


def _weigh(terms: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    return terms if weights is None else terms * tf.cast(weights, terms.dtype)


LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "CrossEntropyLoss": cross_entropy_loss,
    "HingeLoss": hinge_loss,
    "SoftmaxLoss": softmax_loss,
}
