"""Products with diagonals between Hadamard transforms (Fastfood)."""

import functools
import math

import tensorflow as tf

from yt8m_compact.ops import block_circulant

# A Hadamard matrix is a Kronecker product of smaller ones. Two products with
# matrices of up to this size take fewer passes through memory than the log2 n
# steps of sums and differences: 2,400 rows of 1,024 values, 3.2 ms on two
# cores, 64 multiply-adds a value.
_LARGEST_MATRIX = 128


@functools.cache
def _signs(size: int) -> tuple[tuple[float, ...], ...]:
    scale = 1.0 / math.sqrt(size)
    return tuple(
        tuple(
            -scale if (row & column).bit_count() % 2 else scale
            for column in range(size)
        )
        for row in range(size)
    )


def hadamard_matrix(size: int, dtype: tf.DType) -> tf.Tensor:
    """Writes out the orthonormal Hadamard matrix, in Sylvester's order.

    Example:
        >>> import tensorflow as tf
        >>> print(yt8m.ops.hadamard_matrix(4, tf.float32).numpy())
        [[ 0.5  0.5  0.5  0.5]
         [ 0.5 -0.5  0.5 -0.5]
         [ 0.5  0.5 -0.5 -0.5]
         [ 0.5 -0.5 -0.5  0.5]]

    Args:
        size: a power of two.
        dtype: any float dtype.

    Returns:
        `[size, size]`, symmetric, with entries `+-1 / sqrt(size)`.

    Raises:
        ValueError: if `size` is not a power of two.
    """
    if size < 1 or size & (size - 1):
        raise ValueError(f"expected a power of two. Received: size={size}")
    return tf.constant(_signs(size), dtype)


