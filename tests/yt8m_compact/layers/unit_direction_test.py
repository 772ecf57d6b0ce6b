"""Tests of the scaling of hidden units to unit length."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import layers


def make_inputs() -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    x[1, 2] = 0.0
    return x


@pytest.mark.parametrize(
    ("policy", "dtype", "tolerance"),
    [
        ("float32", "float32", 1e-6),
        ("float64", "float64", 1e-6),
        ("mixed_float16", "float16", 1e-3),
        ("mixed_bfloat16", "bfloat16", 8e-3),
    ],
)
def test_every_vector_has_length_one(policy, dtype, tolerance):
    x = make_inputs()
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    length[1, 2] = 1.0
    result = layers.UnitDirection(dtype=policy)(x)
    assert result.dtype == dtype
    np.testing.assert_allclose(
        tf.cast(result, "float64"), x / length, rtol=0, atol=tolerance
    )


def test_squares_that_float16_has_not():
    result = layers.UnitDirection(dtype="mixed_float16")(
        np.array([[3e-4, 4e-4]], "float16")
    )
    np.testing.assert_allclose(result, [[0.6, 0.8]], atol=2e-3)


def test_gradient():
    x = tf.constant(make_inputs())
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = layers.UnitDirection()(x)[..., 0]
    found = tape.gradient(first, x).numpy()
    # d(x_0 / |x|) / dx = (e_0 - u_0 u) / |x| with u = x / |x|.
    x = make_inputs()
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    length[1, 2] = 1.0
    unit = x / length
    expected = (np.eye(4)[0] - unit[..., :1] * unit) / length
    expected[1, 2] = 0.0  # It has no direction.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_symbolic_shape_and_config():
    layer = layers.UnitDirection(name="unit", dtype="mixed_bfloat16")
    again = layers.UnitDirection.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    symbolic = again(keras.Input((None, 3)))
    assert symbolic.shape == (None, None, 3)
    assert symbolic.dtype == "bfloat16"
