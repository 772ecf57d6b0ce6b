"""Projection by two thin factors."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LowRankProjection(projection.Projection):
    """Computes `activation(x @ L @ R + b)` with thin factors `L` and `R`.

    `L` is `[input_dim, r]` and `R` is `[r, units]`, for r the smallest of
    `rank`, `input_dim` and `units`.

    Weights: `r * (input_dim + units)`, and `units` for the bias. That is as
    many multiply-adds, and so neither smaller nor faster than Dense unless r
    is below `input_dim * units / (input_dim + units)`, half the size of a
    square.

    `from_dense` is exact: the largest singular values and their vectors, the
    roots of the values in both factors.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      rank: columns of `L` and rows of `R`.
      **kwargs: the arguments of `Projection`, by name.

    Raises:
      ValueError: if `units` or `rank` is not a positive int.

    Example:
      >>> layer = LowRankProjection(512, rank=16, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 24576)

    Reference:
      Sainath et al., Low-rank matrix factorization for deep neural network
      training with high-dimensional output targets, ICASSP 2013.
    """

    options: ClassVar[tuple[str, ...]] = ("rank",)

    def __init__(
        self, units: int, *args: Any, rank: int = 32, **kwargs: Any
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.rank = projection.check_positive("rank", rank)

    @property
    def _inner_size(self) -> int:
        return min(self.rank, self.input_dim, self.units)

    def _build_kernel(self, input_dim: int) -> None:
        rank = self._inner_size
        self.left = self._add_kernel_weight(
            "left", (input_dim, rank), stddev_of_part=self._stddev_of_factor
        )
        self.right = self._add_kernel_weight(
            "right",
            (rank, self.units),
            stddev_of_part=self._stddev_of_factor,
            reseed=True,
        )

    def _stddev_of_factor(self, stddev: float) -> float:
        # An entry of the product has the variance r s^4.
        return (stddev**2 / self._inner_size) ** 0.25

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return keras.ops.matmul(keras.ops.matmul(x, self.left), self.right)

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return tf.matmul(
            tf.convert_to_tensor(self.left), tf.convert_to_tensor(self.right)
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        left, values, right = np.linalg.svd(kernel, full_matrices=False)
        rank = self._inner_size
        roots = np.sqrt(values[:rank])
        self.left.assign(left[:, :rank] * roots)
        self.right.assign(roots[:, np.newaxis] * right[:rank])

    @property
    def multiply_adds(self) -> int:
        """Counts `r * (input_dim + units)` multiply-adds a row."""
        self._check_built()
        return self._inner_size * (self.input_dim + self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank}
