"""A matrix most of whose entries are 0."""

from __future__ import annotations

import dataclasses
import math

from yt8m_compact import lazy
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

# A density as text has few digits: .333 of 3 is 1.
_WHOLE = 0.01


@dataclasses.dataclass(frozen=True)
class Sparse(structure.Structure):
    """`W[i, j] = kernel[p]` where `positions[p]` is `(i, j)`, else 0.

    Positions are drawn at random and not trained, but stored as a weight; those
    of a trained matrix are where it is largest: `nearest` is exact, and chooses
    the positions.

    With `group`, the same number of each group of inputs of a column is kept:
    `sparse(density=0.5, group=4)` is 2:4 sparsity, of which hardware and one
    number a group make use.

    Weights: `max(1, round(density * input_dim * units))`, or for each column
    `density * group` of each group, of the last one at most all it has; and as
    many positions, which take few bits on disk (`ops.PositionPattern`). It
    saves weights and no time: the product is that with the matrix written out,
    which for a batch of rows is five to ten times as fast as a sparse product
    of TensorFlow.

    Example:
        >>> structure = yt8m.structures.Sparse(density=0.5, group=2)
        >>> kernel = np.array([[1.0, 7.0], [5.0, 2.0]])
        >>> weights = structure.nearest(kernel)  # the larger of each two
        >>> structure.as_array(weights, 2, 2).tolist()
        [[0.0, 7.0], [5.0, 0.0]]

    Attributes:
        density: share of the entries that are kept.
        group: size of the groups, of which `density` is a whole number; None
            keeps any entries of the matrix.

    Raises:
        ValueError: if an argument is wrong, or `density` is no whole number of
            a group.

    References:
        Han et al., Learning both weights and connections for efficient neural
        networks, https://arxiv.org/abs/1506.02626. Mishra et al., Accelerating
        sparse deep neural networks, https://arxiv.org/abs/2104.08378, of 2:4.
    """

    density: float = 0.1
    group: int | None = None

    def __post_init__(self) -> None:
        """Checks the arguments, and that they fit each other."""
        super().__post_init__()
        if self.group is None:
            return
        kept = self.density * self.group
        if round(kept) < 1 or not math.isclose(
            kept, round(kept), rel_tol=0, abs_tol=_WHOLE
        ):
            below = max(1, math.floor(kept))
            raise ValueError(
                "expected a density that keeps a whole number of each group, "
                f"such as {below}/{self.group}={below / self.group:.4g}. "
                f"Received: density={self.density}, group={self.group}"
            )

    def pattern(self, input_dim: int, units: int) -> ops.PositionPattern:
        """Says which positions there can be.

        Args:
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            What also tells in how many bits they are stored.
        """
        of = input_dim * units if self.group is None else self.group
        kept = max(1, round(self.density * of))
        return ops.PositionPattern(input_dim, units, kept, self.group)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        pattern = self.pattern(input_dim, units)
        # The variance of all entries is that of those that are not 0.
        gain = math.sqrt(pattern.size / pattern.count)
        return (
            weight_spec.WeightSpec("kernel", (pattern.count,), gain=gain),
            weight_spec.WeightSpec(
                "positions",
                (pattern.count,),
                start=weight_spec.Start.POSITIONS,
                trained=False,
                dtype=pattern.dtype,
                pattern=pattern,
            ),
        )

    def _transposed(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.scatter_positions(
            weights["kernel"],
            weights["positions"],
            self.pattern(input_dim, units),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        transposed = self._transposed(weights, x.shape[-1], units)
        if x.shape.rank == 2:
            return tf.matmul(x, transposed, transpose_b=True)
        return tf.tensordot(x, transposed, axes=[[-1], [1]])

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return tf.transpose(self._transposed(weights, input_dim, units))

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        positions = ops.largest_positions(
            tf.constant(np.abs(kernel)), self.pattern(*kernel.shape)
        ).numpy()
        return {
            "kernel": kernel.T.reshape(-1)[positions],
            "positions": positions,
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `input_dim * units` multiply-adds a row, as dense."""
        return input_dim * units
