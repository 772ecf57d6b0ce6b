"""A full matrix."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dense(structure.Structure):
    """Any `W`: the twin that each other structure is compared with.

    Weights: `input_dim * units`. `nearest` is exact.

    Example:
        >>> weights = {"kernel": np.array([[1.0, 2.0], [3.0, 4.0]])}
        >>> structure = yt8m.structures.Dense(zero_diagonal=True)
        >>> structure.as_array(weights, 2, 2).tolist()
        [[0.0, 2.0], [3.0, 0.0]]

    Attributes:
        zero_diagonal: whether `W`, which must be square, is the weights without
            their diagonal, so that no value has a say in itself.
    """

    zero_diagonal: bool = False

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        if self.zero_diagonal and input_dim != units:
            raise ValueError(
                "expected as many units as inputs with zero_diagonal=True. "
                f"Received: units={units}, input_dim={input_dim}"
            )
        return (
            weight_spec.WeightSpec(
                "kernel", (input_dim, units), is_matrix=True
            ),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        product = structure.matmul(x, weights["kernel"])
        if not self.zero_diagonal:
            return product
        # The kernel, not a copy of it without its diagonal.
        return product - x * tf.linalg.diag_part(weights["kernel"])

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        kernel = weights["kernel"]
        if not self.zero_diagonal:
            return kernel
        return tf.linalg.set_diag(kernel, tf.zeros([units], kernel.dtype))

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        return {"kernel": kernel}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        if not self.zero_diagonal:
            return {"kernel": kernel}
        # What one value says of itself, others say that vary with it: the
        # solution under a constraint on each column.
        inverse = np.linalg.inv(moments)
        factors = np.diagonal(kernel) / np.diagonal(inverse)
        return {"kernel": kernel - inverse * factors}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `input_dim * units` multiply-adds a row."""
        return input_dim * units
