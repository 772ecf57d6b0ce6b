"""Scaling vectors to unit length without dividing by zero."""

import tensorflow as tf

from yt8m_compact.ops import row_sums

# Shorter vectors have no direction that float32 could tell from noise.
SHORTEST = 1e-6


def l2_normalize(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Scales vectors to unit length; one that is all but zero becomes zero.

    `x / |x|` where `|x| > 1e-6`, else 0 with a gradient of 0. The form that
    divides by `max(|x|, 1e-6)` multiplies the gradient of an empty cluster by
    a million.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[3.0, 4.0], [0.0, 0.0]])
        >>> print(yt8m.ops.l2_normalize(x, axis=1).numpy().round(3))
        [[0.6 0.8]
         [0.  0. ]]

    Args:
        x: float32 or float64, any shape.
        axis: the axis along which a vector lies.

    Returns:
        A tensor like `x`.
    """
    square = tf.square(x)
    if axis == 1 and len(x.shape) == 3:
        square = row_sums.sum_rows(square, keepdims=True)
    else:
        square = tf.reduce_sum(square, axis=axis, keepdims=True)
    has_direction = square > SHORTEST**2
    # Selected twice: the gradient of the branch that is not taken counts too.
    length = tf.sqrt(tf.where(has_direction, square, tf.ones_like(square)))
    return tf.where(has_direction, x / length, tf.zeros_like(x))
