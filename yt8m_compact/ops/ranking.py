"""Ranking metrics of one batch, as tensors, to watch a run while it trains.

They are estimates: the batch stands for the data set. `yt8m_compact.eval`
holds the exact metrics over a whole evaluation set.
"""

import tensorflow as tf

from yt8m_compact.ops import top_classes


def rated_predictions(
    predictions: tf.Tensor, weights: tf.Tensor | None
) -> tf.Tensor:
    """Ranks the classes that are not rated behind all that are.

    GAP, Hit@1, PERR and MAP are then those of the rated classes alone: what
    comes after the last label changes none of them.

    Example:
        >>> import tensorflow as tf
        >>> predictions = tf.constant([[0.5, 0.25, 0.75]])
        >>> weights = tf.constant([[1.0, 0.0, 1.0]])
        >>> yt8m.ops.rated_predictions(predictions, weights).numpy().tolist()
        [[0.5, -1.0, 0.75]]

    Args:
        predictions: `[batch, num_classes]`, float, at least 0.
        weights: `[batch, num_classes]`, float, 0 where a class is not rated;
            None if all are.

    Returns:
        `[batch, num_classes]`, of the dtype of `predictions`, -1 where a class
        is not rated.
    """
    if weights is None:
        return predictions
    return tf.where(weights > 0, predictions, -tf.ones_like(predictions))


def batch_hit_at_1(labels: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """Computes the share of videos whose best-scored class is a label.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> predictions = tf.constant([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> float(yt8m.ops.batch_hit_at_1(labels, predictions))
        0.5

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float, the higher the likelier.

    Returns:
        A float32 scalar in [0, 1].
    """
    best = tf.argmax(predictions, axis=-1)
    hits = tf.gather(labels, best, axis=1, batch_dims=1)
    return tf.reduce_mean(tf.cast(hits > 0, tf.float32))


def batch_gap(
    labels: tf.Tensor, predictions: tf.Tensor, top_k: int = 20
) -> tf.Tensor:
    """Computes global average precision within one batch.

    The `top_k` predictions of every video form one list, sorted by score:
    `GAP = sum_i p(i) dr(i)` with `p(i)` the precision and `dr(i)` the gain in
    recall at place `i` (Araujo et al., https://arxiv.org/abs/1810.01140,
    section 5). Recall is relative to all labels of the batch.

    Example:
        >>> import tensorflow as tf
        >>> labels = tf.constant([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
        >>> predictions = tf.constant([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> float(yt8m.ops.batch_gap(labels, predictions))  # (1/1 + 2/4) / 2
        0.75

    Args:
        labels: `[batch, num_classes]`, float, multi-hot.
        predictions: `[batch, num_classes]`, float, the higher the likelier.
        top_k: how many predictions of each video count.

    Returns:
        A float32 scalar in [0, 1]; 0 where the batch has no label.
    """
    scores, classes = top_classes.top_k(predictions, top_k)
    hits = tf.cast(
        tf.gather(labels, classes, axis=1, batch_dims=1) > 0, "float32"
    )
    order = tf.argsort(tf.reshape(scores, [-1]), direction="DESCENDING")
    hits = tf.gather(tf.reshape(hits, [-1]), order)
    ranks = tf.range(1, tf.size(hits) + 1, dtype=tf.float32)
    precision = tf.cumsum(hits) / ranks
    num_labels = tf.reduce_sum(tf.cast(labels > 0, tf.float32))
    return tf.math.divide_no_nan(tf.reduce_sum(precision * hits), num_labels)
