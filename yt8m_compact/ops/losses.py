"""Losses over the classes of a video, one value a video.

The three of the YouTube-8M starter code, with its constants, and what can be
done about labels that are rare or missing: focal loss, a factor of the labels
that there are, smoothing.
"""

from __future__ import annotations

from collections.abc import Callable
import functools

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

_CROSS_ENTROPY_EPSILON = 1e-5
_SOFTMAX_EPSILON = 1e-7


def cross_entropy_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
    *,
    positive_weight: float = 1.0,
) -> tf.Tensor:
    """Computes `-sum_c y_c log(p_c + e) + (1 - y_c) log(1 - p_c + e)`.

    With `e = 1e-5`. The paper's loss (Araujo et al.,
    https://arxiv.org/abs/1810.01140, section 5).

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 0.0], [0.0, 1.0]])
        >>> predictions = tf.constant([[0.9, 0.2], [0.5, 0.5]])
        >>> loss = yt8m.ops.cross_entropy_loss(labels, predictions)
        >>> print(loss.numpy().round(3))
        [0.328 1.386]

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float, probabilities.
        weights: `[batch, num_classes]`, float, factors of the classes' terms, 0
            where a class is not rated; None is 1 everywhere.
        positive_weight: factor of the terms of `y_c`.

    Returns:
        `[batch]`, of the dtype of `predictions`.
    """
    labels = tf.cast(labels, predictions.dtype)
    yes = labels * tf.math.log(predictions + _CROSS_ENTROPY_EPSILON)
    no = (1 - labels) * tf.math.log(1 - predictions + _CROSS_ENTROPY_EPSILON)
    terms = _scale(yes, positive_weight) + no
    return -tf.reduce_sum(_weigh(terms, weights), axis=-1)


def focal_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
    *,
    positive_weight: float = 1.0,
    gamma: float = 2.0,
) -> tf.Tensor:
    """Computes cross entropy that what is right already has little part in.

    `-sum_c y_c (1 - p_c)^g log(p_c + e) + (1 - y_c) p_c^g log(1 - p_c + e)`,
    with the `e` of `cross_entropy_loss`, which it is for `g = 0`.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 0.0], [0.0, 1.0]])
        >>> predictions = tf.constant([[0.9, 0.2], [0.5, 0.5]])
        >>> loss = yt8m.ops.focal_loss(labels, predictions)
        >>> print(loss.numpy().round(3))
        [0.01  0.347]

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float, probabilities.
        weights: as for `cross_entropy_loss`.
        positive_weight: factor of the terms of `y_c`.
        gamma: the power `g`, at least 0.

    Returns:
        `[batch]`, of the dtype of `predictions`.

    References:
        Lin et al., https://arxiv.org/abs/1708.02002, equation 4.
    """
    labels = tf.cast(labels, predictions.dtype)
    yes = labels * tf.math.log(predictions + _CROSS_ENTROPY_EPSILON)
    no = (1 - labels) * tf.math.log(1 - predictions + _CROSS_ENTROPY_EPSILON)
    yes *= _power(1 - predictions, gamma)
    no *= _power(predictions, gamma)
    terms = _scale(yes, positive_weight) + no
    return -tf.reduce_sum(_weigh(terms, weights), axis=-1)


def hinge_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
    *,
    positive_weight: float = 1.0,
) -> tf.Tensor:
    """Computes `sum_c max(0, 1 - (2 y_c - 1) p_c)`.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 0.0]])
        >>> predictions = tf.constant([[0.75, 0.25]])
        >>> yt8m.ops.hinge_loss(labels, predictions).numpy().tolist()
        [1.5]

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float.
        weights: as for `cross_entropy_loss`.
        positive_weight: factor of the terms of classes that a video has.

    Returns:
        `[batch]`, of the dtype of `predictions`.
    """
    labels = tf.cast(labels, predictions.dtype)
    terms = tf.nn.relu(1 - (2 * labels - 1) * predictions)
    if positive_weight != 1.0:
        terms *= 1 + (positive_weight - 1) * labels
    return tf.reduce_sum(_weigh(terms, weights), axis=-1)


def softmax_loss(
    labels: tf.Tensor,
    predictions: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Computes the cross entropy of softmax with the labels scaled to sum 1.

    `-sum_c y_c / sum(y) log(softmax(p)_c + 1e-7)`; a video without labels
    has loss 0.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 1.0, 0.0]])
        >>> loss = yt8m.ops.softmax_loss(labels, tf.zeros([1, 3]))
        >>> print(loss.numpy().round(3))  # of three classes alike: log 3
        [1.099]

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


