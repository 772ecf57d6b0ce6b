"""The classes with the highest scores: the lower class first among equals.

`top_k` is for graphs, `top_k_classes` for arrays and exact to the last bit.
They differ in one thing: TensorFlow takes every subnormal score (below 1.2e-38
in float32) for zero.
"""

from __future__ import annotations

import numpy as np

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf


def top_k(predictions: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Selects the k classes with the highest scores of every video in a graph.

    Example:
        >>> import tensorflow as tf
        >>> predictions = tf.constant([[0.25, 0.75, 0.5]])
        >>> scores, classes = yt8m.ops.top_k(predictions, k=2)
        >>> scores.numpy().tolist(), classes.numpy().tolist()
        ([[0.75, 0.5]], [[1, 2]])

    Args:
        predictions: Float `[batch, num_classes]`.
        k: How many classes to select, at least 1; all of them where there are
            fewer.

    Returns:
        The scores, `[batch, k]`, falling, and int32 `[batch, k]`, their
        classes.
    """
    return tf.math.top_k(predictions, k=min(k, predictions.shape[-1]))


def top_k_classes(predictions: np.ndarray, k: int) -> np.ndarray:
    """Selects the k classes with the highest scores of every video.

    Among equal scores the lower class comes first, at the cut too.

    Example:
        >>> predictions = np.array([[0.2, 0.9, 0.9, 0.4]])
        >>> yt8m.ops.top_k_classes(predictions, k=3).tolist()
        [[1, 2, 3]]

    Args:
        predictions: float `[batch, num_classes]`, all of them finite.
        k: How many classes to select, from 1 to `num_classes`.

    Returns:
        int64 `[batch, k]`, the classes by falling score.

    Raises:
        ValueError: If `k` is not in `[1, num_classes]`.
    """
    num_videos, num_classes = predictions.shape
    if not 1 <= k <= num_classes:
        raise ValueError(
            f"expected k in [1, num_classes={num_classes}]. Received: k={k}"
        )
    cut = num_classes - k
    lowest = np.partition(predictions, cut, axis=1)[:, cut, np.newaxis]
    selected = predictions >= lowest
    tied = np.flatnonzero(np.count_nonzero(selected, axis=1) > k)
    if tied.size:
        selected[tied] = _break_ties(predictions[tied], lowest[tied], k)
    # The classes of a video come by rising index, so that a stable sort by
    # score leaves the lower one first.
    classes = np.flatnonzero(selected).reshape(num_videos, k)
    classes -= np.arange(num_videos)[:, np.newaxis] * num_classes
    scores = np.take_along_axis(predictions, classes, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(classes, order, axis=1)


def _break_ties(
    predictions: np.ndarray, lowest: np.ndarray, k: int
) -> np.ndarray:
    """Selects, of the scores equal to the lowest, the first that fit in k."""
    above = predictions > lowest
    equal = predictions == lowest
    num_free = k - np.count_nonzero(above, axis=1, keepdims=True)
    return above | (equal & (np.cumsum(equal, axis=1) <= num_free))
