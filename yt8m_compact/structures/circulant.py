"""Blocks of circulant matrices, side by side."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import fitting
from yt8m_compact.structures import partition
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures import weighted_circulants

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

# Fewer columns than that are not worth a pass of their own.
_LEAST_WIDTH = 1024


@dataclasses.dataclass(frozen=True)
class Circulant(structure.Structure):
    """`W = [C_1, ..., C_B][:, :units]`.

    Each `C` is circulant, of the size of the input, with the dense entries
    `C[i, j] = c[(i - j) mod n]`; `B = ceil(units / input_dim)`. A narrow `W`
    (`units < input_dim`) has one block and keeps its first columns. This is
    the compact mixture of experts of the paper, which has no diagonal.

    Weights: `B * input_dim`, or `units` where `pad_input` makes it wide.
    Transforms do not beat a dense product for an input of less than about 200
    values: there the product is that with the matrix written out, which is
    exact too, as fast as dense with many rows, and has no fewer multiply-adds
    than it (`ops.plan_circulant` chooses). `nearest` is exact: the mean of
    each wrapped diagonal, or with second moments the solution of a system of
    their sums along wrapped diagonals.

    Example:
        >>> structure = yt8m.structures.Circulant()
        >>> structure.num_weights(1024, 512), 1024 * 512
        (1024, 524288)
        >>> weights = {"kernel": np.array([[1.0, 2.0, 3.0]])}
        >>> print(structure.as_array(weights, 3, 3))
        [[1. 3. 2.]
         [2. 1. 3.]
         [3. 2. 1.]]

    Attributes:
        pad_input: whether a wide `W` is one square block of `units` values of
            the input with zeros behind it, as the output layer of
            https://arxiv.org/abs/1901.10255 is, in place of several blocks.

    Reference:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
    """

    uses_transforms: ClassVar[bool] = True
    gains_by_xla: ClassVar[bool] = True

    pad_input: bool = False

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        shape = square_blocks(input_dim, units, self.pad_input)
        return (weight_spec.WeightSpec("kernel", shape),)

    def block_widths(self, input_dim: int, units: int) -> tuple[int, ...]:
        """Says which columns can be computed apart: those of some blocks."""
        blocks, size = square_blocks(input_dim, units, self.pad_input)
        if blocks == 1:
            return (units,)
        return partition.widths_of(units, size * at_once(size))

    def split(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tuple[tf.Tensor, list[structure.Weights]]:
        """Transforms the input, and splits circulants."""
        if len(self.block_widths(x.shape[-1], units)) == 1:
            return x, [weights]
        blocks = split_blocks(weights["kernel"], at_once(x.shape[-1]))
        x = transform_once(x, units)
        return x, [{"kernel": kernel} for kernel in blocks]

    def multiply_block(
        self, weights: structure.Weights, x: tf.Tensor, width: int
    ) -> tf.Tensor:
        """Multiplies what `split` gives, transformed or not."""
        if not x.dtype.is_complex:
            return self.multiply(weights, x, width)
        kernel = tf.cast(weights["kernel"], x.dtype.real_dtype)
        return ops.multiply_spectra(x, kernel, width)

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.circulant_matmul(x, weights["kernel"], units)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        return ops.circulant_kernel(weights["kernel"], units, input_dim)

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        blocks, size = square_blocks(*kernel.shape, self.pad_input)
        return {"kernel": fitting.mean_of_circulants(kernel, blocks, size)}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        shape = (1, *square_blocks(*kernel.shape, self.pad_input))
        (columns,) = weighted_circulants.block_circulants(
            moments, moments @ kernel, shape
        )
        return {"kernel": columns}

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        _, size = square_blocks(input_dim, units, self.pad_input)
        return ops.plan_circulant(input_dim, units, size).multiply_adds


def square_blocks(
    input_dim: int, units: int, pad_input: bool
) -> tuple[int, int]:
    """Cuts a matrix into square blocks, side by side.

    Args:
        input_dim: its number of rows.
        units: its number of columns.
        pad_input: whether one block covers all columns.

    Returns:
        The number of blocks and their size.
    """
    size = max(input_dim, units) if pad_input else input_dim
    return ops.num_blocks(size, units), size


def at_once(size: int) -> int:
    """Says how many circulants of a size are worth a pass of their own."""
    return -(-_LEAST_WIDTH // size)


def split_blocks(weight: tf.Tensor, number: int) -> list[tf.Tensor]:
    """Splits a weight of circulants side by side.

    Args:
        weight: `[..., blocks, size]`.
        number: how many go together; the last ones may be fewer.

    Returns:
        Weights of that rank.
    """
    widths = partition.widths_of(weight.shape[-2], number)
    return tf.split(weight, widths, axis=-2)


def transform_once(
    x: tf.Tensor, units: int, diagonal: tf.Tensor | None = None
) -> tf.Tensor:
    """Transforms rows for all circulants of their size, side by side.

    Args:
        x: `[..., n]`, float.
        units: columns of all of them.
        diagonal: `[n]`, what rows are multiplied by before, or None.

    Returns:
        `[..., n // 2 + 1]`, complex, or `[..., n]` where the products are
        dense; of float32 where x has 16 bits.
    """
    size = x.shape[-1]
    wide = x if x.dtype.size >= 4 else tf.cast(x, tf.float32)
    if diagonal is not None:
        wide *= tf.cast(diagonal, wide.dtype)
    if ops.plan_circulant(size, units, size).length != size:
        return wide
    return ops.row_spectra(wide)
