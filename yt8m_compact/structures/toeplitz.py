"""A matrix that is constant along its diagonals."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import fitting
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures import weighted_circulants

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

# Weights up to which their system of equations is written out.
_MAX_DIRECT_SIZE = 6144


@dataclasses.dataclass(frozen=True)
class Toeplitz(structure.Structure):
    """`W[i, j] = t[units - 1 + i - j]`, constant along diagonals.

    A circulant is one whose diagonals wrap around; here each diagonal has a
    weight of its own, in one matrix of any shape.

    Weights: `input_dim + units - 1`. Transforms do not beat a dense product
    where a side is less than about 200 values: there the product is that with
    the matrix written out, which has no fewer multiply-adds than dense
    (`ops.plan_toeplitz` chooses). `nearest` is exact: the mean of each
    diagonal, or with second moments the solution of a system of their sums
    along diagonals; above 6,144 weights, which it would take gigabytes for, by
    conjugate gradients, to about six places.

    Example:
        >>> structure = yt8m.structures.Toeplitz()
        >>> structure.num_weights(1024, 512), 1024 * 512
        (1535, 524288)
        >>> weights = {"kernel": np.array([1.0, 2.0, 3.0, 4.0])}
        >>> structure.as_array(weights, 3, 2).tolist()
        [[2.0, 1.0], [3.0, 2.0], [4.0, 3.0]]

    Reference:
        Sindhwani et al., Structured transforms for small-footprint deep
        learning, https://arxiv.org/abs/1510.01722.
    """

    uses_transforms: ClassVar[bool] = True
    gains_by_xla: ClassVar[bool] = True

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        return (weight_spec.WeightSpec("kernel", (input_dim + units - 1,)),)

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.toeplitz_matmul(x, weights["kernel"], units)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.toeplitz_kernel(weights["kernel"], units)

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        return {"kernel": fitting.mean_of_diagonals(kernel)}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        rows, units = kernel.shape
        size = rows + units - 1
        if size > _MAX_DIRECT_SIZE:
            return super()._nearest_weighted(kernel, current, moments)
        # The corner of a circulant of all diagonals.
        ((column,),) = weighted_circulants.block_circulants(
            moments, moments @ kernel, (1, 1, size)
        )
        return {"kernel": np.roll(column, units - 1)}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        return ops.plan_toeplitz(input_dim, units).multiply_adds
