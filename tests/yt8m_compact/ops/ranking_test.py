"""Tests of the ranking metrics of one batch."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops


def make_batch(num_videos, num_classes, seed=0):
    """Makes 0 to 4 labels a video, and distinct scores that know of them."""
    rng = np.random.default_rng(seed)
    labels = np.zeros([num_videos, num_classes], np.float32)
    for video in range(num_videos):
        count = min(video % 5, num_classes)
        labels[video, rng.permutation(num_classes)[:count]] = 1
    scores = rng.standard_normal(labels.shape) + 1.5 * labels
    order = np.argsort(np.argsort(scores, axis=None))
    return labels, (order.reshape(labels.shape) / order.size).astype("float32")


def gap_slowly(labels, predictions, top_k):
    """Sums p(i) dr(i) over one list of everybody's best predictions."""
    pool = []
    for y, p in zip(labels, predictions, strict=True):
        best = sorted(zip(p, y, strict=True), reverse=True)[:top_k]
        pool.extend(best)
    pool.sort(reverse=True)
    total, found = 0.0, 0
    for place, (_, label) in enumerate(pool, start=1):
        found += label
        total += label * found / place
    return total / labels.sum() if labels.any() else 0.0


@pytest.mark.parametrize(
    ("num_videos", "num_classes"), [(1, 1), (5, 3), (40, 25), (200, 60)]
)
@pytest.mark.parametrize("top_k", [1, 3, 20])
def test_gap_equals_a_loop_over_the_pool(num_videos, num_classes, top_k):
    labels, predictions = make_batch(num_videos, num_classes)
    np.testing.assert_allclose(
        ops.batch_gap(labels, predictions, top_k),
        gap_slowly(labels, predictions, top_k),
        rtol=1e-5,
    )


def test_gap_written_out():
    labels = [[1.0, 0, 1], [0, 1, 0]]
    predictions = [[0.9, 0.8, 0.1], [0.5, 0.7, 0.6]]
    # top 2: 0.9 yes, 0.8 no, 0.7 yes, 0.6 no; three labels, one out of reach.
    expected = (1 / 1 + 2 / 3) / 3
    result = ops.batch_gap(tf.constant(labels), tf.constant(predictions), 2)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_gap_looks_at_20_predictions_unless_told():
    labels, predictions = make_batch(40, 60)
    default = ops.batch_gap(labels, predictions)
    np.testing.assert_array_equal(
        default, ops.batch_gap(labels, predictions, 20)
    )
    assert default != ops.batch_gap(labels, predictions, 19)
    assert default != ops.batch_gap(labels, predictions, 21)


def test_gap_of_perfect_and_of_reversed_predictions():
    labels, _ = make_batch(40, 25)
    rng = np.random.default_rng(1)
    noise = rng.uniform(0, 0.5, labels.shape)
    np.testing.assert_allclose(ops.batch_gap(labels, labels + noise), 1.0)
    reversed_gap = ops.batch_gap(labels, noise - labels)
    np.testing.assert_allclose(
        reversed_gap, gap_slowly(labels, noise - labels, 20), rtol=1e-5
    )
    assert reversed_gap < 0.1


def test_gap_does_not_depend_on_the_order_of_videos_and_classes():
    labels, predictions = make_batch(40, 25)
    rng = np.random.default_rng(1)
    videos, classes = rng.permutation(40), rng.permutation(25)
    np.testing.assert_allclose(
        ops.batch_gap(labels[videos], predictions[videos]),
        ops.batch_gap(labels, predictions),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        ops.batch_gap(labels[:, classes], predictions[:, classes]),
        ops.batch_gap(labels, predictions),
        rtol=1e-6,
    )


def test_hit_at_1_equals_a_loop_over_the_videos():
    labels, predictions = make_batch(40, 25)
    hits = [
        y[max(range(25), key=lambda c: p[c])]
        for y, p in zip(labels, predictions, strict=True)
    ]
    assert 0.1 < np.mean(hits) < 0.9
    result = ops.batch_hit_at_1(labels, predictions)
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, np.mean(hits), rtol=1e-6)


@pytest.mark.parametrize("metric", [ops.batch_gap, ops.batch_hit_at_1])
def test_videos_without_labels_score_0(metric):
    labels, predictions = make_batch(4, 6)
    assert metric(np.zeros_like(labels), predictions) == 0


@pytest.mark.parametrize("metric", [ops.batch_gap, ops.batch_hit_at_1])
def test_batch_may_be_unknown(metric):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 25]),
            tf.TensorSpec([None, 25]),
        ]
    )
    def traced(labels, predictions):
        return metric(labels, predictions)

    for num_videos in [1, 40]:
        batch = make_batch(num_videos, 25, seed=3)
        np.testing.assert_allclose(traced(*batch), metric(*batch), rtol=1e-6)


def test_classes_that_are_not_rated_come_last():
    predictions = np.array([[0.9, 0.0, 0.4], [0.2, 0.8, 0.7]], np.float32)
    weights = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(
        ops.rated_predictions(predictions, weights),
        np.array([[-1, 0, 0.4], [0.2, -1, -1]], np.float32),
    )
    assert ops.rated_predictions(predictions, None) is predictions
