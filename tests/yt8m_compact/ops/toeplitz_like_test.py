"""Tests of sums of circulants times skew-circulants."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.ops import plans


def matrix_of(circulants, skews):
    # The first row is b[0], and the first column from below, negative.
    return sum(
        scipy.linalg.circulant(a)
        @ scipy.linalg.toeplitz(b, np.r_[b[0], -b[:0:-1]])
        for a, b in zip(circulants, skews, strict=True)
    )


def test_written_out():
    # [[2, 3], [3, 2]] @ [[5, -7], [7, 5]]
    y = ops.toeplitz_like_matmul(
        tf.eye(2), tf.constant([[2.0, 3.0]]), tf.constant([[5.0, 7.0]]), 2
    )
    np.testing.assert_allclose(y, [[31, 1], [29, -11]], rtol=1e-6)


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize(
    ("input_dim", "size", "units"),
    [(1, 1, 1), (4, 4, 1), (5, 7, 7), (7, 7, 3), (1000, 1000, 700),
     (300, 1024, 1024), (509, 509, 1)],
)  # fmt: skip
def test_equals_scipy(rank, input_dim, size, units):
    rng = np.random.default_rng(0)
    circulants, skews = rng.standard_normal([2, rank, size])
    matrix = matrix_of(circulants, skews)[:input_dim, :units]
    x = rng.standard_normal([2, 3, input_dim])
    y = ops.toeplitz_like_matmul(
        tf.constant(x), tf.constant(circulants), tf.constant(skews), units
    )
    np.testing.assert_allclose(y, x @ matrix, atol=1e-9)


def test_small_ones_are_written_out():
    assert plans.plan_toeplitz_like(128, 128, 2).dense
    plan = plans.plan_toeplitz_like(1024, 1024, 3)
    assert not plan.dense
    assert (plan.input_blocks, plan.output_blocks) == (3, 1)
    assert plan.length == 2048


def test_multiply_adds():
    # A transform of 1024 is 12,800 and one of 2048 is 28,160. Three spectra of
    # 513 values, the way back, there again, three of 1025, and one way back.
    count = ops.toeplitz_like_multiply_adds(1024, 1024, 1024, 3)
    first = 12_800 + 3 * 4 * 513 + 3 * 12_800
    assert count == first + 3 * 28_160 + 3 * 4 * 1025 + 28_160
    # Two products of 64 x 64 written out, after one of 64 x 128.
    assert ops.toeplitz_like_multiply_adds(64, 64, 64, 2) == 2 * 64 * 128


def test_wrong_shapes_are_refused():
    with pytest.raises(
        ValueError,
        match=r"expected circulants and skews of one shape \[rank, size\]\. "
        r"Received: circulants\.shape=\(1, 4\), skews\.shape=\(2, 4\)",
    ):
        ops.toeplitz_like_matmul(
            tf.ones([2, 4]), tf.ones([1, 4]), tf.ones([2, 4]), 4
        )
    with pytest.raises(
        ValueError,
        match="expected at most as many units as the size of the skews. "
        r"Received: units=5, skews\.shape=\(1, 4\)",
    ):
        ops.toeplitz_like_matmul(
            tf.ones([2, 4]), tf.ones([1, 4]), tf.ones([1, 4]), 5
        )
