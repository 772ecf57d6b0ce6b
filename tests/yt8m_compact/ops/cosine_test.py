"""Tests of the cosine transform and of products with ACDC matrices."""

import numpy as np
import pytest
import scipy.fft
import tensorflow as tf

import layer_conformance
from yt8m_compact import ops

rng_rows = layer_conformance.random_rows


@pytest.mark.parametrize("size", [1, 2, 7, 128, 256, 257, 300, 1152])
def test_equals_scipy(size):
    x = rng_rows(2, 3, size)
    forward = ops.cosine_transform(tf.constant(x))
    expected = scipy.fft.dct(x, norm="ortho")
    np.testing.assert_allclose(forward, expected, atol=1e-12)
    backward = ops.inverse_cosine_transform(tf.constant(x))
    expected = scipy.fft.idct(x, norm="ortho")
    np.testing.assert_allclose(backward, expected, atol=1e-12)
    np.testing.assert_allclose(
        ops.cosine_matrix(size, tf.float64),
        scipy.fft.dct(np.eye(size), norm="ortho"),
        atol=1e-13,
    )


@pytest.mark.parametrize("size", [7, 300])
def test_gradients_are_the_other_transform(size):
    x, upstream = tf.constant(rng_rows(2, size)), rng_rows(2, size, seed=2)
    for transform, other in [
        (ops.cosine_transform, scipy.fft.idct),
        (ops.inverse_cosine_transform, scipy.fft.dct),
    ]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            product = tf.reduce_sum(transform(x) * upstream)
        expected = other(upstream, norm="ortho")
        result = tape.gradient(product, x)
        np.testing.assert_allclose(result, expected, atol=1e-12)


def test_acdc_written_out():
    # n = 2: C = [[1, 1], [1, -1]] / sqrt(2), diag(2, 4) between two of them is
    # [[3, -1], [-1, 3]], its rows times 5 and 7.
    diagonal, kernel = tf.constant([[[5.0, 7]]]), tf.constant([[[2.0, 4]]])
    result = ops.acdc_kernel(diagonal, kernel, 2)
    np.testing.assert_allclose(result, [[15, -5], [-7, 21]], rtol=1e-6)
    x = tf.constant([[[1.0, 10.0]], [[0.0, 1.0]]])
    result = ops.acdc_matmul(x, diagonal, kernel, 1)
    np.testing.assert_allclose(result, [[[-55]], [[-7]]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 2, 7), (2, 3, 7), (2, 2, 6)], ids=str)
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(
        ValueError,
        match=r"expected x with a known last dimension n, .* "
        r"Received: diagonal\.shape=.*, x\.shape=\(3, 7\), units=14",
    ):
        ops.acdc_matmul(tf.ones([3, 7]), tf.ones(shape), tf.ones([2, 2, 7]), 14)


def test_unknown_last_dimension_is_refused():
    @tf.function(input_signature=[tf.TensorSpec([2, None])])
    def multiply(x):
        return ops.acdc_matmul(x, tf.ones([1, 2, 7]), tf.ones([1, 2, 7]), 14)

    with pytest.raises(ValueError, match=r"x\.shape=\(2, None\)"):
        multiply.get_concrete_function()