def smooth_labels(
    labels: tf.Tensor, smoothing: float, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Spreads a share of a video's labels evenly over all classes.

    `(1 - s) y_c + s sum(y) / n` with `n` classes: the number of labels stays.
    (Half of the share for each class, as binary classifiers have it, would be
    thousands of labels.)

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 1.0, 0.0, 0.0]])
        >>> yt8m.ops.smooth_labels(labels, smoothing=0.5).numpy().tolist()
        [[0.75, 0.75, 0.25, 0.25]]

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        smoothing: the share `s`, from 0 to 1.
        weights: `[batch, num_classes]`, 0 where a class is not rated, which is
            no class of the video's then; None if all are.

    Returns:
        float `[batch, num_classes]`, of the dtype of `labels`.

    References:
        Szegedy et al., https://arxiv.org/abs/1512.00567, section 7, of one
        label.
    """
    if not labels.dtype.is_floating:
        labels = tf.cast(labels, tf.float32)
    rated = tf.ones_like(labels)
    if weights is not None:
        rated = tf.cast(weights > 0, labels.dtype)
    labels *= rated
    total = tf.reduce_sum(labels, axis=-1, keepdims=True)
    share = tf.math.divide_no_nan(
        total, tf.reduce_sum(rated, axis=-1, keepdims=True)
    )
    return (1 - smoothing) * labels + smoothing * share * rated


def make_label_loss(
    name: str,
    *,
    label_smoothing: float = 0.0,
    positive_weight: float = 1.0,
    focal_gamma: float = 2.0,
) -> Callable[..., tf.Tensor]:
    """Makes a loss of `LOSSES` with its arguments set.

    Example:
        >>> import tensorflow as tf
        >>> loss = yt8m.ops.make_label_loss("HingeLoss", positive_weight=4.0)
        >>> loss(tf.constant([[1.0, 0.0]]), tf.constant([[0.75, 0.25]])).numpy()
        array([2.25], dtype=float32)

    Args:
        name: one of `LOSSES`.
        label_smoothing: see `smooth_labels`.
        positive_weight: factor of the terms of classes that a video has, 1 for
            `SoftmaxLoss`.
        focal_gamma: the power of `FocalLoss`; others leave it unused.

    Returns:
        A function of labels, predictions, and weights or None.

    Raises:
        ValueError: if there is no such loss, or it has no such factor.
    """
    if name not in LOSSES:
        raise ValueError(
            f"expected a loss, one of {', '.join(LOSSES)}. Received: "
            f"name={name!r}"
        )
    if name == "SoftmaxLoss" and positive_weight != 1.0:
        raise ValueError(
            "expected positive_weight=1 for SoftmaxLoss, whose labels sum to "
            f"1. Received: positive_weight={positive_weight}"
        )
    arguments = {}
    if positive_weight != 1.0:
        arguments["positive_weight"] = positive_weight
    if name == "FocalLoss":
        arguments["gamma"] = focal_gamma
    loss = functools.partial(LOSSES[name], **arguments)
    if not label_smoothing:
        return loss

    def smoothed(
        labels: tf.Tensor,
        predictions: tf.Tensor,
        weights: tf.Tensor | None = None,
    ) -> tf.Tensor:
        labels = tf.cast(labels, predictions.dtype)
        labels = smooth_labels(labels, label_smoothing, weights)
        return loss(labels, predictions, weights)

    return smoothed


def _power(base: tf.Tensor, exponent: float) -> tf.Tensor:
    # What a float rounds below 0 has no power, and 0 no finite slope of one
    # below 1.
    smallest = tf.constant(_CROSS_ENTROPY_EPSILON, base.dtype)
    return tf.pow(tf.maximum(base, smallest), exponent) if exponent else 1.0


def _scale(terms: tf.Tensor, factor: float) -> tf.Tensor:
    return terms if factor == 1.0 else factor * terms


def _weigh(terms: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    return terms if weights is None else terms * tf.cast(weights, terms.dtype)


LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "CrossEntropyLoss": cross_entropy_loss,
    "HingeLoss": hinge_loss,
    "SoftmaxLoss": softmax_loss,
    "FocalLoss": focal_loss,
}