def _split(size: int) -> tuple[int, int]:
    """Splits a power of two to two, of which the second is a matrix's size."""
    if size <= _LARGEST_MATRIX:
        return 1, size
    second = min(_LARGEST_MATRIX, 1 << size.bit_length() // 2)
    return size // second, second


def hadamard_transform(x: tf.Tensor) -> tf.Tensor:
    """Multiplies the last axis by the orthonormal Hadamard matrix.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 0.0, 0.0, 2.0]])
        >>> yt8m.ops.hadamard_transform(x).numpy().tolist()
        [[1.5, -0.5, -0.5, 1.5]]

    Args:
        x: `[..., n]`, float32 or float64, with a known `n`, a power of two.

    Returns:
        `x @ hadamard_matrix(n)`, of the shape and dtype of `x`.

    Raises:
        ValueError: if `n` is not a power of two.
    """
    size = x.shape[-1]
    first, second = _split(size)
    matrix = hadamard_matrix(second, x.dtype)
    y = tf.matmul(tf.reshape(x, [-1, second]), matrix)
    if first > 1:
        y = tf.reshape(y, [-1, first, second])
        if first <= _LARGEST_MATRIX:
            matrix = hadamard_matrix(first, x.dtype)
            y = tf.matmul(matrix[tf.newaxis], y)
        else:
            y = hadamard_transform(tf.linalg.matrix_transpose(y))
            y = tf.linalg.matrix_transpose(y)
    return block_circulant.with_leading_dims_of(x, tf.reshape(y, [-1, size]))


def hadamard_multiply_adds(size: int) -> int:
    """Counts the multiply-adds of a Hadamard transform.

    Example:
        >>> yt8m.ops.hadamard_multiply_adds(1024), 1024**2  # and by a matrix
        (65536, 1048576)

    Args:
        size: a power of two.

    Returns:
        The count, of the algorithm that is used.
    """
    first, second = _split(size)
    if first == 1:
        return size * second
    return size * second + second * hadamard_multiply_adds(first)


def _permute(x: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Gathers columns; the gradient is a gather too, not a slow scatter."""
    size = indices.shape[0]
    inverse = tf.scatter_nd(indices[:, tf.newaxis], tf.range(size), [size])

    @tf.custom_gradient
    def gather(x):
        return tf.gather(x, indices, axis=1), lambda upstream: tf.gather(
            upstream, inverse, axis=1
        )

    return gather(x)


def fastfood_shape(input_dim: int, units: int) -> tuple[int, int]:
    """Returns the shape of each weight of a Fastfood projection.

    Example:
        >>> yt8m.ops.fastfood_shape(1152, units=4000)
        (2, 2048)

    Args:
        input_dim: size of the input.
        units: size of the output.

    Returns:
        The number of blocks, and their size: the next power of two.
    """
    size = 1 << (input_dim - 1).bit_length()
    return -(-units // size), size


def fastfood_matmul(
    x: tf.Tensor,
    input_diagonal: tf.Tensor,
    permutation: tf.Tensor,
    kernel: tf.Tensor,
    output_diagonal: tf.Tensor,
    units: int,
) -> tf.Tensor:
    """Multiplies rows by blocks of B H P G H S.

    `y = [x @ W_1, ..., x @ W_B][:units]` with `W_b = diag(input_diagonal[b]) H
    P_b diag(kernel[b]) H diag(output_diagonal[b])` for `x` with zeros behind
    it up to a power of two; `H` is orthonormal, and `z @ P_b` is `z` at the
    indices `permutation[b]`. That is S H G P H B of the paper, whose vectors
    are columns.

    Example:
        >>> import tensorflow as tf
        >>> y = yt8m.ops.fastfood_matmul(
        ...     tf.constant([[1.0, 3.0]]),
        ...     input_diagonal=tf.constant([[1.0, 1.0]]),
        ...     permutation=tf.constant([[1, 0]]),
        ...     kernel=tf.constant([[1.0, 2.0]]),
        ...     output_diagonal=tf.constant([[1.0, -1.0]]),
        ...     units=2,
        ... )
        >>> y.numpy().round(3).tolist()
        [[3.0, 5.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        input_diagonal: of the shape `fastfood_shape` and the dtype of `x`.
        permutation: of that shape, int32; each row a permutation.
        kernel: of that shape and the dtype of `x`.
        output_diagonal: of that shape and the dtype of `x`.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the shape of one does not fit `x` and `units`.

    References:
        Yang et al., Deep fried convnets, https://arxiv.org/abs/1412.7149,
        equation 4.
    """
    input_dim = x.shape[-1]
    weights = (input_diagonal, permutation, kernel, output_diagonal)
    shapes = {tuple(weight.shape) for weight in weights}
    if input_dim is None or shapes != {fastfood_shape(input_dim, units)}:
        raise ValueError(
            "expected x with a known last dimension n, and weights of shape "
            "fastfood_shape(n, units). Received: shapes="
            f"{sorted(map(list, shapes))}, x.shape={x.shape}, units={units}"
        )
    blocks, size = kernel.shape
    rows = block_circulant.as_rows(x)
    if size > input_dim:
        rows = tf.pad(rows, [[0, 0], [0, size - input_dim]])
    y = hadamard_transform(rows[:, tf.newaxis] * input_diagonal)
    starts = size * tf.range(blocks, dtype=permutation.dtype)
    indices = tf.reshape(permutation + starts[:, tf.newaxis], [blocks * size])
    y = _permute(tf.reshape(y, [-1, blocks * size]), indices)
    y = tf.reshape(y, [-1, blocks, size])
    y = hadamard_transform(y * kernel) * output_diagonal
    y = tf.reshape(y, [-1, blocks * size])
    return block_circulant.with_leading_dims_of(x, y[:, :units])


def fastfood_kernel(
    input_diagonal: tf.Tensor,
    permutation: tf.Tensor,
    kernel: tf.Tensor,
    output_diagonal: tf.Tensor,
    input_dim: int,
    units: int,
) -> tf.Tensor:
    """Writes out the matrix that `fastfood_matmul` multiplies by.

    Example:
        >>> import tensorflow as tf
        >>> dense = yt8m.ops.fastfood_kernel(
        ...     input_diagonal=tf.constant([[1.0, 1.0]]),
        ...     permutation=tf.constant([[1, 0]]),
        ...     kernel=tf.constant([[1.0, 2.0]]),
        ...     output_diagonal=tf.constant([[1.0, -1.0]]),
        ...     input_dim=2, units=2,
        ... )
        >>> dense.numpy().round(3).tolist()
        [[1.5, 0.5], [0.5, 1.5]]

    Args:
        input_diagonal: see `fastfood_matmul`.
        permutation: see `fastfood_matmul`.
        kernel: see `fastfood_matmul`.
        output_diagonal: see `fastfood_matmul`.
        input_dim: number of rows.
        units: number of columns.

    Returns:
        `[input_dim, units]`, of the dtype of `kernel`.

    Raises:
        ValueError: if the shape of one does not fit the sizes.
    """
    return fastfood_matmul(
        tf.eye(input_dim, dtype=kernel.dtype),
        input_diagonal,
        permutation,
        kernel,
        output_diagonal,
        units,
    )
