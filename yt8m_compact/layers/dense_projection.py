"""The dense projection, behind the interface of the structured ones."""

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DenseProjection(projection.Projection):
    """Computes `activation(x @ W + b)` with a full `W`.

    What `keras.layers.Dense` computes: the twin that each structured
    projection is compared with. Arguments and shapes are those of
    `Projection`. Weights: `input_dim * units`, and `units` for the bias.

    Example:
      >>> layer = DenseProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape
      TensorShape([2, 512])
    """

    def _build_kernel(self, input_dim: int) -> None:
        self.kernel = self._add_kernel_weight("kernel", (input_dim, self.units))

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return keras.ops.matmul(x, self.kernel)

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        self.kernel.assign(kernel)

    def as_dense_kernel(self) -> tf.Tensor:
        """Returns `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return tf.convert_to_tensor(self.kernel)

    @property
    def multiply_adds(self) -> int:
        """Counts `input_dim * units` multiply-adds a row."""
        self._check_built()
        return self.input_dim * self.units
