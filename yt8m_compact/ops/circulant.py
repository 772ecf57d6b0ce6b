"""Products with circulant and diagonal-circulant matrices, through the FFT.

The one convention of the project: `C[i, j] = c[(i - j) mod n]`, so that `c` is
the first column of `C`, as in `scipy.linalg.circulant`. Vectors are rows and a
projection is `x @ C`. Hence, with `F` the discrete Fourier transform,

    (x @ C)[j] = sum_i x[i] c[(i - j) mod n]   and   F(x @ C) = F(x) conj(F(c)).

A projection from `n` to `units` values is rectangular. Wide ones
(`units > n`) concatenate `ceil(units / n)` square blocks, narrow ones have one
block, and both keep the first `units` columns (section 3 of the paper, arXiv
1810.01140, and its released code). Blocks may also be longer than the input,
which then has zeros behind it (the follow-up paper, arXiv 1901.10255, whose
output layer is one square block).
"""

import tensorflow as tf

from yt8m_compact.ops import block_circulant
from yt8m_compact.ops import plans
from yt8m_compact.ops import toeplitz
from yt8m_compact.ops import transforms


def num_blocks(input_dim: int, units: int) -> int:
    """Counts the square blocks of a circulant projection.

    Example:
        >>> yt8m.ops.num_blocks(1024, units=2500)
        3

    Args:
        input_dim: size of the input, and of each block.
        units: size of the output.

    Returns:
        `ceil(units / input_dim)`.
    """
    return -(-units // input_dim)


def _check(
    x: tf.Tensor, kernel: tf.Tensor, units: int, *, rank: int = 2
) -> None:
    input_dim = x.shape[-1]
    if input_dim is None:
        raise ValueError(
            "expected x with a known last dimension. Received: "
            f"x.shape={x.shape}"
        )
    size = kernel.shape[-1]
    if (
        kernel.shape.rank != rank
        or size < input_dim
        or kernel.shape[-2] != num_blocks(size, units)
    ):
        factors = "factors, " if rank == 3 else ""
        raise ValueError(
            f"expected a kernel of shape [{factors}ceil(units / size), size] "
            f"with size at least {input_dim}. Received: kernel.shape="
            f"{list(kernel.shape)}, x.shape={list(x.shape)}, units={units}"
        )


def _check_diagonal(diagonal: tf.Tensor, kernel: tf.Tensor) -> None:
    full = list(kernel.shape)
    shared = [full[0], 1, full[2]]
    if list(diagonal.shape) not in (full, shared):
        raise ValueError(
            f"expected a diagonal of shape {full} or {shared}, as the kernel. "
            f"Received: diagonal.shape={list(diagonal.shape)}"
        )


def circulant_matmul(x: tf.Tensor, kernel: tf.Tensor, units: int) -> tf.Tensor:
    """Multiplies rows by a block row of circulant matrices.

    `y = [x @ C_1, ..., x @ C_B][:units]` with `C_b = circ(kernel[b])`: the
    pure circulant projection of the paper's compact mixture of experts. One
    forward transform of `x` serves all blocks; `plans.plan_circulant` says
    where another algorithm is faster, which is used there.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 0.0, 2.0]])
        >>> kernel = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        >>> yt8m.ops.circulant_matmul(x, kernel, units=4).numpy().tolist()
        [[7.0, 7.0, 4.0, 16.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        kernel: `[ceil(units / size), size]`, the first column of each block, of
            the dtype of `x`; `size` is `n`, or more to pad `x` with zeros.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the kernel's shape does not fit `x` and `units`.

    References:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """
    _check(x, kernel, units)
    y = _multiply_rows(block_circulant.as_rows(x), kernel, units)
    return block_circulant.with_leading_dims_of(x, y)


def _multiply_rows(x: tf.Tensor, kernel: tf.Tensor, units: int) -> tf.Tensor:
    input_dim, size = x.shape[-1], kernel.shape[-1]
    portable = transforms.are_portable()
    plan = plans.plan_circulant(input_dim, units, size, portable)
    if plan.dense:
        return tf.matmul(x, circulant_kernel(kernel, units, input_dim))
    output_block = min(units, size)
    blocks = plan.input_block, plan.output_block
    if plan.length == size and blocks == (input_dim, output_block):
        columns = kernel
    else:
        # The diagonals of the corner of each block that is wanted.
        wraps = size - output_block + 1
        sequences = tf.concat(
            [kernel[:, wraps:], kernel[:, :input_dim]], axis=1
        )
        if units <= size:
            return toeplitz.multiply_planned(x, sequences[0], plan)
        columns = toeplitz.embed(sequences, output_block, plan.length)
    blocks = block_circulant.multiply_blocks(
        x[:, tf.newaxis], columns[tf.newaxis], output_block
    )
    return _join_blocks(blocks, units)


def _join_blocks(blocks: tf.Tensor, units: int) -> tf.Tensor:
    """Reshapes `[rows, blocks, n]`, and keeps the first `units`."""
    size = blocks.shape[-2] * blocks.shape[-1]
    rows = tf.reshape(blocks, [-1, size])
    return rows if units == size else rows[:, :units]


def diagonal_circulant_matmul(
    x: tf.Tensor, diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows by a block row of products of D C factors.

    `y = [x @ W_1, ..., x @ W_B][:units]` with `W_b = D_b1 C_b1 ... D_bm C_bm`,
    `D_bf = diag(diagonal[f, b])` and `C_bf = circ(kernel[f, b])`: the layer of
    the paper, whose blocks have their own diagonals. A diagonal that all
    blocks share is multiplied once, and lets all blocks share the first
    transform; with one factor that is as fast as no diagonal.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 1.0, 2.0]])
        >>> diagonal = tf.constant([[[1.0, -1.0, 1.0]]])
        >>> kernel = tf.constant([[[1.0, 2.0, 3.0]]])
        >>> y = yt8m.ops.diagonal_circulant_matmul(x, diagonal, kernel, units=3)
        >>> y.numpy().tolist()
        [[5.0, 6.0, 1.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        diagonal: `[factors, ceil(units / size), size]`, or `[factors, 1, size]`
            for diagonals that all blocks share, of the dtype of `x`.
        kernel: `[factors, ceil(units / size), size]`, the first column of each
            circulant, of the dtype of `x`; `size` is `n`, or more to pad `x`
            with zeros.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the shape of either does not fit `x` and `units`.

    References:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """
    _check(x, kernel, units, rank=3)
    _check_diagonal(diagonal, kernel)
    rows = block_circulant.as_rows(x)
    input_dim, size = rows.shape[-1], kernel.shape[-1]
    factors, blocks = kernel.shape[:2]
    paired = transforms.are_paired() and x.shape.rank == 3
    is_square = input_dim == size == units
    if factors == diagonal.shape[1] == 1 and not (paired and is_square):
        y = _multiply_rows(rows * diagonal[0, 0, :input_dim], kernel[0], units)
        return block_circulant.with_leading_dims_of(x, y)
    if plans.plan_diagonal_circulant(
        input_dim,
        units,
        size,
        factors,
        diagonal.shape[1],
        portable=transforms.are_portable(),
    ).dense:
        dense = diagonal_circulant_kernel(diagonal, kernel, units, input_dim)
        return block_circulant.with_leading_dims_of(x, tf.matmul(rows, dense))
    if diagonal.shape[1] == blocks:
        frames = x if x.shape.rank == 3 else rows
        padding = [[0, 0]] * (frames.shape.rank - 1) + [[0, size - input_dim]]
        y = block_circulant.multiply_scaled(
            tf.pad(frames, padding) if input_dim < size else frames,
            diagonal[0],
            kernel[0],
        )
        y = tf.reshape(y, [-1, blocks, size])
    else:
        if input_dim < size:
            rows = tf.pad(rows, [[0, 0], [0, size - input_dim]])
        y = block_circulant.multiply_blocks(
            (rows * diagonal[0])[:, tf.newaxis], kernel[:1], size
        )
    for factor in range(1, factors):
        y = block_circulant.multiply_pairs(y * diagonal[factor], kernel[factor])
    return block_circulant.with_leading_dims_of(x, _join_blocks(y, units))


def circulant_kernel(
    kernel: tf.Tensor, units: int, input_dim: int | None = None
) -> tf.Tensor:
    """Writes out the dense matrix that `circulant_matmul` multiplies by.

    Example:
        >>> import tensorflow as tf
        >>> kernel = tf.constant([[1, 2, 3], [4, 5, 6]])
        >>> print(yt8m.ops.circulant_kernel(kernel, units=4).numpy())
        [[1 3 2 4]
         [2 1 3 5]
         [3 2 1 6]]

    Args:
        kernel: `[blocks, n]`, any dtype.
        units: number of columns to keep, at most `blocks * n`.
        input_dim: number of rows to keep; None is `n`.

    Returns:
        `[input_dim, units]`, of the dtype of `kernel`, with entry `[i, b * n +
        j]` equal to `kernel[b, (i - j) mod n]`.
    """
    size = kernel.shape[-1]
    dense = block_circulant.dense_blocks(
        kernel[tf.newaxis], input_dim or size, min(units, size)
    )
    return dense[:, :units]


def diagonal_circulant_kernel(
    diagonal: tf.Tensor,
    kernel: tf.Tensor,
    units: int,
    input_dim: int | None = None,
) -> tf.Tensor:
    """Writes out the dense matrix that `diagonal_circulant_matmul` stands for.

    Example:
        >>> import tensorflow as tf
        >>> diagonal = tf.constant([[[1, -1, 1]]])
        >>> kernel = tf.constant([[[1, 2, 3]]])
        >>> w = yt8m.ops.diagonal_circulant_kernel(diagonal, kernel, units=3)
        >>> print(w.numpy())
        [[ 1  3  2]
         [-2 -1 -3]
         [ 3  2  1]]

    Args:
        diagonal: `[factors, blocks, n]` or `[factors, 1, n]`, any dtype.
        kernel: `[factors, blocks, n]`, of the dtype of `diagonal`.
        units: number of columns to keep, at most `blocks * n`.
        input_dim: number of rows to keep; None is `n`.

    Returns:
        `[input_dim, units]`, of the dtype of `kernel`; for one factor with
        entry `[i, b * n + j]` equal to `diagonal[0, b, i] * kernel[0, b, (i -
        j) mod n]`.
    """
    factors, blocks, size = kernel.shape
    diagonal = tf.broadcast_to(diagonal, kernel.shape)
    rows = input_dim or size
    product = None
    for factor in range(factors):
        columns = min(units, size) if factor == factors - 1 else size
        circulants = block_circulant.dense_blocks(
            kernel[factor][:, tf.newaxis], size, columns
        )
        circulants = tf.reshape(circulants, [blocks, size, columns])
        circulants *= diagonal[factor][:, :, tf.newaxis]
        if product is None:
            product = circulants[:, :rows]
        else:
            product = tf.matmul(product, circulants)
    joined = tf.reshape(tf.transpose(product, [1, 0, 2]), [rows, -1])
    return joined[:, :units]
