"""The product with a full matrix, whose gradient is quick for few rows."""

from collections.abc import Callable

import tensorflow as tf

from yt8m_compact.ops import xla

# TensorFlow multiplies few rows by a matrix in rows 1.3 to 1.6 times slower
# than the matrix by them (`python -m benchmarks.dense_gradients`). Of more, it
# takes either as long, or the second longer.
_FEW_ROWS = 256


def dense_matmul(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Multiplies rows by a matrix, as `tf.matmul`.

    In float32 the gradient `G` of the output gives that of few rows `x` as
    `(W G^T)^T` in place of `G W^T`: the same sums, to rounding.

    Args:
        x: `[rows, n]`.
        kernel: `[n, m]`, of the dtype of `x`.

    Returns:
        `[rows, m]`.

    Example:
        >>> x, kernel = tf.constant([[1.0, 2.0]]), tf.constant([[3.0], [4.0]])
        >>> with tf.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = yt8m.ops.dense_matmul(x, kernel)
        >>> y.numpy().tolist(), tape.gradient(y, x).numpy().tolist()
        ([[11.0]], [[3.0, 4.0]])
    """
    if x.dtype != tf.float32 or xla.is_compiling():
        return tf.matmul(x, kernel)

    @tf.custom_gradient
    def multiply(x, kernel):
        def gradient(output):
            of_x = _either(
                x,
                lambda: tf.transpose(
                    tf.matmul(kernel, output, transpose_b=True)
                ),
                lambda: tf.matmul(output, kernel, transpose_b=True),
            )
            return of_x, tf.matmul(x, output, transpose_a=True)

        return tf.matmul(x, kernel), gradient

    return multiply(x, kernel)


def _either(
    x: tf.Tensor,
    if_few: Callable[[], tf.Tensor],
    if_many: Callable[[], tf.Tensor],
) -> tf.Tensor:
    """Decides by the number of rows, which may be known later alone."""
    if x.shape[0] is None:
        return tf.cond(tf.shape(x)[0] <= _FEW_ROWS, if_few, if_many)
    return if_few() if x.shape[0] <= _FEW_ROWS else if_many()
