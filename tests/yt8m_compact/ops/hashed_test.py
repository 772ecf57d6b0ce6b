"""Tests of matrices that share weights by a hash."""

import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
from yt8m_compact import ops


def mix(number, factors):
    for factor in factors:
        number = number * factor % 2**31
        number ^= number >> 15
    return number


@pytest.mark.parametrize(("input_dim", "units"), [(1, 1), (7, 17), (40, 3)])
def test_equals_the_documented_arithmetic(input_dim, units):
    result = ops.hashed_buckets(input_dim, units, 11)
    for (i, j), bucket in np.ndenumerate(result):
        # Python's whole numbers, which do not overflow.
        bits = mix(i + 1, (1640531527, 1181783497, 1573292053))
        bits ^= mix(j + 1, (1403630843, 2024237689, 1825111157))
        bits = bits * 1779033703
        bits = (bits ^ (bits >> 31)) % 2**31 * 1952505347 % 2**32
        assert bucket == bits * 22 >> 32


def test_hash_does_not_change():
    # Stored models depend on it: these are its values of version 0.1.
    result = ops.hashed_buckets(2, 6, 100)
    np.testing.assert_array_equal(
        result, [[21, 192, 33, 23, 175, 106], [150, 102, 86, 89, 127, 63]]
    )


def test_buckets_and_signs_are_even_and_independent():
    buckets = ops.hashed_buckets(300, 400, 100).numpy()
    # 120,000 entries in 200: 600 each, with a deviation of sqrt(600).
    counts = np.bincount(buckets.ravel(), minlength=200)
    assert counts.size == 200
    assert np.abs(counts - 600).max() < 5 * 600**0.5
    assert counts.std() < 1.2 * 600**0.5
    signs = np.where(buckets < 100, 1.0, -1.0)
    # Means of 400 and of 300 products of fair signs.
    for rows in [signs, signs.T]:
        products = rows @ rows.T / rows.shape[1]
        others = products[~np.eye(len(rows), dtype=bool)]
        np.testing.assert_allclose(
            others.std(), rows.shape[1] ** -0.5, rtol=0.1
        )
        assert np.abs(others).max() < 6 * rows.shape[1] ** -0.5
    # Two entries of a row share a bucket as often as chance has it.
    same = np.mean(buckets[:, :-1] % 100 == buckets[:, 1:] % 100)
    np.testing.assert_allclose(same, 0.01, atol=0.0015)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_gradient_sums_in_float32(dtype):
    upstream = layer_conformance.random_rows(200, 300)
    kernel = tf.constant(layer_conformance.random_rows(5), dtype)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        dense = ops.hashed_kernel(kernel, 200, 300)
        product = tf.reduce_sum(dense * tf.cast(upstream, dtype))
    gradient = tape.gradient(product, kernel)
    assert gradient.dtype == dense.dtype == dtype
    buckets = ops.hashed_buckets(200, 300, 5).numpy()
    rounded = tf.cast(tf.cast(upstream, dtype), "float64").numpy()
    signed = np.where(buckets < 5, rounded, -rounded)
    expected = [signed[buckets % 5 == bucket].sum() for bucket in range(5)]
    tolerance = {"float32": 1e-4, "bfloat16": 2**-8}[dtype]
    np.testing.assert_allclose(
        tf.cast(gradient, "float64"), expected, rtol=tolerance, atol=1e-3
    )


@pytest.mark.slow
def test_gradient_under_xla_of_a_matrix_too_large_to_fold():
    upstream = tf.constant(layer_conformance.random_rows(1024, 600))
    kernel = tf.constant(layer_conformance.random_rows(500))

    def gradient(kernel):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            dense = ops.hashed_kernel(kernel, 1024, 600)
            product = tf.reduce_sum(dense * upstream)
        return tape.gradient(product, kernel)

    compiled = tf.function(gradient, jit_compile=True)
    np.testing.assert_allclose(compiled(kernel), gradient(kernel), atol=1e-9)
