"""Tests of gates of hidden units, against NumPy."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers

PENALTY, RATE = 0.3, 4.0
# The third's noise outweighs its signal; the second's sign is another.
MEAN = np.array([2.0, -0.7, 0.5])
VARIANCE = np.array([0.25, 0.1, 0.36])


def make(**kwargs) -> layers.InformationBottleneck:
    layer = layers.InformationBottleneck(PENALTY, RATE, seed=1, **kwargs)
    layer.build([None, 3])
    layer.set_weights([MEAN / RATE, np.log(VARIANCE) / RATE])
    return layer


def inputs(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(1, 2, (*shape, 3)).astype("float32")


def test_else_than_in_training_units_that_are_not_needed_are_0():
    layer, x = make(), inputs(4, 2)
    np.testing.assert_array_equal(layer.needed(), [True, True, False])
    np.testing.assert_allclose(layer.gates(), [2, -0.7, 0], rtol=1e-6)
    np.testing.assert_allclose(layer(x), x * [2, -0.7, 0], rtol=1e-6)
    assert not layer.losses


def test_loss_and_gradients_are_those_of_numpy():
    layer, x = make(), inputs(5)
    weights = np.random.default_rng(1).normal(size=x.shape)
    with tf.GradientTape() as tape:
        y = layer(x, training=True)
        (penalty,) = layer.losses
        loss = tf.reduce_sum(y * weights) + penalty
    # log(1 + 4 / .25) and log(1 + .49 / .1): of what is needed.
    expected = PENALTY * (np.log(17) + np.log(5.9))
    np.testing.assert_allclose(penalty, expected, rtol=1e-6)
    noise = (y.numpy() / x - MEAN) / np.sqrt(VARIANCE)
    # y = x (mu + sigma e), and d log(1 + mu^2 / s) is 2 mu / (mu^2 + s) by mu,
    # -mu^2 / (mu^2 + s) by log s.
    total = MEAN**2 + VARIANCE
    by_mean = (weights * x).sum(0) + PENALTY * 2 * MEAN / total
    by_log = (weights * x * noise).sum(0) * np.sqrt(VARIANCE) / 2
    by_log -= PENALTY * MEAN**2 / total
    mean, log_variance = tape.gradient(loss, layer.trainable_weights)
    # None reaches what is not needed: it stays so.
    needed = [1, 1, 0]
    np.testing.assert_allclose(mean, RATE * by_mean * needed, rtol=1e-5)
    np.testing.assert_allclose(log_variance, RATE * by_log * needed, rtol=1e-4)


def test_noise_is_that_of_each_unit_of_each_example():
    x = inputs(4000)
    gates = make()(x, training=True).numpy() / x
    np.testing.assert_array_equal(gates[:, 2], 0)
    noise = (gates[:, :2] - MEAN[:2]) / np.sqrt(VARIANCE[:2])
    # Of 4,000 normal draws, mean and variance to four of their deviations.
    assert np.abs(noise.mean(0)).max() < 4 / np.sqrt(4000)
    assert np.abs(noise.var(0) - 1).max() < 4 * np.sqrt(2 / 4000)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / np.sqrt(4000)


def test_a_continued_training_draws_on(tmp_path):
    layer, x = make(), inputs(2)
    first = layer(x, training=True).numpy()
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "ckpt"))
    second = layer(x, training=True).numpy()
    assert np.any(first != second)
    again = layers.InformationBottleneck(PENALTY, RATE, seed=1)
    again.build([None, 3])
    tf.train.Checkpoint(layer=again).restore(path)
    np.testing.assert_array_equal(again(x, training=True), second)


def test_starts_with_little_noise_and_all_units():
    layer = layers.InformationBottleneck(0.1)
    layer.build([None, 7])
    mean, variance = layer.moments()
    np.testing.assert_allclose(mean, np.ones(7), rtol=1e-6)
    np.testing.assert_allclose(variance, np.full(7, np.exp(-3)), rtol=1e-5)
    assert layer.count_params() == 14


def test_gates_are_computed_in_32_bits():
    layer, x = make(dtype="mixed_float16"), inputs(2)
    assert layer(x).dtype == tf.float16
    assert layer(x, training=True).dtype == tf.float16
    assert layer.losses[0].dtype == layer.gates().dtype == tf.float32


def test_config_round_trip():
    layer = layers.InformationBottleneck(0.25, 3.0, seed=4, name="gates")
    again = layers.InformationBottleneck.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.penalty, again.rate, again.seed) == (0.25, 3.0, 4)
    assert keras.saving.get_registered_name(type(layer)).startswith("yt8m")


@pytest.mark.parametrize(
    ("penalty", "rate"), [(-0.1, 1.0), (0.1, 0.0), (float("nan"), 1.0)]
)
def test_wrong_arguments_are_refused(penalty, rate):
    message = (
        "expected a penalty of at least 0 and a rate above 0. Received: "
        f"penalty={penalty}, rate={rate}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        layers.InformationBottleneck(penalty, rate)
