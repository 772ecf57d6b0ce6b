"""A full matrix of the first outputs, and nothing for the others."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class LeadingColumns(structure.Structure):
    """`W = [K, 0]`: the columns after the first ones are 0.

    For a classifier whose classes are sorted by how many videos they have, as
    those of YouTube-8M are: the 1,500 first of 3,862 have 93 % of the labels,
    and the others keep their biases. In a sum, another structure is a smaller
    matrix for all classes: `leading_columns(columns=1000)@int4 +
    low_rank(rank=16)@int4`.

    Weights: `input_dim * c`, for c the smaller of `columns` and `units`, and as
    many multiply-adds. `nearest` is exact: those columns.

    Example:
        >>> structure = yt8m.structures.LeadingColumns(columns=1)
        >>> weights = {"kernel": np.array([[1.0], [2.0]])}
        >>> structure.as_array(weights, 2, 3).tolist()
        [[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]

    Attributes:
        columns: the number of columns that there are; None is half of them.
    """

    columns: int | None = None

    def _num_columns(self, units: int) -> int:
        columns = -(-units // 2) if self.columns is None else self.columns
        return min(columns, units)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        columns = self._num_columns(units)
        return (
            weight_spec.WeightSpec(
                "kernel",
                (input_dim, columns),
                # The variance of the matrix, in fewer entries.
                gain=(units / columns) ** 0.5,
                is_matrix=True,
            ),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        product = structure.matmul(x, weights["kernel"])
        missing = units - self._num_columns(units)
        paddings = [[0, 0]] * (x.shape.rank - 1) + [[0, missing]]
        return tf.pad(product, paddings)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        missing = units - self._num_columns(units)
        return tf.pad(weights["kernel"], [[0, 0], [0, missing]])

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        return {"kernel": kernel[:, : self._num_columns(kernel.shape[1])]}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        del moments  # Columns that are right have no error, whatever the input.
        return self._nearest(kernel, current)

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `input_dim * c` multiply-adds a row."""
        return input_dim * self._num_columns(units)
