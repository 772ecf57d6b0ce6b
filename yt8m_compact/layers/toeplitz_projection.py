"""Projection by a Toeplitz matrix."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import nearest
from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class ToeplitzProjection(projection.Projection):
    """Computes `activation(x @ W + b)` with `W` constant along diagonals.

    `W[i, j] = t[units - 1 + i - j]`. A circulant is one whose diagonals wrap
    around; here each diagonal has a weight of its own, in one matrix of any
    shape. Arguments and shapes are those of `Projection`.

    Weights: `input_dim + units - 1`, and `units` for the bias. Transforms run
    in float32 (float64 for float64 layers) whatever the compute dtype; they do
    not beat a dense product where a side is less than about 200 values, and
    there the layer multiplies by the matrix written out, which has no fewer
    multiply-adds than Dense (`ops.plan_toeplitz` chooses).

    `from_dense` is exact: the mean of each diagonal.

    Example:
      >>> layer = ToeplitzProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 1535)

    Reference:
      Sindhwani et al., Structured transforms for small-footprint deep
      learning, https://arxiv.org/abs/1510.01722.
    """

    transforms: ClassVar[bool] = True

    def _build_kernel(self, input_dim: int) -> None:
        self.kernel = self._add_kernel_weight(
            "kernel", (input_dim + self.units - 1,)
        )

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.toeplitz_matmul(x, tf.cast(self.kernel, x.dtype), self.units)

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.toeplitz_kernel(
            tf.convert_to_tensor(self.kernel), self.units
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        self.kernel.assign(nearest.mean_of_diagonals(kernel))

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        return ops.plan_toeplitz(self.input_dim, self.units).multiply_adds
