"""Projection by a matrix of circulant blocks."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import nearest
from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class BlockCirculantProjection(projection.Projection):
    """Computes `activation(x @ W + b)` with `W` of circulant blocks.

    `W` is cut to blocks of `block_size` rows and columns, each of which is a
    circulant of its own. Blocks of 1 are a dense `W`, blocks of the size of
    the input those of `CirculantProjection`: the knob between accuracy and
    size. Where blocks do not divide the sizes, the input is padded with zeros
    and the output is cut.

    Weights: `ceil(input_dim / b) * ceil(units / b) * b` for blocks of b, and
    `units` for the bias. Transforms run in float32 (float64 for float64
    layers) whatever the compute dtype; for small blocks, where they do not
    beat a dense product, the layer multiplies by the matrix written out
    (`ops.plan_block_circulant` chooses).

    `from_dense` is exact: the mean of each wrapped diagonal of each block.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      block_size: size of the blocks.
      **kwargs: the arguments of `Projection`, by name.

    Raises:
      ValueError: if `units` or `block_size` is not a positive int.

    Example:
      >>> layer = BlockCirculantProjection(512, block_size=64, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 8192)

    Reference:
      Ding et al., CirCNN, https://arxiv.org/abs/1708.08917.
    """

    options: ClassVar[tuple[str, ...]] = ("block_size",)
    transforms: ClassVar[bool] = True

    def __init__(
        self,
        units: int,
        *args: Any,
        block_size: int = 64,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.block_size = projection.check_positive("block_size", block_size)

    def _build_kernel(self, input_dim: int) -> None:
        self.kernel = self._add_kernel_weight(
            "kernel",
            ops.block_circulant_shape(input_dim, self.units, self.block_size),
        )

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.block_circulant_matmul(
            x, tf.cast(self.kernel, x.dtype), self.units
        )

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.block_circulant_kernel(
            tf.convert_to_tensor(self.kernel), self.input_dim, self.units
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        self.kernel.assign(
            nearest.mean_of_block_circulants(kernel, self.kernel.shape)
        )

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        return ops.plan_block_circulant(
            self.input_dim, self.units, self.block_size
        ).multiply_adds

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "block_size": self.block_size}
