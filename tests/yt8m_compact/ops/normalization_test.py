"""Tests of scaling to unit length."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops

ROWS = np.array(
    [[3.0, 4.0], [0.0, 0.0], [-5e-7, 0.0], [0.0, -1e-4], [8e17, 6e17]]
)
UNITS = np.array([[0.6, 0.8], [0.0, 0.0], [0.0, 0.0], [0.0, -1.0], [0.8, 0.6]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_and_columns(dtype):
    x = tf.constant(ROWS, dtype)
    result = ops.l2_normalize(x, axis=1)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, UNITS, rtol=1e-6)
    result = ops.l2_normalize(tf.transpose(x), axis=0)
    np.testing.assert_allclose(result, UNITS.T, rtol=1e-6)


def test_gradients():
    x = tf.constant(ROWS[:4])
    upstream = tf.constant([[2.0, 1.0]] * 4, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(ops.l2_normalize(x, axis=1) * upstream)
    # (g - u (u . g)) / |x| with the unit vector u: for (3, 4) and g = (2, 1),
    # u . g = 2, so ((2, 1) - (1.2, 1.6)) / 5; for (0, -1e-4), u . g = -1, so
    # ((2, 1) - (0, 1)) / 1e-4. What became zero has no gradient.
    expected = [[0.16, -0.12], [0, 0], [0, 0], [2e4, 0]]
    np.testing.assert_allclose(
        tape.gradient(loss, x), expected, rtol=1e-9, atol=1e-9
    )
