"""Tests of the Hadamard transform and of products with Fastfood matrices."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

import layer_conformance
from yt8m_compact import ops

rng_rows = layer_conformance.random_rows


@pytest.mark.parametrize("size", [1, 2, 64, 128, 256, 2048])
def test_equals_scipy(size):
    x = rng_rows(2, 3, size)
    matrix = scipy.linalg.hadamard(size) / np.sqrt(size)
    result = ops.hadamard_transform(tf.constant(x))
    assert result.shape == (2, 3, size)
    np.testing.assert_allclose(result, x @ matrix, atol=1e-12)
    if size <= 256:
        written = ops.hadamard_matrix(size, tf.float64)
        np.testing.assert_allclose(written, matrix, rtol=1e-14)


def test_more_than_two_factors():
    # 2^15 values: too many for scipy's matrix; some columns of it, by parity.
    size = 2**15
    x = rng_rows(2, size)
    result = ops.hadamard_transform(tf.constant(x))
    for column in [0, 1, 127, 128, 16_384, 21_845]:
        parity = [(row & column).bit_count() % 2 for row in range(size)]
        expected = x @ (1.0 - 2 * np.array(parity)) / np.sqrt(size)
        np.testing.assert_allclose(result[:, column], expected, atol=1e-11)
    # Matrices of 128, and 2^8 again as 16 and 16.
    assert ops.hadamard_multiply_adds(size) == size * (128 + 16 + 16)


@pytest.mark.parametrize("size", [0, 3, 12])
def test_other_sizes_are_refused(size):
    message = rf"expected a power of two\. Received: size={size}"
    with pytest.raises(ValueError, match=message):
        ops.hadamard_matrix(size, tf.float32)
    if size:
        with pytest.raises(ValueError, match="expected a power of two"):
            ops.hadamard_transform(tf.ones([2, size]))


def test_fastfood_written_out():
    # n' = 2, without roots: H = [[1, 1], [1, -1]], P swaps, G = diag(2, 3):
    # H P G H / 2 = [[5, -1], [1, -5]] / 2; rows times 10, 100, columns 1, 2.
    weights = [
        tf.constant([[10.0, 100.0]]),
        tf.constant([[1, 0]]),
        tf.constant([[2.0, 3.0]]),
        tf.constant([[1.0, 2.0]]),
    ]
    result = ops.fastfood_kernel(*weights, 2, 2)
    np.testing.assert_allclose(result, [[25, -10], [50, -500]], rtol=1e-5)
    # One value, with a zero behind it up to a power of two, is itself.
    assert ops.fastfood_shape(1, 3) == (3, 1)
    assert ops.fastfood_shape(2, 3) == (2, 2)
    assert ops.fastfood_shape(1000, 1025) == (2, 1024)
    x = tf.constant([[[1.0, 1.0]]])
    result = ops.fastfood_matmul(x, *weights, 1)
    np.testing.assert_allclose(result, [[[75]]], rtol=1e-5)


def test_fastfood_weights_of_another_shape_are_refused():
    good, bad = tf.ones([2, 8]), tf.ones([2, 4])
    permutation = tf.constant([[*range(8)]] * 2)
    ops.fastfood_matmul(tf.ones([3, 7]), good, permutation, good, good, 16)
    with pytest.raises(
        ValueError,
        match=r"expected x with a known last dimension n, .* Received: "
        r"shapes=\[\[2, 4\], \[2, 8\]\], x\.shape=\(3, 7\), units=16",
    ):
        ops.fastfood_matmul(tf.ones([3, 7]), good, permutation, bad, good, 16)
