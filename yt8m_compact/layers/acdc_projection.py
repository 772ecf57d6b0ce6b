"""Projection by diagonals between cosine transforms."""

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import diagonal_projection
from yt8m_compact.layers import nearest
from yt8m_compact.layers import projection

# A sweep writes out and multiplies n x units matrices a hundred times.
_MAX_SWEEPS = 20


@keras.saving.register_keras_serializable(package="yt8m_compact")
class AcdcProjection(diagonal_projection.DiagonalProjection):
    """Computes `activation(x @ [W_1, ..., W_B][:, :units] + b)`.

    Each block is `W = A_1 C D_1 C^-1 ... A_m C D_m C^-1`: m factors of a
    learned diagonal A (`diagonal`), the orthonormal cosine transform `C`
    (DCT-II), a learned diagonal D (`kernel`) and the inverse transform, all of
    the size n of the input; `B = ceil(units / input_dim)`, and a narrow
    projection keeps the first columns of its one block. There is neither a
    bias nor a permutation or non-linearity between factors.

    Weights: `2 * m * B * n`, and `units` for the bias. The transforms run in
    float32 (float64 for float64 layers) whatever the compute dtype. Each block
    takes `2 * m` transforms, by a product with the matrix of the transform for
    an input of up to 256 values: there, and for a narrow projection to less
    than about a tenth of its input, it does not beat Dense. With several
    blocks of more it does, but no transform serves two blocks, and
    `DiagonalCirculantProjection` has faster ones.

    `from_dense` starts with the diagonals that would be right if each block
    were one factor (an eigenvector), and goes on by alternating least squares
    to a local minimum. A kernel of the family with one factor, whose blocks
    are whole, comes back.

    Args:
      units: int, size of the output.
      *args: the arguments of `Projection`, in its order.
      num_factors: the number m of factors.
      **kwargs: the arguments of `DiagonalProjection`, by name; the diagonals
        are A.

    Raises:
      ValueError: if `units` or `num_factors` is not a positive int.

    Example:
      >>> layer = AcdcProjection(512, num_factors=2, use_bias=False)
      >>> layer(tf.ones([2, 1024])).shape, layer.count_params()
      (TensorShape([2, 512]), 4096)

    Reference:
      Moczulski et al., ACDC: a structured efficient linear layer,
      https://arxiv.org/abs/1511.05946.
    """

    options: ClassVar[tuple[str, ...]] = ("num_factors",)
    transforms: ClassVar[bool] = True

    def __init__(
        self, units: int, *args: Any, num_factors: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(units, *args, **kwargs)
        self.num_factors = projection.check_positive("num_factors", num_factors)

    def _build_kernel(self, input_dim: int) -> None:
        blocks = ops.num_blocks(input_dim, self.units)
        shape = (self.num_factors, blocks, input_dim)
        self.kernel = self._add_kernel_weight(
            "kernel", shape, stddev_of_part=self._stddev_of_factor
        )
        self.diagonal = self._add_diagonal("diagonal", shape)

    def _stddev_of_factor(self, stddev: float) -> float:
        # The transforms keep the sum of squares, so that a factor multiplies
        # the variance by that of D; the m factors share n times the kernel's.
        gain = self.input_dim * stddev**2
        return gain ** (0.5 / self.num_factors)

    def _multiply(self, x: tf.Tensor) -> tf.Tensor:
        return ops.acdc_matmul(
            x,
            tf.cast(self.diagonal, x.dtype),
            tf.cast(self.kernel, x.dtype),
            self.units,
        )

    def as_dense_kernel(self) -> tf.Tensor:
        """Writes out `W`, `[input_dim, units]`, in the weights' dtype."""
        self._check_built()
        # Transforms take float32 and float64 only.
        dtype = "float64" if self.kernel.dtype == "float64" else "float32"
        kernel = ops.acdc_kernel(
            tf.cast(self.diagonal, dtype),
            tf.cast(self.kernel, dtype),
            self.units,
        )
        return tf.cast(kernel, self.kernel.dtype)

    def _assign_nearest(self, kernel: np.ndarray) -> None:
        factors, blocks, size = self.kernel.shape
        matrix = ops.cosine_matrix(size, tf.float64).numpy()
        diagonals = np.ones(self.kernel.shape)
        kernels = np.ones(self.kernel.shape)
        for block in range(blocks):
            part = kernel[:, block * size : (block + 1) * size]
            diagonals[0, block] = _symmetrizer(part)
            part = np.pad(part, [(0, 0), (0, size - part.shape[1])])
            scaled = diagonals[0, block, :, np.newaxis] * matrix
            # Each D is a column of its own here, if the block is whole.
            products = np.sum(scaled * (part @ matrix), axis=0)
            squares = np.maximum(np.sum(scaled**2, axis=0), 1e-30)
            kernels[0, block] = products / squares

        def build(*weights):
            half = len(weights) // 2
            return ops.acdc_kernel(
                tf.stack(weights[half:]), tf.stack(weights[:half]), self.units
            )

        # One factor first: more are never worse than it.
        kernels[0], diagonals[0] = nearest.alternating_least_squares(
            build, [kernels[0], diagonals[0]], kernel, max_sweeps=_MAX_SWEEPS
        )
        weights = [*kernels, *diagonals]
        if factors > 1:
            weights = nearest.alternating_least_squares(
                build, weights, kernel, max_sweeps=_MAX_SWEEPS
            )
        self.kernel.assign(np.stack(weights[:factors]))
        self.diagonal.assign(np.stack(weights[factors:]))

    @property
    def multiply_adds(self) -> int:
        """Counts the multiply-adds a row, of the algorithm that is used."""
        self._check_built()
        factors, blocks, size = self.kernel.shape
        pair = 2 * (ops.cosine_multiply_adds(size) + size)
        return round(factors * blocks * pair)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_factors": self.num_factors}


def _symmetrizer(block: np.ndarray) -> np.ndarray:
    """Finds the diagonal A for which `A^-1 block` is closest to symmetric.

    `C D C^-1` is symmetric, so that `block[i, j] a[j] = block[j, i] a[i]` for
    `block = A C D C^-1`: the smallest eigenvector of that squared and summed.
    Rows below a square have 1.
    """
    size = block.shape[1]
    square = block[:size]
    form = np.diag(np.sum(square**2, axis=0)) - square * square.T
    _, vectors = np.linalg.eigh(form)
    diagonal = np.ones(block.shape[0])
    diagonal[:size] = vectors[:, 0] * np.sqrt(size)
    return diagonal
