"""Projection by blocks of circulant matrices."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import initializers
from yt8m_compact.layers import projection


@keras.saving.register_keras_serializable(package="yt8m_compact")
class CirculantProjection(projection.Projection):
    """Computes `activation(x @ [C_1, ..., C_B][:, :units] + b)`.

    Each `C` is circulant, of the size of the input, with the dense entries
    `C[i, j] = c[(i - j) mod n]`; `B = ceil(units / input_dim)`. A narrow
    projection (`units < input_dim`) has one block and keeps its first columns.
    This is the compact mixture of experts of the paper, which has no diagonal.
    Weights: `B * input_dim`, and `units` for the bias. The transforms run in
    float32 (float64 for float64 layers) whatever the compute dtype.

    Arguments and shapes are those of `Projection`.

    Example:
      >>> layer = CirculantProjection(8192, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 8192]), 8192)

    Reference:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    def _block_weights(self, name: str, initializer: Any, **kwargs: Any):
        shape = (ops.num_blocks(self.input_dim, self.units), self.input_dim)
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            # Keras would round it to a 16-bit compute dtype, for nothing.
            autocast=False,
            **kwargs,
        )

    def _build_kernel(self, input_dim: int) -> None:
        self.kernel = self._block_weights(
            "kernel",
            initializers.for_dense_shape(
                self.kernel_initializer, input_dim, self.units
            ),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.circulant_matmul(
            x, tf.cast(self.kernel, x.dtype), self.units
        )

    def _project(self, x: tf.Tensor) -> tf.Tensor:
        # tf.signal.rfft takes float32 and float64 only.
        fft_dtype = "float64" if self.compute_dtype == "float64" else "float32"
        outputs = self._multiply(tf.cast(x, fft_dtype))
        return tf.cast(outputs, self.compute_dtype)

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.circulant_kernel(
            tf.convert_to_tensor(self.kernel), self.units
        )

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row.

        One transform of the input, `B` inverse ones and `B` products of
        spectra; a real transform of n values counts `1.25 n log2 n`. The
        transforms of the weights do not depend on the number of rows and are
        left out.
        """
        self._check_built()
        blocks = ops.num_blocks(self.input_dim, self.units)
        return transform_multiply_adds(1 + blocks, self.input_dim) + _products(
            blocks, self.input_dim
        )


def transform_multiply_adds(count: int, size: int) -> int:
    """Counts real transforms of `size` values as `1.25 n ceil(log2 n)`."""
    return round(count * 1.25 * size * max(size - 1, 1).bit_length())


def _products(count: int, size: int) -> int:
    """Multiply-adds of products of half spectra, 4 a complex product."""
    return count * 4 * (size // 2 + 1)
