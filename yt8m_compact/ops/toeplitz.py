"""Products with Toeplitz matrices, through the FFT."""

import tensorflow as tf

from yt8m_compact.ops import block_circulant
from yt8m_compact.ops import plans
from yt8m_compact.ops import transforms


def _pad_last(x: tf.Tensor, before: int, after: int) -> tf.Tensor:
    if before == after == 0:
        return x
    return tf.pad(x, [[0, 0]] * (x.shape.rank - 1) + [[before, after]])


def _windows(
    sequence: tf.Tensor, step: int, count: int, length: int
) -> tf.Tensor:
    """Cuts `[..., size]` to `[..., count, length]`, every `step` values.

    `length` is between `step` and `2 * step`, unless there is one window.
    """
    if count == 1:
        return sequence[..., tf.newaxis, :length]
    size = (count + 1) * step
    parts = tf.reshape(
        _pad_last(sequence, 0, max(0, size - sequence.shape[-1]))[..., :size],
        [*sequence.shape[:-1], count + 1, step],
    )
    return tf.concat(
        [parts[..., :-1, :], parts[..., 1:, : length - step]], axis=-1
    )


def embed(sequence: tf.Tensor, output_block: int, length: int) -> tf.Tensor:
    """Puts a Toeplitz matrix into a larger circulant.

    Args:
        sequence: `[..., output_block - 1 + input_block]`, the diagonals from
            the upper right to the lower left corner.
        output_block: columns of the Toeplitz matrix.
        length: size of the circulant, at least the size of `sequence`.

    Returns:
        `[..., length]`, the first column of a circulant whose upper left corner
        is the Toeplitz matrix.
    """
    upper = sequence[..., : output_block - 1]
    lower = sequence[..., output_block - 1 :]
    zeros = length - sequence.shape[-1]
    return tf.concat([_pad_last(lower, 0, zeros), upper], axis=-1)


def multiply_planned(
    x: tf.Tensor, sequence: tf.Tensor, plan: plans.Plan
) -> tf.Tensor:
    """Multiplies rows by a Toeplitz matrix, as planned.

    Args:
        x: `[rows, input_dim]`, float32 or float64.
        sequence: `[units - 1 + input_dim]`, the diagonals from the upper right
            to the lower left corner, of the dtype of `x`.
        plan: of `plans.plan_toeplitz`.

    Returns:
        `[rows, units]`, of the dtype of `x`.
    """
    if plan.dense:
        return tf.matmul(x, toeplitz_kernel(sequence, plan.units))
    rows, columns = plan.input_block, plan.output_block
    # Rows and columns of the matrix up to whole blocks.
    more_rows = plan.input_blocks * rows - plan.input_dim
    more_columns = plan.output_blocks * columns - plan.units
    sequence = _pad_last(sequence, more_columns, more_rows)
    window = rows + columns - 1
    if plan.output_blocks == 1:
        windows = _windows(sequence, rows, plan.input_blocks, window)
        windows = windows[:, tf.newaxis]
    else:
        windows = _windows(sequence, columns, plan.output_blocks, window)
        windows = tf.reverse(windows, axis=[0])[tf.newaxis]
    blocks = tf.reshape(
        _pad_last(x, 0, more_rows), [-1, plan.input_blocks, rows]
    )
    y = block_circulant.multiply_blocks(
        blocks, embed(windows, columns, plan.length), columns
    )
    y = tf.reshape(y, [-1, plan.output_blocks * columns])
    return y[:, : plan.units] if more_columns else y


def toeplitz_kernel(sequence: tf.Tensor, units: int) -> tf.Tensor:
    """Writes out a Toeplitz matrix.

    Example:
        >>> import tensorflow as tf
        >>> sequence = tf.constant([1, 2, 3, 4])
        >>> print(yt8m.ops.toeplitz_kernel(sequence, units=2).numpy())
        [[2 1]
         [3 2]
         [4 3]]

    Args:
        sequence: `[units - 1 + input_dim]`, any dtype, the diagonals from the
            upper right to the lower left corner.
        units: number of columns.

    Returns:
        `[input_dim, units]`, of the dtype of `sequence`, with entry `[i, j]`
        equal to `sequence[units - 1 + i - j]`.
    """
    return block_circulant.dense_toeplitz(
        sequence, sequence.shape[0] - units + 1, units
    )


def toeplitz_matmul(x: tf.Tensor, sequence: tf.Tensor, units: int) -> tf.Tensor:
    """Multiplies rows by a Toeplitz matrix.

    `y[j] = sum_i x[i] sequence[units - 1 + i - j]`. The matrix, or each part
    of its longer side, is embedded in a circulant; `plans.plan_toeplitz`
    chooses the sizes, or a dense product where that is faster.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 0.0, 2.0]])
        >>> sequence = tf.constant([1.0, 2.0, 3.0, 4.0])
        >>> yt8m.ops.toeplitz_matmul(x, sequence, units=2).numpy().tolist()
        [[10.0, 7.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        sequence: `[units - 1 + n]`, the diagonals from the upper right to the
            lower left corner, of the dtype of `x`.
        units: size of the output.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the sequence's shape does not fit `x` and `units`.
    """
    input_dim = x.shape[-1]
    if input_dim is None or list(sequence.shape) != [units - 1 + input_dim]:
        raise ValueError(
            "expected x with a known last dimension n, and a sequence of shape"
            f" [units - 1 + n]. Received: sequence.shape="
            f"{list(sequence.shape)}, x.shape={x.shape}, units={units}"
        )
    portable = transforms.are_portable()
    plan = plans.plan_toeplitz(input_dim, units, portable)
    rows = multiply_planned(block_circulant.as_rows(x), sequence, plan)
    return block_circulant.with_leading_dims_of(x, rows)
