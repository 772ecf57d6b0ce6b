"""Tests of products with Toeplitz matrices."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.ops import plans
from yt8m_compact.ops import toeplitz

rng = np.random.default_rng(0)


def matrix_of(sequence, units):
    return scipy.linalg.toeplitz(
        sequence[units - 1 :], sequence[units - 1 :: -1]
    )


@pytest.mark.parametrize(
    ("input_dim", "units"),
    [(1, 1), (1, 4), (4, 1), (5, 5), (7, 3), (3, 7), (300, 20), (600, 700)],
)
def test_equals_scipy(input_dim, units):
    sequence = rng.standard_normal(units - 1 + input_dim)
    matrix = matrix_of(sequence, units)
    np.testing.assert_array_equal(ops.toeplitz_kernel(sequence, units), matrix)
    x = rng.standard_normal([2, 3, input_dim])
    y = ops.toeplitz_matmul(tf.constant(x), tf.constant(sequence), units)
    np.testing.assert_allclose(y, x @ matrix, atol=1e-10)


def make_plans(input_dim, units):
    """Every way to cut a small product: whole, in parts, as transforms."""
    yield plans.Plan(input_dim, units, input_dim, units, 0)
    short, long = sorted([input_dim, units])
    for part in range(short, long + 1):
        for length in {part + short - 1, part + short + 3}:
            if units < input_dim:
                yield plans.Plan(input_dim, units, part, units, length)
            else:
                yield plans.Plan(input_dim, units, input_dim, part, length)


@pytest.mark.parametrize(
    ("input_dim", "units"), [(11, 3), (3, 11), (4, 4), (9, 1), (1, 9), (8, 4)]
)
def test_every_plan_gives_the_same(input_dim, units):
    sequence = rng.standard_normal(units - 1 + input_dim)
    x, upstream = (
        rng.standard_normal([5, input_dim]),
        rng.standard_normal([5, units]),
    )
    matrix = matrix_of(sequence, units)
    step = rng.standard_normal(sequence.shape)
    change = np.sum(x @ matrix_of(step, units) * upstream)
    count = 0
    for plan in make_plans(input_dim, units):
        arguments = [tf.constant(x), tf.constant(sequence)]
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            y = toeplitz.multiply_planned(*arguments, plan)
        of_x, of_sequence = tape.gradient(y, arguments, upstream)
        np.testing.assert_allclose(y, x @ matrix, atol=1e-12, err_msg=str(plan))
        np.testing.assert_allclose(of_x, upstream @ matrix.T, atol=1e-12)
        np.testing.assert_allclose(
            np.sum(of_sequence * step), change, rtol=1e-9
        )
        count += 1
    assert count > 2


def test_sequence_of_another_size_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected x with a known last dimension n, and a sequence of "
        r"shape \[units - 1 \+ n\]\. Received: sequence\.shape=\[7\], "
        r"x\.shape=\(1, 4\), units=3",
    ):
        ops.toeplitz_matmul(tf.ones([1, 4]), tf.ones([7]), 3)
