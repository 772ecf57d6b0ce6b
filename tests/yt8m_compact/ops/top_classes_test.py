"""Tests of the selection of the classes with the highest scores."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops


def _ranked(row, k):
    """Ranks by falling score, then by rising index, as the docstring says."""
    return sorted(range(len(row)), key=lambda c: (-row[c], c))[:k]


def test_hand_computed():
    predictions = np.array(
        [
            [0.1, 0.9, 0.3, 0.9, 0.2],  # 1 and 3 tie for the first place
            [0.5, 0.7, 0.5, 0.6, 0.5],  # 0, 2 and 4 tie for the last place
        ],
        np.float32,
    )
    np.testing.assert_array_equal(
        ops.top_k_classes(predictions, 3), [[1, 3, 2], [1, 3, 0]]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_levels", [1, 2, 5, 1000, None])
@pytest.mark.parametrize("k", [1, 2, 20, 36, 37])
def test_equals_a_sort(dtype, num_levels, k):
    rng = np.random.default_rng(k)
    predictions = rng.standard_normal((50, 37)).astype(dtype)
    if num_levels is not None:
        predictions = np.floor(predictions * num_levels / 6) / num_levels
    expected = [_ranked(row, k) for row in predictions.tolist()]
    np.testing.assert_array_equal(
        ops.top_k_classes(predictions.astype(dtype), k), expected
    )


@pytest.mark.parametrize("num_classes", [799, 1003])
@pytest.mark.parametrize("num_levels", [3, 300, None])
def test_of_many_classes_equals_a_sort(num_classes, num_levels):
    # 20 of 800 classes and more are found among few candidates, if there are
    # few; the last classes belong to no group.
    rng = np.random.default_rng(num_classes)
    predictions = rng.standard_normal((40, num_classes)).astype(np.float32)
    if num_levels is not None:
        predictions = np.floor(predictions * num_levels / 6) / num_levels
    # The best are last, first, in one group, and all equal.
    predictions[0] = np.arange(num_classes)
    predictions[1] = -np.arange(num_classes)
    predictions[2, ::100] = 9
    predictions[3, -20:] = 9
    expected = [_ranked(row, 20) for row in predictions.tolist()]
    np.testing.assert_array_equal(ops.top_k_classes(predictions, 20), expected)
    # One video with too many candidates.
    predictions[4] = 0.5
    expected[4] = [*range(20)]
    np.testing.assert_array_equal(ops.top_k_classes(predictions, 20), expected)


def test_ties_of_zero_and_minus_zero():
    predictions = np.array([[-1.0, -0.0, 0.0, -0.0, 1.0]], np.float32)
    np.testing.assert_array_equal(
        ops.top_k_classes(predictions, 3), [[4, 1, 2]]
    )


def test_subnormal_scores_are_not_ties():
    # Multiples of the smallest float32, 1.4e-45, all of them subnormal.
    ranks = np.random.default_rng(0).permutation(1000)
    predictions = (ranks.astype(np.int32) + 1).view(np.float32)[np.newaxis]
    assert 0 < predictions.max() < 1.2e-38
    np.testing.assert_array_equal(
        ops.top_k_classes(predictions, 20)[0], np.argsort(-ranks)[:20]
    )


def test_empty_batch():
    assert ops.top_k_classes(np.zeros((0, 5), np.float32), 3).shape == (0, 3)


@pytest.mark.parametrize("k", [0, 6])
def test_k_out_of_range(k):
    message = rf"expected k in \[1, num_classes=5\]\. Received: k={k}$"
    with pytest.raises(ValueError, match=message):
        ops.top_k_classes(np.zeros((2, 5), np.float32), k)


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_in_a_graph(k):
    predictions = np.array(
        [[0.1, 0.9, 0.3, 0.9, 0.2], [0.5, 0.7, 0.5, 0.6, 0.5]], np.float32
    )
    ranked = [_ranked(row, k) for row in predictions.tolist()]
    scores, classes = tf.function(ops.top_k)(tf.constant(predictions), k)
    np.testing.assert_array_equal(classes, ranked)
    np.testing.assert_array_equal(
        scores, np.take_along_axis(predictions, np.array(ranked), axis=1)
    )
