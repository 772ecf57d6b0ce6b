"""Products with sums of circulants times skew-circulants, through the FFT.

A skew-circulant is a circulant whose entries change sign where they wrap
around: `S[i, j] = b[i - j]` on and below the diagonal, `-b[n + i - j]` above.
It is a Toeplitz matrix, and multiplied by as one, with real transforms.
"""

import tensorflow as tf

from yt8m_compact.ops import block_circulant
from yt8m_compact.ops import circulant
from yt8m_compact.ops import plans
from yt8m_compact.ops import toeplitz
from yt8m_compact.ops import transforms


def toeplitz_like_matmul(
    x: tf.Tensor, circulants: tf.Tensor, skews: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies rows by a sum of products of circulants and skew-circulants.

    `y = (sum_i [x, 0] C(a_i) S(b_i))[:units]`, for `C(a)` circulant and `S(b)`
    skew-circulant with the first columns a and b. One transform of `x` serves
    all circulants, and one inverse transform all skew-circulants;
    `plans.plan_toeplitz_like` says where they are written out.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 2.0]])
        >>> circulants = tf.constant([[1.0, 3.0]])  # [[1, 3], [3, 1]]
        >>> skews = tf.constant([[2.0, 1.0]])  # [[2, -1], [1, 2]]
        >>> y = yt8m.ops.toeplitz_like_matmul(x, circulants, skews, units=2)
        >>> y.numpy().tolist()
        [[19.0, 3.0]]

    Args:
        x: `[..., n]`, float32 or float64.
        circulants: `[rank, size]`, the vectors a, of the dtype of `x`; `size`
            is `n`, or more to pad `x` with zeros.
        skews: `[rank, size]`, the vectors b, of the dtype of `x`.
        units: size of the output, at most `size`.

    Returns:
        `[..., units]`, of the dtype of `x`.

    Raises:
        ValueError: if the shapes do not fit.

    References:
        Sindhwani et al., https://arxiv.org/abs/1510.01722, section 3.
    """
    if circulants.shape.rank != 2 or circulants.shape != skews.shape:
        raise ValueError(
            "expected circulants and skews of one shape [rank, size]. Received:"
            f" circulants.shape={circulants.shape}, skews.shape={skews.shape}"
        )
    rank, size = circulants.shape
    if units > size:
        raise ValueError(
            "expected at most as many units as the size of the skews. Received:"
            f" units={units}, skews.shape={skews.shape}"
        )
    inner = circulant.circulant_matmul(
        block_circulant.as_rows(x), circulants, rank * size
    )
    # The diagonals of `S[:, :units]`, from the upper right corner.
    sequences = tf.concat([-skews[:, size - units + 1 :], skews], axis=1)
    portable = transforms.are_portable()
    plan = plans.plan_toeplitz_like(size, units, rank, portable)
    if plan.dense:
        written = [
            toeplitz.toeplitz_kernel(sequence, units)
            for sequence in tf.unstack(sequences)
        ]
        y = tf.matmul(inner, tf.concat(written, axis=0))
    else:
        columns = toeplitz.embed(sequences, units, plan.length)
        y = block_circulant.multiply_blocks(
            tf.reshape(inner, [-1, rank, size]), columns[:, tf.newaxis], units
        )
        y = tf.reshape(y, [-1, units])
    return block_circulant.with_leading_dims_of(x, y)


def toeplitz_like_multiply_adds(
    input_dim: int, units: int, size: int, rank: int
) -> int:
    """Counts the real multiply-adds of a row, as `Plan.multiply_adds`.

    Example:
        >>> count = yt8m.ops.toeplitz_like_multiply_adds(
        ...     4096, 4096, size=4096, rank=2
        ... )
        >>> count, 4096 * 4096  # and by the matrix
        (632848, 16777216)

    Args:
        input_dim: size of the input.
        units: size of the output.
        size: size of the circulants and skew-circulants.
        rank: the number of products in the sum.

    Returns:
        The count.
    """
    first = plans.plan_circulant(input_dim, rank * size, size)
    second = plans.plan_toeplitz_like(size, units, rank)
    return first.multiply_adds + second.multiply_adds
