"""Projection by blocks of products of learned diagonals and circulants."""

from typing import Any, ClassVar

import keras
from keras import constraints
from keras import initializers as keras_initializers
from keras import regularizers
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import circulant_projection
from yt8m_compact.layers import initializers
from yt8m_compact.layers import nearest
from yt8m_compact.layers import projection

# Rows of a product of several factors that are written out at a time.
_ROWS = 512


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DiagonalCirculantProjection(circulant_projection.CirculantProjection):
    """Computes `activation(x @ [W_1, ..., W_B][:, :units] + b)`.

    Each block is `W = D_1 C_1 ... D_m C_m`: m factors of a learned diagonal,
    applied first, and a circulant, both of the size n of the input; `B =
    ceil(units / input_dim)`, and a narrow projection keeps the first columns
    of its one block. There is no non-linearity between factors. This is the
    layer of the paper.

    Weights: `2 * m * B * n`, or `m * (B + 1) * n` with shared diagonals, and
    `units` for the bias; where `pad_input` makes it wide, `B = 1` and `n =
    units`.

    A diagonal of each block's own costs a transform for each block. One
    diagonal that all blocks share (`shared_diagonal`) needs one transform of
    the input, and is faster by half. Transforms run in float32 (float64 for
    float64 layers) whatever the compute dtype; as in `CirculantProjection`, a
    projection with one factor and an input of less than about 200 values is
    multiplied as a dense matrix, which is faster there.

    `from_dense` is exact for one factor, a number of units that fills the
    blocks and up to 2,048 inputs: the best approximation of rank 1 to the
    entries by wrapped diagonal (a singular value decomposition). Otherwise it
    alternates between circulants and diagonals, to a local minimum that is
    never worse than circulants alone; seconds for one factor, minutes for
    several of thousands of inputs.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      num_factors: the number m of factors.
      shared_diagonal: whether all blocks have the same diagonals.
      diagonal_initializer: initialiser of the diagonals; None draws random
        signs, which leaves the output's variance to `kernel_initializer`.
      diagonal_regularizer: regulariser of the diagonals; None is
        `kernel_regularizer`, since they are weights of `W` too.
      diagonal_constraint: constraint on the diagonals; None is
        `kernel_constraint`.
      **kwargs: the arguments of `CirculantProjection`, by name.

    Raises:
      ValueError: if `units` or `num_factors` is not a positive int.

    Example:
      >>> layer = DiagonalCirculantProjection(512, use_bias=False)
      >>> layer(tf.ones([2, 8192])).shape, layer.count_params()
      (TensorShape([2, 512]), 16384)

    Reference:
      Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    options: ClassVar[tuple[str, ...]] = (
        "num_factors",
        "shared_diagonal",
        "pad_input",
    )
    # Whether diagonals are learned.
    _learns_diagonal: ClassVar[bool] = True

    def __init__(
        self,
        units: int,
        *args: Any,
        num_factors: int = 1,
        shared_diagonal: bool = False,
        diagonal_initializer: Any = None,
        diagonal_regularizer: Any = None,
        diagonal_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.num_factors = projection.check_positive("num_factors", num_factors)
        self.shared_diagonal = shared_diagonal
        if diagonal_initializer is None:
            diagonal_initializer = initializers.RandomSign()
        self.diagonal_initializer = keras_initializers.get(diagonal_initializer)
        self.diagonal_regularizer = regularizers.get(diagonal_regularizer)
        self.diagonal_constraint = constraints.get(diagonal_constraint)

    def _build_kernel(self, input_dim: int) -> None:
        blocks, size = self._block_shape
        diagonals = 1 if self.shared_diagonal else blocks
        self.kernel = self._add_kernel_weight(
            "kernel",
            (self.num_factors, blocks, size),
            stddev_of_part=self._stddev_of_factor,
        )
        self.diagonal = self._add_kernel_weight(
            "diagonal",
            (self.num_factors, diagonals, size),
            initializer=self.diagonal_initializer,
            regularizer=self.diagonal_regularizer,
            constraint=self.diagonal_constraint,
            trainable=self._learns_diagonal,
        )

    def _stddev_of_factor(self, stddev: float) -> float:
        # A circulant of n values with standard deviation s multiplies the
        # variance by n s^2; the m factors share that of the dense kernel.
        _, size = self._block_shape
        gain = size * stddev**2
        return (gain ** (1 / self.num_factors) / size) ** 0.5

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
        diagonal = tf.convert_to_tensor(self.diagonal)
        kernel = tf.convert_to_tensor(self.kernel)
        if self.num_factors == 1:
            return ops.diagonal_circulant_kernel(
                diagonal, kernel, self.units, self.input_dim
            )
        # Transforms take float32 and float64 only.
        dtype = "float64" if kernel.dtype == "float64" else "float32"
        # The square factors of a narrow `W` may be far larger than it is: rows
        # of the identity go through their product, some at a time.
        rows = [
            ops.diagonal_circulant_matmul(
                tf.one_hot(part, self.input_dim, dtype=dtype),
                tf.cast(diagonal, dtype),
                tf.cast(kernel, dtype),
                self.units,
            )
            for part in np.array_split(
                np.arange(self.input_dim), -(-self.input_dim // _ROWS)
            )
        ]
        return tf.cast(tf.concat(rows, axis=0), kernel.dtype)

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        kernels, diagonals = self._nearest_with_one_factor(kernel)
        if self.num_factors > 1:
            kernels, diagonals = self._nearest_from(kernels, diagonals, kernel)
        self.kernel.assign(kernels)
        if self._learns_diagonal:
            self.diagonal.assign(diagonals)

    def _nearest_with_one_factor(
        self, kernel: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Finds circulants and diagonals, those after the first factor 1."""
        blocks, size = self._block_shape
        kernels = np.zeros(self.kernel.shape)
        kernels[:, :, 0] = 1.0
        if self._learns_diagonal:
            diagonals = np.ones(self.diagonal.shape)
            if self.shared_diagonal:
                parts = [kernel]
            else:
                parts = np.split(kernel, range(size, self.units, size), axis=1)
            fits = [
                nearest.diagonal_times_circulants(part, size) for part in parts
            ]
            diagonals[0] = [diagonal for diagonal, _ in fits]
            kernels[0] = np.concatenate([columns for _, columns in fits])
            return kernels, diagonals
        # Fixed signs: each is its own inverse.
        diagonals = self.diagonal.numpy().astype(np.float64)
        signs = np.broadcast_to(diagonals, kernels.shape)
        before = np.repeat(signs[0].T, size, axis=1)
        after = np.prod(signs[1:], axis=0).reshape(-1)
        rows, columns = kernel.shape
        kernels[0] = nearest.mean_of_circulants(
            before[:rows, :columns] * kernel * after[:columns], blocks, size
        )
        return kernels, diagonals

    def _nearest_from(
        self, kernels: np.ndarray, diagonals: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Goes on from one factor, by alternating least squares."""
        fixed = tf.constant(diagonals)
        rows = tf.eye(self.input_dim, dtype=tf.float64)

        def build(*weights):
            learned = weights[self.num_factors :]
            # By transforms, which take less than products of matrices.
            return ops.diagonal_circulant_matmul(
                rows,
                tf.stack(learned) if learned else fixed,
                tf.stack(weights[: self.num_factors]),
                self.units,
            )

        start = [*kernels, *(diagonals if self._learns_diagonal else [])]
        weights = nearest.alternating_least_squares(build, start, target)
        kernels = np.stack(weights[: self.num_factors])
        if self._learns_diagonal:
            diagonals = np.stack(weights[self.num_factors :])
        return kernels, diagonals

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        blocks, size = self._block_shape
        diagonals = 1 if self.shared_diagonal else blocks
        return ops.diagonal_circulant_multiply_adds(
            self.input_dim, self.units, size, self.num_factors, diagonals
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_factors": self.num_factors,
            "shared_diagonal": self.shared_diagonal,
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
