"""Projection by blocks of a learned diagonal and a circulant matrix."""

from typing import Any

import keras
from keras import constraints
from keras import initializers as keras_initializers
from keras import regularizers
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import circulant_projection
from yt8m_compact.layers import initializers


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DiagonalCirculantProjection(circulant_projection.CirculantProjection):
    """Computes `activation(x @ [D_1 C_1, ..., D_B C_B][:, :units] + b)`.

    Each `D` is a learned diagonal, applied first, and each `C` is circulant,
    both of the size of the input; `B = ceil(units / input_dim)`, and a narrow
    projection keeps the first columns of its one block. This is the layer of
    the paper with one factor. Weights: `2 * B * input_dim`, and `units` for
    the bias.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      diagonal_initializer: initialiser of the diagonals; None draws random
        signs, which leaves the output's variance to `kernel_initializer`.
      diagonal_regularizer: regulariser of the diagonals; None is
        `kernel_regularizer`, since they are weights of `W` too.
      diagonal_constraint: constraint on the diagonals; None is
        `kernel_constraint`.
      **kwargs: the arguments of `Projection`, by name.

    Example:
      >>> layer = DiagonalCirculantProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 8192])).shape, layer.count_params()
      (TensorShape([2, 512]), 16384)

    Reference:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    def __init__(
        self,
        units: int,
        *args: Any,
        diagonal_initializer: Any = None,
        diagonal_regularizer: Any = None,
        diagonal_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        if diagonal_initializer is None:
            diagonal_initializer = initializers.RandomSign()
        self.diagonal_initializer = keras_initializers.get(diagonal_initializer)
        self.diagonal_regularizer = regularizers.get(diagonal_regularizer)
        self.diagonal_constraint = constraints.get(diagonal_constraint)

    def _build_kernel(self, input_dim: int) -> None:
        super()._build_kernel(input_dim)
        self.diagonal = self._block_weights(
            "diagonal",
            self.diagonal_initializer,
            regularizer=self.diagonal_regularizer or self.kernel_regularizer,
            constraint=self.diagonal_constraint or self.kernel_constraint,
        )

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.diagonal_circulant_matmul(
            x,
            tf.cast(self.diagonal, x.dtype),
            tf.cast(self.kernel, x.dtype),
            self.units,
        )

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.diagonal_circulant_kernel(
            tf.convert_to_tensor(self.diagonal),
            tf.convert_to_tensor(self.kernel),
            self.units,
        )

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row.

        As `CirculantProjection`, but every block transforms its own input.
        """
        self._check_built()
        blocks = ops.num_blocks(self.input_dim, self.units)
        extra_transforms = circulant_projection.transform_multiply_adds(
            blocks - 1, self.input_dim
        )
        return (
            super().multiply_adds + extra_transforms + blocks * self.input_dim
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "diagonal_initializer": keras_initializers.serialize(
                self.diagonal_initializer
            ),
            "diagonal_regularizer": regularizers.serialize(
                self.diagonal_regularizer
            ),
            "diagonal_constraint": constraints.serialize(
                self.diagonal_constraint
            ),
        }
