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


# Groups of classes for each one that is selected, and the least classes of one.
_GROUPS, _LEAST_GROUP = 5, 8
# Candidates for each one that is selected.
_MOST_CANDIDATES = 4


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
    found = _best_candidates(predictions, k)
    if found is not None:
        return found
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


def _best_candidates(predictions: np.ndarray, k: int) -> np.ndarray | None:
    """Selects as `top_k_classes` where few scores can be among the best.

    The k-th highest of the maxima of groups of classes is at most the k-th
    highest score. Of 3,862 classes, 21 scores a video are at least that high
    for the best 20; to find them takes a third of the time of a selection
    among all.

    Returns:
        As `top_k_classes`; None where there are too few classes, or too many
        scores are that high, as where most of them are equal.
    """
    num_videos, num_classes = predictions.shape
    num_groups = _GROUPS * k
    size = num_classes // num_groups
    if size < _LEAST_GROUP:
        return None
    grouped = predictions[:, : num_groups * size]
    maxima = grouped.reshape(num_videos, size, num_groups).max(axis=1)
    cut = num_groups - k
    bound = np.partition(maxima, cut, axis=1)[:, cut, np.newaxis]
    rows, classes = np.divmod(np.flatnonzero(predictions >= bound), num_classes)
    counts = np.bincount(rows, minlength=num_videos)
    width = int(counts.max(initial=k))
    if width > _MOST_CANDIDATES * k:
        return None
    # By rising class, so that a stable sort leaves the lower one first.
    listed = np.arange(width) < counts[:, np.newaxis]
    negated = np.full(listed.shape, np.inf, predictions.dtype)
    negated[listed] = -predictions[rows, classes]
    candidates = np.zeros(listed.shape, np.int64)
    candidates[listed] = classes
    order = np.argsort(negated, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(candidates, order, axis=1)


def _break_ties(
    predictions: np.ndarray, lowest: np.ndarray, k: int
) -> np.ndarray:
    """Selects, of the scores equal to the lowest, the first that fit in k."""
    above = predictions > lowest
    equal = predictions == lowest
    num_free = k - np.count_nonzero(above, axis=1, keepdims=True)
    return above | (equal & (np.cumsum(equal, axis=1) <= num_free))
