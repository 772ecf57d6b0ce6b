"""Tests of the L2 penalty: Keras's value and gradient, without its squares."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import models


@pytest.mark.parametrize("jit_compile", [None, True])
def test_value_and_gradient(jit_compile):
    weights = tf.Variable([[1.0, -2.0], [0.5, 3.0]])

    @tf.function(jit_compile=jit_compile)
    def penalise():
        with tf.GradientTape() as tape:
            penalty = layers.L2Penalty(0.25)(weights)
        return penalty, tape.gradient(penalty, weights)

    penalty, gradient = penalise()
    # 0.25 * (1 + 4 + 0.25 + 9), and 0.5 * w.
    np.testing.assert_allclose(penalty, 3.5625, rtol=1e-6)
    np.testing.assert_allclose(gradient, [[0.5, -1.0], [0.25, 1.5]], rtol=1e-6)


def test_no_squares_are_written():
    weights = tf.Variable([[1.0, -2.0], [0.5, 3.0]])

    @tf.function
    def penalise():
        with tf.GradientTape() as tape:
            penalty = layers.L2Penalty(0.25)(weights)
        return tape.gradient(penalty, weights)

    graph = penalise.get_concrete_function().graph
    large = [
        operation.type
        for operation in graph.get_operations()
        if operation.type not in ("ReadVariableOp", "Identity")
        and any(output.shape == [2, 2] for output in operation.outputs)
    ]
    assert large == ["Mul"]  # the gradient


def test_it_is_saved_with_a_layer():
    layer = keras.layers.Dense(3, kernel_regularizer=layers.L2Penalty(0.25))
    again = keras.layers.Dense.from_config(layer.get_config())
    assert type(again.kernel_regularizer) is layers.L2Penalty
    assert again.kernel_regularizer.get_config() == {"l2": 0.25}


def test_models_have_it():
    model = models.LogisticConfig(
        l2_penalty=0.5, regularization_penalty=0.25
    ).build(feature_sizes=(4,), num_classes=3)
    kernel = model.get_layer("classifier").weights[0].numpy()
    # Half of the sum of squares, as in the starter code.
    (penalty,) = model.losses
    np.testing.assert_allclose(
        penalty, 0.125 * np.square(kernel).sum() / 2, rtol=1e-6
    )
    regularizer = model.get_layer("classifier").kernel_regularizer
    assert type(regularizer) is layers.L2Penalty
