"""Tests of dropout that a run continues where it stopped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers


def test_drops_a_share_and_keeps_the_mean():
    layer = layers.RepeatableDropout(0.3, seed=1)
    x = np.random.default_rng(0).uniform(1, 2, (100, 200)).astype("float32")
    np.testing.assert_array_equal(layer(x, training=False), x)
    result = layer(x, training=True).numpy()
    kept = result != 0
    np.testing.assert_allclose(kept.mean(), 0.7, atol=0.01)
    # Along both axes: neither a row nor a column has a fate of its own.
    assert kept.mean(0).std() < 0.06
    assert kept.mean(1).std() < 0.05
    np.testing.assert_allclose(result[kept], x[kept] / 0.7, rtol=1e-6)


def test_nothing_is_dropped_at_a_rate_of_0():
    x = tf.random.normal([3, 4])
    layer = layers.RepeatableDropout(0.0)
    np.testing.assert_array_equal(layer(x, training=True), x)


def test_draws_follow_from_the_seed_and_the_step(tmp_path):
    x = tf.ones([8, 16])

    def draw(layer, times):
        return [layer(x, training=True).numpy() for _ in range(times)]

    layer = layers.RepeatableDropout(0.5, seed=1)
    draws = draw(layer, 2)
    checkpoint = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "ckpt"))
    draws += draw(layer, 2)
    assert len({d.tobytes() for d in draws}) == 4
    # Continued where the checkpoint was.
    again = layers.RepeatableDropout(0.5, seed=1)
    tf.train.Checkpoint(layer=again).restore(checkpoint)
    np.testing.assert_array_equal(draw(again, 2), draws[2:])
    other = layers.RepeatableDropout(0.5, seed=2)
    assert np.any(draw(other, 1)[0] != draws[0])
    assert not layer.weights


@pytest.mark.slow
def test_seeds_that_were_not_given_are_those_of_the_program():
    def seeds():
        keras.utils.set_random_seed(3)
        return [layers.RepeatableDropout(0.5).seed for _ in range(2)]

    assert seeds() == seeds()
    assert len(set(seeds())) == 2


def test_config_round_trip():
    layer = layers.RepeatableDropout(0.25, seed=4, name="drop")
    again = layers.RepeatableDropout.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.rate, again.seed) == (0.25, 4)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_wrong_rates_are_refused(rate):
    with pytest.raises(
        ValueError,
        match=f"a rate of at least 0 and below 1. Received: rate={rate}",
    ):
        layers.RepeatableDropout(rate)
