"""The dense projection, behind the interface of the structured ones."""

from typing import Any

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

    Args:
      units: int, size of the output.
      zero_diagonal: bool; whether `W`, which must be square, is the weights
        without their diagonal, so that no value has a say in itself.
      **kwargs: the other arguments of `Projection`.

    Raises:
      ValueError: if the diagonal of a matrix that is not square is to be zero.

    Example:
      >>> layer = DenseProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape
      TensorShape([2, 512])
    """

    def __init__(
        self, units: int, *args: Any, zero_diagonal: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.zero_diagonal = zero_diagonal

    def _build_kernel(self, input_dim: int) -> None:
        if self.zero_diagonal and input_dim != self.units:
            raise ValueError(
                "expected as many units as inputs with zero_diagonal=True. "
                f"Received: units={self.units}, input_dim={input_dim}, "
                f"layer={self.name}"
            )
        self.kernel = self._add_kernel_weight("kernel", (input_dim, self.units))

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        product = keras.ops.matmul(x, self.kernel)
        if not self.zero_diagonal:
            return product
        # The kernel, not a copy of it without its diagonal.
        return product - x * tf.linalg.diag_part(self.kernel)

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        self.kernel.assign(kernel)

    def as_dense_kernel(self) -> tf.Tensor:
        """Returns `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        kernel = tf.convert_to_tensor(self.kernel)
        if not self.zero_diagonal:
            return kernel
        return tf.linalg.set_diag(kernel, tf.zeros([self.units], kernel.dtype))

    @property
    def multiply_adds(self) -> int:
        """Counts `input_dim * units` multiply-adds a row."""
        self._check_built()
        return self.input_dim * self.units

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "zero_diagonal": self.zero_diagonal}
