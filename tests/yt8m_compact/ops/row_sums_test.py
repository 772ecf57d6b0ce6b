"""Tests of sums over rows."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.ops import row_sums


@pytest.mark.parametrize("size", [1, 5, 8, 9, 12, 15, 16, 17, 30, 100])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_place_gives_the_same_bits(dtype, size):
    x = np.random.default_rng(size).normal(size=[9, 30, size]).astype(dtype)
    total = ops.sum_rows(x)
    assert (total.dtype, total.shape) == (dtype, [9, size])
    np.testing.assert_allclose(total, x.sum(axis=1), rtol=2e-5, atol=1e-5)
    np.testing.assert_array_equal(
        ops.sum_rows(x, keepdims=True), total[:, tf.newaxis]
    )
    for offset in range(1, 9):
        moved = ops.sum_rows(np.roll(x, offset, axis=0))
        np.testing.assert_array_equal(np.roll(moved, -offset, axis=0), total)


def test_no_rows_and_unknown_sizes():
    np.testing.assert_array_equal(
        ops.sum_rows(tf.ones([2, 0, 3])), [[0] * 3] * 2
    )
    function = tf.function(
        ops.sum_rows, input_signature=[tf.TensorSpec([None, None, None])]
    )
    np.testing.assert_array_equal(function(tf.ones([2, 4, 3])), [[4] * 3] * 2)


def test_gradient():
    x = tf.random.stateless_normal([2, 3, 5], [0, 0])
    upstream = tf.random.stateless_normal([2, 5], [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(ops.sum_rows(x) * upstream)
    expected = tf.repeat(upstream[:, tf.newaxis], 3, axis=1)
    np.testing.assert_array_equal(tape.gradient(loss, x), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 3), (0, 4, 3), (0, 3)])
def test_sum_of_all_rows(dtype, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    x = x * 1j if dtype == "complex128" else x
    total = row_sums.sum_all_rows(tf.constant(x))
    assert total.dtype == dtype
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(total, x.sum(axis=axes), rtol=1e-5, atol=1e-6)
