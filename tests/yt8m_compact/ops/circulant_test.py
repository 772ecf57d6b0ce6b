"""Tests of the products with circulant and diagonal-circulant matrices."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

import layer_conformance
from yt8m_compact import ops

rng_rows = layer_conformance.random_rows


def kernel_by_loops(kernel, units, diagonal=None):
    """Writes out `d_b[i] c_b[(i - j) mod n]` entry by entry."""
    size = kernel.shape[1]
    diagonal = np.ones(kernel.shape) if diagonal is None else diagonal
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
        kernel_by_loops(kernel, units),
    )
    np.testing.assert_allclose(
        ops.diagonal_circulant_kernel(diagonal[None], kernel[None], units),
        kernel_by_loops(kernel, units, diagonal),
        rtol=1e-15,
    )


def test_a_padded_circulant_in_several_parts():
    # The plan is one of a Toeplitz matrix with four parts of its columns.
    x, kernel = rng_rows(2, 512), rng_rows(1, 11_586, seed=2)
    assert ops.plan_circulant(512, 11_586, 11_586).output_blocks == 4
    result = ops.circulant_matmul(tf.constant(x), tf.constant(kernel), 11_586)
    spectrum = np.fft.fft(x, 11_586) * np.fft.fft(kernel).conj()
    np.testing.assert_allclose(result, np.fft.ifft(spectrum).real, atol=1e-10)


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
    expected = x @ kernel_by_loops(kernel, 17)
    assert result.dtype == dtype
    assert result.shape == (*leading, 17)
    np.testing.assert_allclose(result, expected, atol=tolerance)
    result = ops.diagonal_circulant_matmul(
        arguments[0], arguments[2][None], arguments[1][None], 17
    )
    expected = x @ kernel_by_loops(kernel, 17, diagonal)
    assert result.dtype == dtype
    assert result.shape == (*leading, 17)
    np.testing.assert_allclose(result, expected, atol=tolerance)


def test_static_shape_is_known_while_tracing():
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 30, 7]),
            tf.TensorSpec([3, 7]),
        ],
        autograph=False,
    )
    def multiply(x, kernel):
        for result in [
            ops.circulant_matmul(x, kernel, 17),
            ops.diagonal_circulant_matmul(x, kernel[None], kernel[None], 17),
        ]:
            assert result.shape.as_list() == [None, 30, 17]
        return result

    multiply.get_concrete_function()


def factors_by_loops(diagonal, kernel, units):
    """Multiplies each block's factors, written out, from left to right."""
    size = kernel.shape[2]
    diagonal = np.broadcast_to(diagonal, kernel.shape)
    blocks = []
    for block in range(kernel.shape[1]):
        product = np.eye(size)
        for d, c in zip(diagonal[:, block], kernel[:, block], strict=True):
            product = product @ kernel_by_loops(c[None], size, d[None])
        blocks.append(product)
    return np.concatenate(blocks, axis=1)[:, :units]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("factors", "input_dim", "size", "units"),
    # Several factors, and inputs that are padded to the circulants' size. One
    # factor of few values is a dense product, one of 600 is not.
    [(1, 7, 7, 17), (2, 7, 7, 5), (3, 6, 6, 15), (2, 4, 9, 9), (1, 4, 9, 9)]
    + [(1, 600, 600, 700), (1, 600, 640, 640)],
)
def test_factors(factors, input_dim, size, units, shared):
    blocks = -(-units // size)
    kernel = rng_rows(factors, blocks, size)
    diagonal = rng_rows(factors, 1 if shared else blocks, size, seed=2)
    x = rng_rows(2, 3, input_dim, seed=3)
    dense = factors_by_loops(diagonal, kernel, units)[:input_dim]
    arguments = [tf.constant(t) for t in (x, diagonal, kernel)]
    result = ops.diagonal_circulant_matmul(*arguments, units)
    np.testing.assert_allclose(result, x @ dense, atol=1e-10)
    np.testing.assert_allclose(
        ops.diagonal_circulant_kernel(diagonal, kernel, units, input_dim),
        dense,
        atol=1e-12,
    )


@pytest.mark.parametrize(("input_dim", "units"), [(4, 9), (600, 700)])
def test_padded_input(input_dim, units):
    kernel = rng_rows(1, units)
    x = rng_rows(3, input_dim, seed=2)
    dense = scipy.linalg.circulant(kernel[0])[:input_dim]
    result = ops.circulant_matmul(tf.constant(x), tf.constant(kernel), units)
    np.testing.assert_allclose(result, x @ dense, atol=1e-10)
    np.testing.assert_array_equal(
        ops.circulant_kernel(kernel, units, input_dim), dense
    )


# Each is a case of its own of `ops.plan_circulant`: a long input in parts, a
# prime with one block and with several, and the plain one.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("input_dim", "units"), [(9000, 20), (1201, 1201), (1201, 1500), (700, 900)]
)
def test_every_algorithm(input_dim, units):
    blocks = -(-units // input_dim)
    kernel, x = rng_rows(blocks, input_dim), rng_rows(2, input_dim, seed=2)
    upstream = rng_rows(2, units, seed=3)
    arguments = [tf.constant(x), tf.constant(kernel)]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        result = ops.circulant_matmul(*arguments, units)
    of_x, of_kernel = tape.gradient(result, arguments, upstream)
    columns = [scipy.linalg.circulant(c)[:, :units] for c in kernel]
    dense = np.concatenate(columns, axis=1)[:, :units]
    np.testing.assert_allclose(result, x @ dense, atol=1e-9)
    np.testing.assert_allclose(of_x, upstream @ dense.T, atol=1e-9)
    # The product is linear in the kernel.
    step = rng_rows(*kernel.shape, seed=4)
    columns = [scipy.linalg.circulant(c)[:, :units] for c in step]
    change = x @ np.concatenate(columns, axis=1)[:, :units]
    np.testing.assert_allclose(
        np.sum(of_kernel * step), np.sum(change * upstream), rtol=1e-8
    )


@pytest.mark.parametrize("shape", [(2, 7), (3, 6), (4, 7), (7,)], ids=str)
def test_kernel_of_another_shape_is_refused(shape):
    x, bad = tf.ones([2, 7]), tf.ones(shape)
    with pytest.raises(
        ValueError,
        match=r"expected a kernel of shape \[ceil\(units / size\), size\] "
        r"with size at least 7\. Received: kernel\.shape="
        rf"\[{', '.join(map(str, shape))}\], x\.shape=\[2, 7\], units=17",
    ):
        ops.circulant_matmul(x, bad, 17)


def test_factors_of_another_shape_are_refused():
    x, good = tf.ones([2, 7]), tf.ones([2, 3, 7])
    for bad in [tf.ones([3, 7]), tf.ones([2, 2, 7]), tf.ones([2, 3, 6])]:
        with pytest.raises(
            ValueError,
            match=r"expected a kernel of shape \[factors, "
            r"ceil\(units / size\), size\] with size at least 7\. Received: ",
        ):
            ops.diagonal_circulant_matmul(x, good, bad, 17)
    for bad in [tf.ones([3, 7]), tf.ones([2, 2, 7]), tf.ones([1, 3, 7])]:
        with pytest.raises(
            ValueError,
            match=r"expected a diagonal of shape \[2, 3, 7\] or "
            r"\[2, 1, 7\], as the kernel\. Received: diagonal\.shape=",
        ):
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
