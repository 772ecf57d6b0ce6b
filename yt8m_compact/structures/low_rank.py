"""A product of two thin matrices."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class LowRank(structure.Structure):
    """`W = L R` with thin factors `L` and `R`.

    `L` is `[input_dim, r]` and `R` is `[r, units]`, for r the smallest of
    `rank`, `input_dim` and `units`.

    Weights: `r * (input_dim + units)`. That is as many multiply-adds, and so
    neither smaller nor faster than dense unless r is below `input_dim * units
    / (input_dim + units)`, half the size of a square. `nearest` is exact: the
    largest singular values and their vectors, the roots of the values in both
    factors; with second moments M, those of `U kernel` for `M = U^T U`.

    Example:
        >>> structure = yt8m.structures.LowRank(rank=16)
        >>> structure.num_weights(1024, 512), 1024 * 512
        (24576, 524288)
        >>> kernel = np.array([[2.0, 4.0], [1.0, 2.0]])  # of rank 1
        >>> weights = yt8m.structures.LowRank(rank=1).nearest(kernel)
        >>> (weights["left"] @ weights["right"]).round(6).tolist()
        [[2.0, 4.0], [1.0, 2.0]]

    Attributes:
        rank: columns of `L` and rows of `R`.

    Reference:
        Sainath et al., Low-rank matrix factorization for deep neural network
        training with high-dimensional output targets, ICASSP 2013.
    """

    rank: int = 32

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        rank = self._inner_size(input_dim, units)
        # An entry of the product has the variance r s^4.
        share = {"gain": rank**-0.25, "exponent": 0.5, "is_matrix": True}
        return (
            weight_spec.WeightSpec("left", (input_dim, rank), **share),
            weight_spec.WeightSpec("right", (rank, units), **share),
        )

    def _inner_size(self, input_dim: int, units: int) -> int:
        return min(self.rank, input_dim, units)

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        inner = structure.matmul(x, weights["left"])
        return structure.matmul(inner, weights["right"])

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return tf.matmul(weights["left"], weights["right"])

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        left, values, right = np.linalg.svd(kernel, full_matrices=False)
        rank = self._inner_size(*kernel.shape)
        return _balanced(left[:, :rank] * values[:rank], right[:rank])

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        # The error is that of U W to U K, for M = U^T U. What U K is to its
        # largest singular values, K is to their right vectors: no inverse.
        upper = np.linalg.cholesky(moments).T
        right = np.linalg.svd(upper @ kernel, full_matrices=False)[2]
        right = right[: self._inner_size(*kernel.shape)]
        return _balanced(kernel @ right.T, right)

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `r * (input_dim + units)` multiply-adds a row."""
        return self._inner_size(input_dim, units) * (input_dim + units)


def _balanced(left: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Makes a column as large as the row, of norm 1, that it multiplies."""
    roots = np.sqrt(np.linalg.norm(left, axis=0))
    return {
        "left": np.divide(
            left, roots, out=np.zeros(left.shape), where=roots > 0
        ),
        "right": roots[:, np.newaxis] * right,
    }
