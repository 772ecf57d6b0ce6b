"""Blocks of diagonals between Hadamard transforms, side by side."""

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

# A sweep writes out and multiplies n x units matrices some hundred times.
_MAX_SWEEPS = 10


@dataclasses.dataclass(frozen=True)
class Fastfood(structure.Structure):
    """`W = [W_1, ..., W_B][:n, :units]` with `W_b = B H P G H S`.

    S H G P H B of the paper, whose vectors are columns: learned diagonals B
    (`input_diagonal`), G (`kernel`) and S (`output_diagonal`), the orthonormal
    Hadamard matrix `H`, and a random permutation `P` that is not learned but
    stored as a weight. They have the size n', the next power of two of the
    input, which has zeros behind it; there are `ceil(units / n')` blocks. This
    is Adaptive Fastfood.

    Trained weights: `3 * ceil(units / n') * n'`; the permutations are
    `ceil(units / n') * n'` whole numbers more. Transforms are products with
    small Hadamard matrices. It does not beat dense for an input of less than
    about 500 values, and costs the same for all units up to n'.

    `nearest` keeps the permutation, and starts from the diagonals' current
    values: alternating least squares, to about a local minimum.

    Example:
        >>> structure = yt8m.structures.Fastfood()
        >>> structure.num_weights(1000, 1024), 1000 * 1024
        (4096, 1024000)
        >>> [spec.name for spec in structure.weights(1000, 1024)]
        ['input_diagonal', 'permutation', 'kernel', 'output_diagonal']

    Reference:
        Yang et al., Deep fried convnets, https://arxiv.org/abs/1412.7149.
    """

    uses_transforms: ClassVar[bool] = True

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        shape = ops.fastfood_shape(input_dim, units)
        signs = weight_spec.Start.SIGNS
        return (
            weight_spec.WeightSpec("input_diagonal", shape, start=signs),
            weight_spec.WeightSpec(
                "permutation",
                shape,
                start=weight_spec.Start.PERMUTATION,
                trained=False,
                dtype="int32",
            ),
            # With signs for B and S, an entry of W is a mean of n' values of
            # G times a sign each, times the root of n'.
            weight_spec.WeightSpec("kernel", shape, gain=shape[1] ** 0.5),
            weight_spec.WeightSpec("output_diagonal", shape, start=signs),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.fastfood_matmul(
            x,
            weights["input_diagonal"],
            weights["permutation"],
            weights["kernel"],
            weights["output_diagonal"],
            units,
        )

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.fastfood_kernel(
            weights["input_diagonal"],
            weights["permutation"],
            weights["kernel"],
            weights["output_diagonal"],
            input_dim,
            units,
        )

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        permutation = tf.constant(current["permutation"])

        def build(values, before, after):
            return ops.fastfood_kernel(
                before, permutation, values, after, *kernel.shape
            )

        names = ("kernel", "input_diagonal", "output_diagonal")
        start = [current[name].astype(np.float64) for name in names]
        for index, values in enumerate(start):
            if not values.any():
                start[index] = np.ones(values.shape)
        size = float(tf.norm(build(*start)))
        if size:
            start[0] = start[0] * (np.linalg.norm(kernel) / size or 1.0)
        weights = fitting.alternating_least_squares(
            build, start, kernel, max_sweeps=_MAX_SWEEPS
        )
        return {
            **dict(zip(names, weights, strict=True)),
            "permutation": current["permutation"],
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        blocks, size = ops.fastfood_shape(input_dim, units)
        return blocks * (3 * size + 2 * ops.hadamard_multiply_adds(size))
