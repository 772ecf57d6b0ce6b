"""Tests of the norms of weights and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.training import norms


@pytest.fixture
def model():
    inputs = keras.Input([2], name="features")
    x = keras.layers.Dense(3, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="norm", scale=False)(x)
    x = keras.layers.Dense(1, name="last", use_bias=False)(x)
    return keras.Model(inputs, x)


def test_of_all_that_a_layer_trains(model):
    # In the order of the weights: kernel, bias; beta; kernel.
    values = [
        np.array([[1, -2, 3], [4, 5, -6]]),
        np.array([1.0, 2, 2]),
        np.array([3.0, 0, -4]),
        np.array([[2.0], [3], [6]]),
    ]
    for weight, value in zip(model.trainable_weights, values, strict=True):
        weight.assign(value)
    found = norms.LayerNorms(model)
    assert found.layers == ("first", "norm", "last")
    # 1 + 4 + 9 + 16 + 25 + 36 + 1 + 4 + 4 = 100
    np.testing.assert_allclose(found.of_weights(), [10, 5, 7])


def test_gradients_that_are_sparse_or_missing(model):
    # 3 at the first row, twice: 6.
    slices = tf.IndexedSlices(
        tf.constant([[3.0, 0, 0], [3.0, 0, 0]]), [0, 0], tf.constant([2, 3])
    )
    gradients = [slices, tf.constant([0.0, 8, 0]), None, tf.ones([3, 1]) * 2]
    found = norms.LayerNorms(model).of(gradients)
    np.testing.assert_allclose(found, [10, 0, 12**0.5], rtol=1e-6)
