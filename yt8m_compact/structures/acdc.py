"""Blocks of diagonals between cosine transforms, side by side."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import fitting
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

# A sweep writes out and multiplies n x units matrices a hundred times.
_MAX_SWEEPS = 20


@dataclasses.dataclass(frozen=True)
class Acdc(structure.Structure):
    """`W = [W_1, ..., W_B][:, :units]`, blocks of `A C D C^-1` factors.

    `W_b = A_1 C D_1 C^-1 ... A_m C D_m C^-1`: m factors of a learned diagonal
    A (`diagonal`), the orthonormal cosine transform `C` (DCT-II), a learned
    diagonal D (`kernel`) and the inverse transform, all of the size n of the
    input; `B = ceil(units / input_dim)`, and a narrow `W` keeps the first
    columns of its one block. There is neither a bias nor a permutation or
    non-linearity between factors.

    Weights: `2 * m * B * n`. Each block takes `2 * m` transforms, by a product
    with the matrix of the transform for an input of up to 256 values: there,
    and for a narrow `W` of less than about a tenth of its input, it does not
    beat dense. With several blocks of more it does, but no transform serves
    two blocks, and `DiagonalCirculant` has faster ones.

    `nearest` starts with the diagonals that would be right if each block were
    one factor (an eigenvector), and goes on by alternating least squares to a
    local minimum. A matrix of the family with one factor, whose blocks are
    whole, comes back.

    Example:
        >>> structure = yt8m.structures.Acdc()
        >>> structure.num_weights(1024, 1024), 1024 * 1024
        (2048, 1048576)
        >>> ones = np.ones([1, 1, 2])
        >>> weights = {"diagonal": ones, "kernel": ones * [1.0, 0.0]}
        >>> structure.as_array(weights, 2, 2).round(3).tolist()
        [[0.5, 0.5], [0.5, 0.5]]

    Attributes:
        num_factors: the number m of factors.

    Reference:
        Moczulski et al., ACDC: a structured efficient linear layer,
        https://arxiv.org/abs/1511.05946.
    """

    uses_transforms: ClassVar[bool] = True
    gains_by_xla: ClassVar[bool] = True

    num_factors: int = 1

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        blocks = ops.num_blocks(input_dim, units)
        shape = (self.num_factors, blocks, input_dim)
        return (
            weight_spec.WeightSpec(
                "kernel",
                shape,
                # The transforms keep the sum of squares, so that a factor
                # multiplies the variance by that of D; the m factors share n
                # times the variance of `W`.
                gain=input_dim ** (0.5 / self.num_factors),
                exponent=1 / self.num_factors,
                num_factors=self.num_factors,
            ),
            weight_spec.WeightSpec(
                "diagonal",
                shape,
                start=weight_spec.Start.SIGNS,
                num_factors=self.num_factors,
            ),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.acdc_matmul(x, weights["diagonal"], weights["kernel"], units)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.acdc_kernel(weights["diagonal"], weights["kernel"], units)

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        size, units = kernel.shape
        matrix = ops.cosine_matrix(size, tf.float64).numpy()
        diagonals = np.ones(current["diagonal"].shape)
        middles = np.ones(current["kernel"].shape)
        for block in range(middles.shape[1]):
            part = kernel[:, block * size : (block + 1) * size]
            diagonals[0, block] = _symmetrizer(part)
            part = np.pad(part, [(0, 0), (0, size - part.shape[1])])
            scaled = diagonals[0, block, :, np.newaxis] * matrix
            # Each D is a column of its own here, if the block is whole.
            products = np.sum(scaled * (part @ matrix), axis=0)
            squares = np.maximum(np.sum(scaled**2, axis=0), 1e-30)
            middles[0, block] = products / squares

        def build(*weights):
            half = len(weights) // 2
            return ops.acdc_kernel(
                tf.stack(weights[half:]), tf.stack(weights[:half]), units
            )

        # One factor first: more are never worse than it.
        middles[0], diagonals[0] = fitting.alternating_least_squares(
            build, [middles[0], diagonals[0]], kernel, max_sweeps=_MAX_SWEEPS
        )
        weights = [*middles, *diagonals]
        if self.num_factors > 1:
            weights = fitting.alternating_least_squares(
                build, weights, kernel, max_sweeps=_MAX_SWEEPS
            )
        return {
            "kernel": np.stack(weights[: self.num_factors]),
            "diagonal": np.stack(weights[self.num_factors :]),
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        blocks = ops.num_blocks(input_dim, units)
        pair = 2 * (ops.cosine_multiply_adds(input_dim) + input_dim)
        return round(self.num_factors * blocks * pair)


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
