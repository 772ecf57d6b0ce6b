"""Tests of the products with circulant and diagonal-circulant matrices."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

import layer_conformance
from yt8m_compact import ops

rng_rows = layer_conformance.random_rows


def kernel_by_loops(diagonal, kernel, units):
    """Writes out `d_b[i] c_b[(i - j) mod n]` entry by entry."""
    size = kernel.shape[1]
    dense = np.zeros([size, units])
    for i in range(size):
        for column in range(units):
            block, j = divmod(column, size)
            entry = kernel[block, (i - j) % size]
            dense[i, column] = diagonal[block, i] * entry
    return dense


@pytest.mark.parametrize(
    ("input_dim", "units", "blocks"),
    [(1, 1, 1), (1, 3, 3), (7, 6, 1), (7, 7, 1), (7, 8, 2), (7, 14, 2)]
    + [(1024, 8192, 8), (8192, 512, 1), (512, 19_310, 38)],
)
def test_num_blocks(input_dim, units, blocks):
    assert ops.num_blocks(input_dim, units) == blocks


@pytest.mark.parametrize(("input_dim", "units"), layer_conformance.SMALL_SIZES)
def test_kernels_equal_explicit_loops(input_dim, units):
    shape = (ops.num_blocks(input_dim, units), input_dim)
    kernel, diagonal = rng_rows(*shape, seed=1), rng_rows(*shape, seed=2)
    np.testing.assert_array_equal(
        ops.circulant_kernel(kernel, units),
        kernel_by_loops(np.ones(shape), kernel, units),
    )
    np.testing.assert_allclose(
        ops.diagonal_circulant_kernel(diagonal, kernel, units),
        kernel_by_loops(diagonal, kernel, units),
        rtol=1e-15,
    )


@pytest.mark.parametrize("size", [1, 2, 7, 128, 251, 1152])
def test_equals_scipy_and_linear_operator_circulant(size):
    kernel, x = rng_rows(1, size), rng_rows(3, size, seed=2)
    result = ops.circulant_matmul(tf.constant(x), tf.constant(kernel), size)
    matrix = scipy.linalg.circulant(kernel[0])
    np.testing.assert_allclose(result, x @ matrix, atol=1e-11)
    operator = tf.linalg.LinearOperatorCirculant(
        tf.signal.fft(tf.cast(kernel[0], tf.complex128)),
        input_output_dtype=tf.float64,
    )
    # A row times C is C transposed times the column.
    transposed = operator.matvec(tf.constant(x), adjoint=True)
    np.testing.assert_allclose(result, transposed, atol=1e-11)
    if size > 2:
        assert np.abs(x @ matrix - x @ matrix.T).max() > 0.1
    np.testing.assert_allclose(
        ops.circulant_kernel(kernel, size), operator.to_dense(), atol=1e-12
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 3), (0, 3)])
def test_leading_dimensions(leading, dtype):
    shape = (3, 7)
    kernel, diagonal = rng_rows(*shape, seed=1), rng_rows(*shape, seed=2)
    x = rng_rows(*leading, 7)
    arguments = [tf.cast(t, dtype) for t in [x, kernel, diagonal]]
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    result = ops.circulant_matmul(*arguments[:2], 17)
    expected = x @ kernel_by_loops(np.ones(shape), kernel, 17)
    assert result.dtype == dtype
    assert result.shape == (*leading, 17)
    np.testing.assert_allclose(result, expected, atol=tolerance)
    result = ops.diagonal_circulant_matmul(
        arguments[0], arguments[2], arguments[1], 17
    )
    expected = x @ kernel_by_loops(diagonal, kernel, 17)
    assert result.dtype == dtype
    assert result.shape == (*leading, 17)
    np.testing.assert_allclose(result, expected, atol=tolerance)


def test_static_shape_is_known_while_tracing():
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 30, 7]),
            tf.TensorSpec([3, 7]),
        ]
    )
    def multiply(x, kernel):
        for result in [
            ops.circulant_matmul(x, kernel, 17),
            ops.diagonal_circulant_matmul(x, kernel, kernel, 17),
        ]:
            assert result.shape.as_list() == [None, 30, 17]
        return result

    multiply.get_concrete_function()


@pytest.mark.parametrize("shape", [(2, 7), (3, 6), (4, 7), (7,)], ids=str)
def test_kernel_of_another_shape_is_refused(shape):
    x, good, bad = tf.ones([2, 7]), tf.ones([3, 7]), tf.ones(shape)

    def message(name):
        return (
            rf"expected a {name} of shape \[ceil\(units / input_dim\), "
            rf"input_dim\] = \[3, 7\]\. Received: {name}\.shape="
            rf"\[{', '.join(map(str, shape))}\], x\.shape=\[2, 7\], units=17"
        )

    with pytest.raises(ValueError, match=message("kernel")):
        ops.circulant_matmul(x, bad, 17)
    with pytest.raises(ValueError, match=message("kernel")):
        ops.diagonal_circulant_matmul(x, good, bad, 17)
    with pytest.raises(ValueError, match=message("diagonal")):
        ops.diagonal_circulant_matmul(x, bad, good, 17)


def test_unknown_last_dimension_is_refused():
    @tf.function(input_signature=[tf.TensorSpec([2, None])])
    def multiply(x):
        return ops.circulant_matmul(x, tf.ones([3, 7]), 17)

    with pytest.raises(
        ValueError,
        match=r"expected x with a known last dimension\. Received: "
        r"x\.shape=\(2, None\)",
    ):
        multiply.get_concrete_function()
