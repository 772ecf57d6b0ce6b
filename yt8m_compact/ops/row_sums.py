"""Sums over rows: of each matrix of a batch, and of all."""

import tensorflow as tf

# TensorFlow's CPU kernels add 8 values at once (float32 and AVX), 16 at most.
_LANES = 16


def sum_rows(x: tf.Tensor, keepdims: bool = False) -> tf.Tensor:
    """Adds the rows of each matrix of a batch, the same wherever it stands.

    `tf.reduce_sum(x, axis=1)` adds several results at a time, and those left
    over in another order: where the rows' size is no multiple of that number,
    which results are left over depends on the matrix's place in the batch, and
    so do the last digits. Here the rows get zeros behind them then.

    Example:
        >>> import tensorflow as tf
        >>> print(yt8m.ops.sum_rows(tf.constant([[[1.0, 2.0], [3.0, 4.0]]])))
        tf.Tensor([[4. 6.]], shape=(1, 2), dtype=float32)

    Args:
        x: number `[batch, rows, size]`.
        keepdims: whether the result keeps an axis of one row.

    Returns:
        `[batch, size]`, or `[batch, 1, size]`, of the same dtype.
    """
    size = x.shape[2]
    if not size:
        return tf.reduce_sum(x, axis=1, keepdims=keepdims)
    padding = -size % _LANES
    if padding:
        x = tf.pad(x, [[0, 0], [0, 0], [0, padding]])
    total = tf.reduce_sum(x, axis=1, keepdims=keepdims)
    return total[..., :size] if padding else total


def sum_all_rows(x: tf.Tensor) -> tf.Tensor:
    """Adds all rows, at the speed of memory under XLA, too.

    XLA's `reduce` over all axes but the last takes up to ten times as long on
    processors, and makes that of two after each other; of a product with ones
    it makes none, unless they are one row.

    Args:
        x: `[rows, n]` or `[batch, rows, n]`, float or complex.

    Returns:
        `[n]`, of the same dtype.
    """
    if x.dtype.is_complex:
        parts = map(sum_all_rows, (tf.math.real(x), tf.math.imag(x)))
        return tf.complex(*parts)
    if x.shape.rank == 3:
        x = tf.reduce_sum(x, axis=1)
    return tf.matmul(tf.ones([2, tf.shape(x)[0]], x.dtype), x)[0]
