"""Tests of the optimisers and their learning rates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers


def make(**kwargs) -> keras.optimizers.Optimizer:
    return optimizers.make_optimizer(config_lib.TrainingConfig(**kwargs))


# The step that each optimiser's paper gives for the first gradient g, with
# learning rate 0.5, from zero state, for g = (3, -4).
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # m / sqrt(v), bias-corrected: g / |g|.
        ("AdamOptimizer", [-0.5, 0.5]),
        # g / sqrt(0.1 + g^2), with Keras's initial accumulator of 0.1.
        (
            "AdagradOptimizer",
            [-0.5 * 3 / np.sqrt(9.1), 0.5 * 4 / np.sqrt(16.1)],
        ),
        # g / sqrt(0.1 g^2), with a decay of 0.9.
        ("RMSPropOptimizer", [-0.5 / np.sqrt(0.1), 0.5 / np.sqrt(0.1)]),
        ("MomentumOptimizer", [-1.5, 2.0]),
        ("GradientDescentOptimizer", [-1.5, 2.0]),
    ],
)
def test_first_step(name, expected):
    optimizer = make(
        optimizer=name, base_learning_rate=0.5, clip_gradient_norm=0.0
    )
    variable = keras.Variable([0.0, 0.0])
    optimizer.apply([tf.constant([3.0, -4.0])], [variable])
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5)


def test_momentum():
    optimizer = make(
        optimizer="MomentumOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([0.0])
    for _ in range(3):
        optimizer.apply([tf.constant([1.0])], [variable])
    # 1 + (1 + 0.9) + (1 + 0.9 + 0.81).
    np.testing.assert_allclose(variable.numpy(), [-5.61], rtol=1e-5)


def test_gradient_of_each_variable_is_clipped_by_itself():
    optimizer = make(
        optimizer="GradientDescentOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=2.0,
    )
    large, small = keras.Variable([0.0, 0.0]), keras.Variable([0.0, 0.0])
    optimizer.apply(
        [tf.constant([3.0, -4.0]), tf.constant([0.5, -1.0])], [large, small]
    )
    # Norm 5 is scaled to 2; norm 1.1 stays, whatever the other one's is.
    np.testing.assert_allclose(large.numpy(), [-1.2, 1.6], rtol=1e-6)
    np.testing.assert_allclose(small.numpy(), [-0.5, 1.0], rtol=1e-6)


def test_no_clipping():
    optimizer = make(
        optimizer="GradientDescentOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([0.0])
    optimizer.apply([tf.constant([1e6])], [variable])
    np.testing.assert_allclose(variable.numpy(), [-1e6])


@pytest.mark.parametrize(
    ("batch_size", "decay_examples"),
    [(8, 20.0), (8, 4.0), (1024, 4e6), (3, 7.5)],
)
def test_learning_rate(batch_size, decay_examples):
    schedule = make(
        batch_size=batch_size,
        base_learning_rate=0.1,
        learning_rate_decay=0.8,
        learning_rate_decay_examples=decay_examples,
    )._learning_rate
    steps = [*range(12), 3906, 3907, 7812, 7813]
    # The starter code's: base * decay ^ floor(step * batch / decay_examples).
    expected = [
        0.1 * 0.8 ** np.floor(step * batch_size / decay_examples)
        for step in steps
    ]
    found = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-30)
