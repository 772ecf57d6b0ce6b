"""A matrix of low displacement rank."""

from __future__ import annotations

from collections.abc import Iterator
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import fitting
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

# A sweep writes out n x units matrices a hundred times.
_MAX_SWEEPS = 20


@dataclasses.dataclass(frozen=True)
class ToeplitzLike(structure.Structure):
    """`W = (C_1 S_1 + ... + C_r S_r)[:input_dim, :units]`.

    `C` is circulant and `S` skew-circulant: a circulant whose entries above
    the diagonal, where it wraps around, have the other sign. Both are squares
    of the longer side, `n = max(input_dim, units)`: zeros are put behind a
    shorter input, and a shorter output is cut. `left` and `right` are their
    first columns.

    With r = 2 these are all Toeplitz matrices and the inverses of square ones;
    products and sums of such need more: the knob between `Toeplitz` and dense,
    which r = n reaches.

    Weights: `2 r n`. Each term takes two transforms, of n values and of about
    n + units, besides two for all, so that it saves weights first: with two
    terms it is no faster than dense up to about 2,000 values a side. Of less
    than some hundred values, circulants and skew-circulants are written out,
    one after the other, which has more multiply-adds than dense
    (`ops.plan_toeplitz_like` chooses).

    `nearest` is a local minimum: alternating least squares from the better of
    two starts, the largest singular values of the displacement of the matrix
    and the nearest Toeplitz matrix (the nearest circulant where r = 1). So it
    is never further away than that, and a square matrix of the family comes
    back. It takes minutes from thousands of inputs on.

    Example:
        >>> structure = yt8m.structures.ToeplitzLike(displacement_rank=1)
        >>> structure.num_weights(1024, 512), 1024 * 512
        (2048, 524288)
        >>> left = np.array([[1.0, 3.0]])  # [[1, 3], [3, 1]]
        >>> right = np.array([[2.0, 1.0]])  # [[2, -1], [1, 2]]
        >>> structure.as_array({"left": left, "right": right}, 2, 2).tolist()
        [[5.0, 5.0], [7.0, -1.0]]

    Attributes:
        displacement_rank: the number r of terms.

    References:
        Sindhwani et al., Structured transforms for small-footprint deep
        learning, https://arxiv.org/abs/1510.01722, section 3.
        Pan, Structured matrices and polynomials, 2001, section 4.4.
    """

    uses_transforms: ClassVar[bool] = True

    displacement_rank: int = 2

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        rank, size = self.displacement_rank, max(input_dim, units)
        # An entry is a sum of r n products of one of each.
        share = {"gain": (rank * size) ** -0.25, "exponent": 0.5}
        return (
            weight_spec.WeightSpec("left", (rank, size), **share),
            weight_spec.WeightSpec("right", (rank, size), **share),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.toeplitz_like_matmul(
            x, weights["left"], weights["right"], units
        )

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return structure.dense_by_rows(
            lambda rows: self._multiply(weights, rows, units),
            input_dim,
            weights["left"].dtype,
        )

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        if not kernel.any():
            return {name: np.zeros(w.shape) for name, w in current.items()}
        rows = tf.eye(kernel.shape[0], dtype=tf.float64)

        def build(left, right):
            return ops.toeplitz_like_matmul(rows, left, right, kernel.shape[1])

        def error_of(weights):
            dense = build(*map(tf.constant, weights)).numpy()
            return np.sum((dense - kernel) ** 2)

        starts = [
            _generators(square, self.displacement_rank)
            for square in _completions(kernel, self.displacement_rank)
            if square.any()
        ]
        start = min(starts, key=error_of)
        fitted = fitting.alternating_least_squares(
            build, start, kernel, max_sweeps=_MAX_SWEEPS
        )
        left, right = min([start, fitted], key=error_of)
        return {"left": left, "right": right}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        return ops.toeplitz_like_multiply_adds(
            input_dim, units, max(input_dim, units), self.displacement_rank
        )


def _completions(kernel: np.ndarray, rank: int) -> Iterator[np.ndarray]:
    """Yields squares whose upper left corner is about a matrix."""
    size = max(kernel.shape)
    yield np.pad(kernel, [(0, size - side) for side in kernel.shape])
    rows = np.arange(size)[:, np.newaxis]
    diagonals = rows - np.arange(size)
    if rank == 1:
        column = fitting.mean_of_circulants(kernel, 1, size)[0]
        yield column[diagonals % size]
    else:
        means = np.zeros(2 * size - 1)
        start = size - kernel.shape[1]
        sequence = fitting.mean_of_diagonals(kernel)
        means[start : start + len(sequence)] = sequence
        yield means[diagonals + size - 1]


def _generators(square: np.ndarray, rank: int) -> list[np.ndarray]:
    """Finds the first columns of terms whose sum is about a square.

    `M = sum_i C(g_i) S(J h_i) / 2` for the displacement `Z M - M Z' = sum_i
    g_i h_i'`, where `Z` is the circulant and `Z'` the skew-circulant of the
    first column 0, 1, 0, ..., and J turns a vector around. It is cut to its
    largest singular values.
    """
    shifted = np.roll(square, -1, axis=1)
    shifted[:, -1] *= -1
    left, values, right = np.linalg.svd(np.roll(square, 1, axis=0) - shifted)
    roots = np.sqrt(values[:rank, np.newaxis] / 2)
    missing = [(0, rank - len(roots)), (0, 0)]
    return [
        np.pad(roots * left.T[:rank], missing),
        np.pad(roots * right[:rank, ::-1], missing),
    ]
