"""Projection by diagonals between Hadamard transforms."""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import diagonal_projection
from yt8m_compact.layers import initializers
from yt8m_compact.layers import nearest

# A sweep writes out and multiplies n x units matrices some hundred times.
_MAX_SWEEPS = 10


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FastfoodProjection(diagonal_projection.DiagonalProjection):
    """Computes `activation(x @ [W_1, ..., W_B][:n, :units] + b)`.

    Each block is `W = B H P G H S` (S H G P H B of the paper, whose vectors
    are columns): learned diagonals B (`input_diagonal`), G (`kernel`) and S
    (`output_diagonal`), the orthonormal Hadamard matrix `H`, and a random
    permutation `P` that is not learned but stored with the model. They have
    the size n', the next power of two of the input, which has zeros behind it;
    there are `ceil(units / n')` blocks. This is Adaptive Fastfood.

    Trained weights: `3 * ceil(units / n') * n'`, and `units` for the bias; the
    permutations are `ceil(units / n') * n'` whole numbers more. Transforms are
    products with small Hadamard matrices, in float32 (float64 for float64
    layers) whatever the compute dtype. It does not beat Dense for an input of
    less than about 500 values, and costs the same for all units up to n'.

    `from_dense` keeps the permutation, and starts from the diagonals' current
    values: alternating least squares, to about a local minimum.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      **kwargs: the arguments of `DiagonalProjection`, by name; the diagonals
        are B and S.

    Raises:
      ValueError: if `units` is not a positive int.

    Example:
      >>> layer = FastfoodProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, len(layer.trainable_weights)
      (TensorShape([2, 512]), 3)

    Reference:
      Yang et al., Deep fried convnets, https://arxiv.org/abs/1412.7149.
    """

    transforms: ClassVar[bool] = True

    def _build_kernel(self, input_dim: int) -> None:
        shape = ops.fastfood_shape(input_dim, self.units)
        self.input_diagonal = self._add_diagonal("input_diagonal", shape)
        self.permutation = self.add_weight(
            name="permutation",
            shape=shape,
            initializer=initializers.RandomPermutation(),
            dtype="int32",
            trainable=False,
        )
        self.kernel = self._add_kernel_weight(
            "kernel",
            shape,
            # With signs for B and S, an entry of W is a mean of n' values of
            # G times a sign each, times the root of n'.
            stddev_of_part=lambda stddev: stddev * shape[1] ** 0.5,
        )
        self.output_diagonal = self._add_diagonal(
            "output_diagonal", shape, reseed=True
        )

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.fastfood_matmul(
            x,
            tf.cast(self.input_diagonal, x.dtype),
            tf.convert_to_tensor(self.permutation),
            tf.cast(self.kernel, x.dtype),
            tf.cast(self.output_diagonal, x.dtype),
            self.units,
        )

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        return ops.fastfood_kernel(
            tf.convert_to_tensor(self.input_diagonal),
            tf.convert_to_tensor(self.permutation),
            tf.convert_to_tensor(self.kernel),
            tf.convert_to_tensor(self.output_diagonal),
            self.input_dim,
            self.units,
        )

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        permutation = tf.convert_to_tensor(self.permutation)

        def build(values, before, after):
            return ops.fastfood_kernel(
                before, permutation, values, after, self.input_dim, self.units
            )

        variables = [self.kernel, self.input_diagonal, self.output_diagonal]
        start = [variable.numpy().astype(np.float64) for variable in variables]
        for index, values in enumerate(start):
            if not values.any():
                start[index] = np.ones(values.shape)
        size = float(tf.norm(build(*start)))
        if size:
            start[0] = start[0] * (np.linalg.norm(kernel) / size or 1.0)
        weights = nearest.alternating_least_squares(
            build, start, kernel, max_sweeps=_MAX_SWEEPS
        )
        for variable, values in zip(variables, weights, strict=True):
            variable.assign(values)

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        blocks, size = self.kernel.shape
        return blocks * (3 * size + 2 * ops.hadamard_multiply_adds(size))
