"""Tests of the soft bag of frames."""

import numpy as np
import pytest
import tensorflow as tf

import numpy_poolings
from yt8m_compact import layers

NUM_FRAMES = np.array([4, 1, 0, 6])


def make_batch():
    rng = np.random.default_rng(0)
    activations = rng.normal(0, 2, (4, 6, 3)).astype("float32")
    mask = np.arange(6) < NUM_FRAMES[:, np.newaxis]
    return activations, mask


@pytest.mark.parametrize("method", ["sum", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_equals_the_equation_and_padding_does_not_count(method, normalize):
    activations, mask = make_batch()
    layer = layers.SoftAssignmentPooling(method, normalize)
    expected = [
        numpy_poolings.soft_assignment(rows[:count], method, normalize)
        for rows, count in zip(
            activations.astype("float64"), NUM_FRAMES, strict=True
        )
    ]
    for garbage in [0.0, np.nan, np.inf]:
        x = tf.constant(np.where(mask[..., np.newaxis], activations, garbage))
        x = tf.cast(x, "float32")
        with tf.GradientTape() as tape:
            tape.watch(x)
            pooled = layer([x, mask])
            loss = tf.reduce_sum(pooled[:, :2])
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=1e-6)
        gradient = tape.gradient(loss, x).numpy()
        assert np.isfinite(gradient).all()
        assert not gradient[~mask].any()


def test_config_round_trip():
    layer = layers.SoftAssignmentPooling("max", False, name="bag")
    again = layers.SoftAssignmentPooling.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.method, again.normalize) == ("max", False)


def test_16_bit_sums_are_wide():
    activations = np.zeros((1, 301, 2), "float32")
    layer = layers.SoftAssignmentPooling(
        normalize=False, dtype="mixed_bfloat16"
    )
    result = layer([activations, np.ones((1, 301), bool)])
    # 301 halves; in bfloat16 the sum would stop at 128.
    np.testing.assert_allclose(tf.cast(result, "float32"), [[150, 150]], atol=1)


def test_unknown_method_is_refused():
    with pytest.raises(
        ValueError, match="expected one of sum, max. Received: method='mean'"
    ):
        layers.SoftAssignmentPooling("mean")
