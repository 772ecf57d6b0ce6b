"""Tests of products with matrices of circulant blocks."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.ops import block_circulant
from yt8m_compact.ops import transforms

rng = np.random.default_rng(0)


def dense(kernel, input_block, output_block):
    """Writes out circulant blocks, cut to some rows and columns."""
    return np.concatenate(
        [
            np.concatenate(
                [
                    scipy.linalg.circulant(c)[:input_block, :output_block]
                    for c in row
                ],
                axis=1,
            )
            for row in kernel
        ]
    )


def gradients(function, upstream, *arguments):
    arguments = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        result = function(*arguments)
    return result, *tape.gradient(result, arguments, upstream)


# One block, blocks of one side, of both, and more than are unrolled.
@pytest.mark.parametrize(
    ("in_blocks", "out_blocks"),
    [(1, 1), (1, 3), (3, 1), (2, 3), (1, 70)] + [(70, 1)],
)
@pytest.mark.parametrize(
    ("length", "input_block", "output_block"),
    [(6, 6, 6), (7, 7, 7), (9, 4, 5), (1, 1, 1), (8, 8, 3)],
)
def test_blocks_equal_the_dense_product(
    in_blocks, out_blocks, length, input_block, output_block
):
    kernel = rng.standard_normal([in_blocks, out_blocks, length])
    x = rng.standard_normal([4, in_blocks, input_block])
    upstream = rng.standard_normal([4, out_blocks, output_block])
    y, of_x, of_kernel = gradients(
        lambda x, kernel: block_circulant.multiply_blocks(
            x, kernel, output_block
        ),
        upstream,
        x,
        kernel,
    )
    matrix = dense(kernel, input_block, output_block)
    flat, flat_up = x.reshape(4, -1), upstream.reshape(4, -1)
    np.testing.assert_allclose(y, (flat @ matrix).reshape(y.shape), atol=1e-12)
    np.testing.assert_allclose(
        of_x, (flat_up @ matrix.T).reshape(x.shape), atol=1e-11
    )
    # The product is linear in the kernel.
    step = rng.standard_normal(kernel.shape)
    change = flat @ dense(step, input_block, output_block)
    np.testing.assert_allclose(
        np.sum(of_kernel * step), np.sum(change * flat_up), rtol=1e-9
    )
    np.testing.assert_array_equal(
        block_circulant.dense_blocks(kernel, input_block, output_block), matrix
    )


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_pairs_equal_the_dense_products(length):
    kernel = rng.standard_normal([3, length])
    x, upstream = rng.standard_normal([2, 4, 3, length])
    y, of_x, of_kernel = gradients(
        block_circulant.multiply_pairs, upstream, x, kernel
    )
    step = rng.standard_normal(kernel.shape)
    change = 0.0
    for block in range(3):
        matrix = scipy.linalg.circulant(kernel[block])
        rows, rows_up = x[:, block], upstream[:, block]
        np.testing.assert_allclose(y[:, block], rows @ matrix, atol=1e-12)
        np.testing.assert_allclose(
            of_x[:, block], rows_up @ matrix.T, atol=1e-12
        )
        change += np.sum(rows @ scipy.linalg.circulant(step[block]) * rows_up)
    np.testing.assert_allclose(np.sum(of_kernel * step), change, rtol=1e-9)


# All blocks at once, some after another, and more than are unrolled.
@pytest.mark.parametrize(
    ("blocks", "rows"),
    [(1, 4), (3, 4), (1, None), (3, None), (30, None), (25, None), (70, None)],
)
def test_scaled_blocks_equal_the_dense_product(blocks, rows):
    length = 5
    diagonal, kernel = rng.standard_normal([2, blocks, length])
    x = rng.standard_normal([4, length])
    upstream = rng.standard_normal([4, blocks * length])
    spec = tf.TensorSpec([rows, length], tf.float64)
    multiply = tf.function(block_circulant.multiply_scaled, autograph=False)
    multiply = multiply.get_concrete_function(
        spec, tf.constant(diagonal), tf.constant(kernel)
    )
    y, of_x, of_diagonal, of_kernel = gradients(
        multiply, upstream, x, diagonal, kernel
    )
    types = [op.type for op in multiply.graph.get_operations()]
    assert types.count("IRFFT") == (3 if blocks in (25, 30) else 1)

    def dense_matrix(diagonal, kernel):
        return np.concatenate(
            [
                d[:, np.newaxis] * scipy.linalg.circulant(c)
                for d, c in zip(diagonal, kernel, strict=True)
            ],
            axis=1,
        )

    matrix = dense_matrix(diagonal, kernel)
    np.testing.assert_allclose(y, x @ matrix, atol=1e-12)
    np.testing.assert_allclose(of_x, upstream @ matrix.T, atol=1e-11)
    # The product is linear in each.
    for step in rng.standard_normal([2, blocks, length]):
        for gradient, change in [
            (of_diagonal, dense_matrix(step, kernel)),
            (of_kernel, dense_matrix(diagonal, step)),
        ]:
            np.testing.assert_allclose(
                np.sum(gradient * step), np.sum(x @ change * upstream)
            )


@pytest.mark.parametrize("frames", [1, 2, 5, 6])
@pytest.mark.parametrize("known", [True, False])
def test_scaled_blocks_of_frames_in_pairs(frames, known):
    length = 7
    diagonal, kernel = rng.standard_normal([2, 2, length])
    x = rng.standard_normal([3, frames, length])
    upstream = rng.standard_normal([3, frames, 2 * length])
    spec = tf.TensorSpec([None, frames if known else None, length], tf.float64)
    multiply = tf.function(block_circulant.multiply_scaled, autograph=False)
    with transforms.paired_frames():
        multiply = multiply.get_concrete_function(
            spec, tf.constant(diagonal), tf.constant(kernel)
        )
    types = {op.type for op in multiply.graph.get_operations()}
    assert ("IFFT" in types) == (not known or frames > 1)
    found = gradients(multiply, upstream, x, diagonal, kernel)
    expected = gradients(
        block_circulant.multiply_scaled,
        upstream.reshape([-1, 2 * length]),
        x.reshape([-1, length]),
        diagonal,
        kernel,
    )
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            ours, tf.reshape(theirs, ours.shape), atol=1e-12
        )


def test_second_derivatives():
    x = tf.constant(rng.standard_normal([3, 1, 6]))
    kernel = tf.constant(rng.standard_normal([1, 2, 6]))
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = block_circulant.multiply_blocks(x, kernel, 6)
            loss = tf.reduce_sum(y**3)
        first = inner.gradient(loss, x)
        total = tf.reduce_sum(first**2)
    ours = outer.gradient(total, kernel)

    with tf.GradientTape() as outer:
        outer.watch(kernel)
        matrix = block_circulant.dense_blocks(kernel, 6, 6)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum((x[:, 0] @ matrix) ** 3)
        first = inner.gradient(loss, x)
        total = tf.reduce_sum(first**2)
    np.testing.assert_allclose(ours, outer.gradient(total, kernel), rtol=1e-9)


# Sizes that blocks divide and not; small blocks are multiplied as a dense
# matrix, large ones by transforms.
@pytest.mark.parametrize(
    ("input_dim", "units", "block_size"),
    [(7, 5, 3), (6, 9, 3), (5, 4, 8), (700, 900, 128), (640, 512, 128)],
)
def test_padded_and_cut(input_dim, units, block_size):
    shape = ops.block_circulant_shape(input_dim, units, block_size)
    assert shape == (-(-input_dim // block_size), -(-units // block_size)) + (
        block_size,
    )
    kernel = rng.standard_normal(shape)
    matrix = dense(kernel, block_size, block_size)[:input_dim, :units]
    np.testing.assert_array_equal(
        ops.block_circulant_kernel(kernel, input_dim, units), matrix
    )
    x = rng.standard_normal([2, 3, input_dim])
    y = ops.block_circulant_matmul(tf.constant(x), tf.constant(kernel), units)
    np.testing.assert_allclose(y, x @ matrix, atol=1e-9)


def test_kernel_of_another_shape_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected x with a known last dimension n, and a kernel of "
        r"shape \[ceil\(n / b\), ceil\(units / b\), b\]\. Received: "
        r"kernel\.shape=\[2, 2, 3\], x\.shape=\(1, 7\), units=5",
    ):
        ops.block_circulant_matmul(tf.ones([1, 7]), tf.ones([2, 2, 3]), 5)
