"""A Kronecker product of two matrices."""

from __future__ import annotations

import dataclasses
import math

from yt8m_compact import lazy
from yt8m_compact.structures import fitting
from yt8m_compact.structures import partition
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

_MAX_TURNS = 100


@dataclasses.dataclass(frozen=True)
class Kronecker(structure.Structure):
    """`W = (A kron B)[:input_dim, :units]`.

    `W[i p + k, j q + l] = A[i, j] B[k, l]`, for `A` (`left`) of `left_rows`
    rows and `left_columns` columns and `B` (`right`) of the p rows and q
    columns that are as few as cover the matrix: `p = ceil(input_dim /
    left_rows)`, `q = ceil(units / left_columns)`. Where these sizes do not
    divide, zeros are put behind the input, the outputs are cut, and weights
    that only meet those have no effect.

    Weights: `left_rows left_columns + p q`, with the defaults about `2
    sqrt(input_dim units)`. The rank is the product of those of both factors:
    full where both are wide or both are narrow. A row is multiplied by one and
    then by the other, whichever takes less first. `nearest` is exact where the
    sizes divide: Van Loan's rearrangement, whose rows are the blocks of the
    matrix, and its largest singular value, whose root both factors have. Where
    they do not, it goes on from there, one factor at a time, to a local
    minimum.

    Example:
        >>> yt8m.structures.Kronecker().num_weights(1024, 512), 1024 * 512
        (1536, 524288)
        >>> structure = yt8m.structures.Kronecker(left_rows=1, left_columns=2)
        >>> right = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> weights = {"left": np.array([[1.0, 10.0]]), "right": right}
        >>> print(structure.as_array(weights, 2, 4))
        [[ 1.  2. 10. 20.]
         [ 3.  4. 30. 40.]]

    Attributes:
        left_rows: rows of `A`, fewer where some would meet no input; None is a
            divisor of `input_dim` near its root, or the root.
        left_columns: columns of `A`, fewer where some would make no output;
            None is a divisor of `units` near its root, or the root.

    References:
        Van Loan, The ubiquitous Kronecker product, Journal of Computational and
        Applied Mathematics 123, 2000.
        Zhou et al., Exploiting local structures with the Kronecker layer in
        convolutional networks, https://arxiv.org/abs/1512.09194.
    """

    left_rows: int | None = None
    left_columns: int | None = None

    def _sizes(self, input_dim: int, units: int) -> tuple[int, int, int, int]:
        rows, inner_rows = _split(input_dim, self.left_rows)
        columns, inner_columns = _split(units, self.left_columns)
        return rows, columns, inner_rows, inner_columns

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        rows, columns, *right = self._sizes(input_dim, units)
        # An entry of the matrix is a product of one of each.
        share = {"exponent": 0.5, "is_matrix": True}
        return (
            weight_spec.WeightSpec("left", (rows, columns), **share),
            weight_spec.WeightSpec("right", tuple(right), **share),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        left, right = weights["left"], weights["right"]
        sizes = (*left.shape, *right.shape)
        padding = sizes[0] * sizes[2] - x.shape[-1]
        values = ops.as_rows(x)
        if padding:
            values = tf.pad(values, [[0, 0], [0, padding]])
        values = tf.reshape(values, [-1, sizes[0], sizes[2]])
        left_first, right_first = _multiply_adds(*sizes)
        if left_first < right_first:
            values = _times_right(_times_left(values, left), right)
        else:
            values = _times_left(_times_right(values, right), left)
        y = tf.reshape(values, [-1, sizes[1] * sizes[3]])[:, :units]
        return ops.with_leading_dims_of(x, y)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        left, right = weights["left"], weights["right"]
        entries = left[:, tf.newaxis, :, tf.newaxis] * right[:, tf.newaxis]
        shape = [left.shape[i] * right.shape[i] for i in (0, 1)]
        return tf.reshape(entries, shape)[:input_dim, :units]

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        if not kernel.any():
            return {name: np.zeros(w.shape) for name, w in current.items()}
        sizes = self._sizes(*kernel.shape)
        entries = _rearrange(kernel, sizes)
        left, right = fitting.rank_one(entries)
        if entries.size > kernel.size:
            known = _rearrange(np.ones(kernel.shape), sizes)
            left, right = _alternate(entries, known, left, right)
        norms = np.linalg.norm(left), np.linalg.norm(right)
        scale = math.sqrt(norms[1] / norms[0])
        return {
            "left": (left * scale).reshape(sizes[:2]),
            "right": (right / scale).reshape(sizes[2:]),
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the order used."""
        return min(_multiply_adds(*self._sizes(input_dim, units)))


def _times_right(values: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """Multiplies the last axis, `[b, i, k]`, by a matrix, `[k, l]`.

    By a product of two matrices: of a batch of them, TensorFlow's CPU kernels
    add up in float16, with ten times the error.
    """
    rows = tf.matmul(tf.reshape(values, [-1, right.shape[0]]), right)
    return tf.reshape(rows, [-1, values.shape[1], right.shape[1]])


def _times_left(values: tf.Tensor, left: tf.Tensor) -> tf.Tensor:
    """Multiplies the middle axis, `[b, i, k]`, by a matrix, `[i, j]`."""
    turned = tf.transpose(values, [0, 2, 1])
    return tf.transpose(_times_right(turned, left), [0, 2, 1])


def _split(size: int, count: int | None) -> tuple[int, int]:
    return partition.blocks_of(
        size, count or partition.near_divisor(size, math.sqrt(size))
    )


def _multiply_adds(
    rows: int, columns: int, inner_rows: int, inner_columns: int
) -> tuple[int, int]:
    """Counts those with `A` first, and with `B` first."""
    left_first = columns * inner_rows * (rows + inner_columns)
    right_first = rows * inner_columns * (inner_rows + columns)
    return left_first, right_first


def _rearrange(
    kernel: np.ndarray, sizes: tuple[int, int, int, int]
) -> np.ndarray:
    """Makes a row of each block, with zeros in what is beyond the matrix."""
    rows, columns, inner_rows, inner_columns = sizes
    shape = (rows * inner_rows, columns * inner_columns)
    padded = np.pad(
        kernel, [(0, shape[axis] - kernel.shape[axis]) for axis in (0, 1)]
    )
    blocks = padded.reshape(rows, inner_rows, columns, inner_columns)
    return blocks.swapaxes(1, 2).reshape(rows * columns, -1)


def _alternate(
    entries: np.ndarray, known: np.ndarray, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solves for one factor and the other, by the entries that are known."""
    last = np.inf
    for _ in range(_MAX_TURNS):
        left = _solve(entries @ right, known @ right**2)
        right = _solve(entries.T @ left, known.T @ left**2)
        error = np.sum((known * np.outer(left, right) - entries) ** 2)
        if error >= (1 - 1e-6) * last:
            break
        last = error
    return left, right


def _solve(products: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return np.divide(
        products, squares, out=np.zeros(products.shape), where=squares > 0
    )
