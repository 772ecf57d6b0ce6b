"""A matrix of circulant blocks of a chosen size."""

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


@dataclasses.dataclass(frozen=True)
class BlockCirculant(structure.Structure):
    """`W` of circulant blocks, each of its own.

    `W` is cut to blocks of `block_size` rows and columns. Blocks of 1 are a
    dense `W`, blocks of the size of the input those of `Circulant`: the knob
    between accuracy and size. Where blocks do not divide the sizes, the input
    is padded with zeros and the output is cut.

    Weights: `ceil(input_dim / b) * ceil(units / b) * b` for blocks of b. For
    small blocks, where transforms do not beat a dense product, the product is
    that with the matrix written out (`ops.plan_block_circulant` chooses).
    `nearest` is exact: the mean of each wrapped diagonal of each block, or with
    second moments the solution of a system of their sums along those.

    Example:
        >>> structure = yt8m.structures.BlockCirculant(block_size=64)
        >>> structure.num_weights(1024, 512), 1024 * 512
        (8192, 524288)
        >>> weights = {"kernel": np.array([[[1.0, 2.0], [3.0, 4.0]]])}
        >>> small = yt8m.structures.BlockCirculant(block_size=2)
        >>> print(small.as_array(weights, 2, 4))
        [[1. 2. 3. 4.]
         [2. 1. 4. 3.]]

    Attributes:
        block_size: size of the blocks.

    Reference:
        Ding et al., CirCNN, https://arxiv.org/abs/1708.08917.
    """

    uses_transforms: ClassVar[bool] = True
    gains_by_xla: ClassVar[bool] = True

    block_size: int = 64

    def _shape(self, input_dim: int, units: int) -> tuple[int, int, int]:
        return ops.block_circulant_shape(input_dim, units, self.block_size)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        shape = self._shape(input_dim, units)
        return (weight_spec.WeightSpec("kernel", shape),)

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.block_circulant_matmul(x, weights["kernel"], units)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.block_circulant_kernel(weights["kernel"], input_dim, units)

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        shape = self._shape(*kernel.shape)
        return {"kernel": fitting.mean_of_block_circulants(kernel, shape)}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        shape = self._shape(*kernel.shape)
        columns = weighted_circulants.block_circulants(
            moments, moments @ kernel, shape
        )
        return {"kernel": columns}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        return ops.plan_block_circulant(
            input_dim, units, self.block_size
        ).multiply_adds
