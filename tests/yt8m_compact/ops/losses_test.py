"""Tests of the losses."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops

NUM_CLASSES = 6


def make_batch():
    """Makes videos with 0, 1, 2, 3 and all labels, and their predictions."""
    rng = np.random.default_rng(0)
    labels = np.zeros([5, NUM_CLASSES])
    for video, count in enumerate([0, 1, 2, 3, NUM_CLASSES]):
        labels[video, rng.permutation(NUM_CLASSES)[:count]] = 1
    return labels, rng.uniform(0.02, 0.98, labels.shape)


def cross_entropy_slowly(labels, predictions):
    # google/youtube-8m, losses.py, CrossEntropyLoss: epsilon = 10e-6.
    return -sum(
        np.log((p if y else 1 - p) + 10e-6)
        for y, p in zip(labels, predictions, strict=True)
    )


def hinge_slowly(labels, predictions):
    return sum(
        max(0, 1 - p if y else 1 + p)
        for y, p in zip(labels, predictions, strict=True)
    )


def softmax_slowly(labels, predictions):
    # google/youtube-8m, losses.py, SoftmaxLoss: epsilon = 10e-8.
    powers = np.exp(predictions)
    logs = np.log(powers / powers.sum() + 10e-8)
    count = labels.sum()
    return -sum(logs[labels > 0]) / count if count else 0.0


def focal_slowly(labels, predictions, gamma=2.0, positive_weight=1.0):
    # Lin et al., equation 4, without alpha; the epsilon is cross entropy's.
    return -sum(
        y * positive_weight * (1 - p) ** gamma * np.log(p + 10e-6)
        + (1 - y) * p**gamma * np.log(1 - p + 10e-6)
        for y, p in zip(labels, predictions, strict=True)
    )


SLOW_LOSSES = {
    "CrossEntropyLoss": cross_entropy_slowly,
    "HingeLoss": hinge_slowly,
    "SoftmaxLoss": softmax_slowly,
    "FocalLoss": focal_slowly,
}


def test_names_are_the_starter_codes_and_one_more():
    assert set(ops.LOSSES) == set(SLOW_LOSSES)
    assert ops.LOSSES["CrossEntropyLoss"] is ops.cross_entropy_loss
    assert ops.LOSSES["HingeLoss"] is ops.hinge_loss
    assert ops.LOSSES["SoftmaxLoss"] is ops.softmax_loss
    assert ops.LOSSES["FocalLoss"] is ops.focal_loss


@pytest.mark.parametrize("name", ops.LOSSES)
@pytest.mark.parametrize("labels_dtype", ["float32", "int64", "bool"])
def test_equals_a_loop_over_the_videos(name, labels_dtype):
    labels, predictions = make_batch()
    expected = [
        SLOW_LOSSES[name](y, p)
        for y, p in zip(labels, predictions, strict=True)
    ]
    assert np.diff(np.sort(expected)).min() > 1e-4
    for dtype, tolerance in [("float64", 1e-12), ("float32", 1e-5)]:
        result = ops.LOSSES[name](
            tf.cast(labels, labels_dtype), tf.cast(predictions, dtype)
        )
        assert result.dtype == dtype
        np.testing.assert_allclose(result, expected, rtol=tolerance)


def test_cross_entropy_written_out():
    labels = [[1.0, 0.0, 0.0]]
    predictions = [[0.5, 0.25, 0.0]]
    # -log(0.5 + e) - log(0.75 + e) - log(1 + e) with e = 1e-5.
    np.testing.assert_allclose(
        ops.cross_entropy_loss(tf.constant(labels), tf.constant(predictions)),
        [0.6931272 + 0.2876687 - 0.00001],
        rtol=1e-6,
    )


def test_cross_entropy_is_finite_at_0_and_1():
    labels = tf.constant([[1.0, 0.0, 1.0, 0.0]])
    predictions = tf.constant([[0.0, 1.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = ops.cross_entropy_loss(labels, predictions)
    # The two that are wrong cost -log(1e-5) each.
    np.testing.assert_allclose(loss, [2 * 11.512925], rtol=1e-4)
    gradient = tape.gradient(loss, predictions)
    np.testing.assert_allclose(gradient, [[-1e5, 1e5, -1, 1]], rtol=1e-2)


@pytest.mark.parametrize("name", ops.LOSSES)
def test_gradients_equal_finite_differences(name):
    labels, predictions = make_batch()
    analytic, numeric = tf.test.compute_gradient(
        lambda p: ops.LOSSES[name](labels, p), [predictions], delta=1e-5
    )
    assert np.abs(numeric[0]).max() > 0.1
    np.testing.assert_allclose(analytic[0], numeric[0], atol=1e-5)


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "HingeLoss", "FocalLoss"])
def test_weights_are_factors_of_the_classes(name):
    labels, predictions = make_batch()
    weights = np.random.default_rng(1).integers(0, 3, labels.shape)
    slowly = {
        "CrossEntropyLoss": cross_entropy_slowly,
        "HingeLoss": hinge_slowly,
        "FocalLoss": focal_slowly,
    }[name]
    expected = [
        sum(
            weight * slowly([y], [p])
            for y, p, weight in zip(*video, strict=True)
        )
        for video in zip(labels, predictions, weights, strict=True)
    ]
    found = ops.LOSSES[name](labels, predictions, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_softmax_over_the_rated_classes():
    labels, predictions = make_batch()
    weights = np.ones(labels.shape)
    weights[:, [1, 4]] = 0
    kept = [0, 2, 3, 5]
    np.testing.assert_allclose(
        ops.softmax_loss(labels, predictions, weights),
        ops.softmax_loss(labels[:, kept], predictions[:, kept]),
        rtol=1e-6,
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("positive_weight", [1.0, 4.0])
def test_focal_loss(gamma, positive_weight):
    labels, predictions = make_batch()
    # What mixup and smoothing make of labels, too.
    for factor in (1.0, 0.7):
        expected = [
            focal_slowly(factor * y, p, gamma, positive_weight)
            for y, p in zip(labels, predictions, strict=True)
        ]
        loss = ops.make_label_loss(
            "FocalLoss", focal_gamma=gamma, positive_weight=positive_weight
        )
        found = loss(tf.constant(factor * labels), tf.constant(predictions))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_focal_loss_without_focus_is_cross_entropy():
    labels, predictions = make_batch()
    np.testing.assert_allclose(
        ops.focal_loss(labels, predictions, gamma=0.0),
        ops.cross_entropy_loss(labels, predictions),
        rtol=1e-12,
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_focal_loss_has_finite_gradients_at_0_and_1(gamma):
    labels = tf.constant([[1.0, 0.0, 1.0, 0.0]])
    predictions = tf.constant([[0.0, 1.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(predictions)
        loss = ops.focal_loss(labels, predictions, gamma=gamma)
    # The two that are wrong cost -log(1e-5) each, the others nothing.
    np.testing.assert_allclose(loss, [2 * 11.512925], rtol=1e-3)
    gradient = tape.gradient(loss, predictions).numpy()
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] < 0 < gradient[0, 1]


@pytest.mark.parametrize("name", ["CrossEntropyLoss", "HingeLoss"])
def test_positive_weight(name):
    labels, predictions = make_batch()
    slowly = SLOW_LOSSES[name]
    expected = [
        sum(
            (3.0 if y else 1.0) * slowly([y], [p])
            for y, p in zip(*video, strict=True)
        )
        for video in zip(labels, predictions, strict=True)
    ]
    loss = ops.make_label_loss(name, positive_weight=3.0)
    np.testing.assert_allclose(loss(labels, predictions), expected, rtol=1e-6)


def test_smoothing_written_out():
    labels = tf.constant([[1, 1, 0, 0], [0, 0, 0, 0]])
    # Of two labels, 0.2 is spread over four classes: 0.1 each.
    np.testing.assert_allclose(
        ops.smooth_labels(labels, 0.2),
        [[0.9, 0.9, 0.1, 0.1], [0, 0, 0, 0]],
        rtol=1e-6,
    )
    # Of one of two rated classes, and of no rated class.
    weights = tf.constant([[1.0, 0.0, 2.0, 0.0], [0.0] * 4])
    np.testing.assert_allclose(
        ops.smooth_labels(labels, 0.2, weights),
        [[0.9, 0, 0.1, 0], [0, 0, 0, 0]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("name", ops.LOSSES)
def test_a_smoothed_loss_is_that_of_smoothed_labels(name):
    labels, predictions = make_batch()
    smooth = 0.7 * labels + 0.3 * labels.sum(1, keepdims=True) / NUM_CLASSES
    slowly = {
        "CrossEntropyLoss": lambda y, p: (
            -sum(y * np.log(p + 10e-6) + (1 - y) * np.log(1 - p + 10e-6))
        ),
        "FocalLoss": focal_slowly,
        "HingeLoss": lambda y, p: sum(y * (1 - p) + (1 - y) * (1 + p)),
        "SoftmaxLoss": lambda y, p: (
            -sum(
                y
                / max(y.sum(), 1e-7)
                * np.log(np.exp(p) / np.exp(p).sum() + 10e-8)
            )
        ),
    }[name]
    expected = [slowly(y, p) for y, p in zip(smooth, predictions, strict=True)]
    loss = ops.make_label_loss(name, label_smoothing=0.3)
    found = loss(tf.constant(labels), tf.constant(predictions))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_loss_without_levers_is_the_one_of_its_name():
    labels, predictions = make_batch()
    for name, function in ops.LOSSES.items():
        np.testing.assert_array_equal(
            ops.make_label_loss(name)(labels, predictions),
            function(labels, predictions),
        )


@pytest.mark.parametrize(
    ("name", "positive_weight", "message"),
    [
        (
            "cross_entropy",
            1.0,
            "expected a loss, one of CrossEntropyLoss, .*. Received: "
            "name='cross_entropy'",
        ),
        (
            "SoftmaxLoss",
            2.0,
            "expected positive_weight=1 for SoftmaxLoss.* Received: "
            "positive_weight=2.0",
        ),
    ],
)
def test_losses_that_there_are_not(name, positive_weight, message):
    with pytest.raises(ValueError, match=message):
        ops.make_label_loss(name, positive_weight=positive_weight)
