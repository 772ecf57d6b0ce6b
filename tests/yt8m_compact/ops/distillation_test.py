"""Tests of soft labels."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops

PROBABILITIES = np.array([[0.9, 0.5, 0.01], [0.2, 1e-6, 0.999]], "float32")
LABELS = np.array([[1, 0, 0], [0, 1, 1]], "float32")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0])
def test_soften_divides_the_log_odds(temperature):
    wide = PROBABILITIES.astype("float64")
    logits = np.log(wide) - np.log1p(-wide)
    expected = 1 / (1 + np.exp(-logits / temperature))
    np.testing.assert_allclose(
        ops.soften(tf.constant(PROBABILITIES), temperature), expected, rtol=2e-5
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_certainty_stays(temperature):
    values = tf.constant([0.0, 0.5, 1.0])
    np.testing.assert_array_equal(ops.soften(values, temperature), values)


def test_by_hand():
    # Odds of 9 have a square root of 3, which are those of 3/4.
    assert float(ops.soften(tf.constant(0.9), 2.0)) == pytest.approx(0.75)


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_mixed_labels(weight):
    mixed = ops.mix_labels(LABELS, tf.constant(PROBABILITIES), weight)
    np.testing.assert_allclose(
        mixed, weight * PROBABILITIES + (1 - weight) * LABELS, rtol=1e-6
    )


@pytest.mark.parametrize("weights", [None, [[1, 0, 1], [0, 2, 1]]])
def test_cross_entropy_of_mixed_labels_is_mixed_cross_entropy(weights):
    """In NumPy, with weights of labels as rated segments have them."""
    predictions = np.array([[0.3, 0.6, 0.1], [0.7, 0.2, 0.4]], "float32")
    factors = np.ones([2, 3]) if weights is None else np.array(weights)

    def loss(labels):
        terms = labels * np.log(predictions + 1e-5)
        terms += (1 - labels) * np.log(1 - predictions + 1e-5)
        return -(factors * terms).sum(axis=1)

    mixed = ops.mix_labels(LABELS, tf.constant(PROBABILITIES), 0.3)
    np.testing.assert_allclose(
        ops.cross_entropy_loss(
            mixed,
            tf.constant(predictions),
            weights=None if weights is None else tf.constant(weights),
        ),
        0.3 * loss(PROBABILITIES) + 0.7 * loss(LABELS),
        rtol=1e-5,
    )
