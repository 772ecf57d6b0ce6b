"""Projection by blocks of circulant matrices."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import nearest
from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class CirculantProjection(projection.Projection):
    """Computes `activation(x @ [C_1, ..., C_B][:, :units] + b)`.

    Each `C` is circulant, of the size of the input, with the dense entries
    `C[i, j] = c[(i - j) mod n]`; `B = ceil(units / input_dim)`. A narrow
    projection (`units < input_dim`) has one block and keeps its first columns.
    This is the compact mixture of experts of the paper, which has no diagonal.
    Weights: `B * input_dim`, or `units` where `pad_input` makes it wide, and
    `units` for the bias.

    The transforms run in float32 (float64 for float64 layers) whatever the
    compute dtype. They do not beat a dense product for an input of less than
    about 200 values: there the layer multiplies by the matrix written out,
    which is exact too, as fast as Dense with many rows, and has no fewer
    multiply-adds than it (`ops.plan_circulant` chooses).

    `from_dense` is exact: the mean of each wrapped diagonal.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      pad_input: whether a wide projection is one square block of `units`
        values of the input with zeros behind it, as the output layer of
        https://arxiv.org/abs/1901.10255 is, in place of several blocks.
      **kwargs: the arguments of `Projection`, by name.

    Example:
      >>> layer = CirculantProjection(8192, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 8192]), 8192)

    Reference:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    options: ClassVar[tuple[str, ...]] = ("pad_input",)
    transforms: ClassVar[bool] = True

    def __init__(
        self,
        units: int,
        *args: Any,
        pad_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.pad_input = pad_input

    @property
    def _block_shape(self) -> tuple[int, int]:
        """The number of blocks and their size."""
        size = self.input_dim
        if self.pad_input:
            size = max(size, self.units)
        return ops.num_blocks(size, self.units), size

    def _build_kernel(self, input_dim: int) -> None:
        self.kernel = self._add_kernel_weight("kernel", self._block_shape)

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.circulant_matmul(
            x, tf.cast(self.kernel, x.dtype), self.units
        )

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.circulant_kernel(
            tf.convert_to_tensor(self.kernel), self.units, self.input_dim
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        self.kernel.assign(
            nearest.mean_of_circulants(kernel, *self._block_shape)
        )

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        _, size = self._block_shape
        return ops.plan_circulant(
            self.input_dim, self.units, size
        ).multiply_adds

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pad_input": self.pad_input}
