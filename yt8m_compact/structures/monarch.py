"""Two block-diagonal factors with a permutation between them."""

from __future__ import annotations

import dataclasses
import math

from yt8m_compact import lazy
from yt8m_compact.structures import partition
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops


@dataclasses.dataclass(frozen=True)
class Monarch(structure.Structure):
    """`W = (L P R P')[:input_dim, :units]`, with block-diagonal `L` and `R`.

    `L` has k blocks of p rows and r columns (`left`), for k blocks that cover
    the input: `p = ceil(input_dim / k)`. The permutation `P` puts values c of
    all blocks side by side: it reads a k x r matrix by columns. `R` has r
    blocks of k rows and s columns (`right`), for `r = ceil(min(input_dim,
    units) / k)` and `s = ceil(units / r)`, and `P'` puts values t of all its
    blocks side by side. So

        W[a p + i, t r + c] = left[a, i, c] right[c, a, t]

    and every output depends on every input. This is P L P' R of the paper,
    whose vectors are columns, with its shape for rectangles and for sizes that
    blocks do not divide: there zeros are put behind the input, the outputs are
    cut, and the weights that only meet those have no effect.

    Weights: `k r (p + s)`, as many multiply-adds as dense has for a matrix of
    that size; with the default of k about `2 min(n, m) sqrt(max(n, m))` for n
    inputs and m units. `nearest` is exact: the p x s entries of each a and c
    are a matrix of rank 1, that of the largest singular value, whose root both
    factors have.

    Example:
        >>> structure = yt8m.structures.Monarch()
        >>> structure.num_weights(1024, 1024), 1024 * 1024
        (65536, 1048576)
        >>> [spec.shape for spec in structure.weights(1024, 1024)]
        [(32, 32, 32), (32, 32, 32)]

    Attributes:
        num_blocks: the number k of blocks of `L`, fewer where some would be
            empty; None is the number with the fewest weights, or a divisor of
            `input_dim` near it.

    Reference:
        Dao et al., Monarch: expressive structured matrices for efficient and
        accurate training, https://arxiv.org/abs/2204.00595.
    """

    num_blocks: int | None = None

    def _sizes(self, input_dim: int, units: int) -> tuple[int, int, int, int]:
        wanted = self.num_blocks
        if wanted is None:
            # n min(n, m) / k + k m weights, about.
            target = input_dim / math.sqrt(max(input_dim, units))
            wanted = partition.near_divisor(input_dim, target)
        blocks, rows = partition.blocks_of(input_dim, wanted)
        inner = -(-min(input_dim, units) // blocks)
        return blocks, rows, inner, -(-units // inner)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        blocks, rows, inner, columns = self._sizes(input_dim, units)
        # An entry of the matrix is a product of one of each.
        return (
            weight_spec.WeightSpec("left", (blocks, rows, inner), exponent=0.5),
            weight_spec.WeightSpec(
                "right", (inner, blocks, columns), exponent=0.5
            ),
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        left, right = weights["left"], weights["right"]
        blocks, rows, inner = left.shape
        columns = right.shape[2]
        padding = blocks * rows - x.shape[-1]
        values = ops.as_rows(x)
        if padding:
            values = tf.pad(values, [[0, 0], [0, padding]])
        # Batched products, block by block: blocks come first.
        values = tf.transpose(tf.reshape(values, [-1, blocks, rows]), [1, 0, 2])
        values = tf.transpose(tf.matmul(values, left), [2, 1, 0])
        values = tf.transpose(tf.matmul(values, right), [1, 2, 0])
        y = tf.reshape(values, [-1, columns * inner])[:, :units]
        return ops.with_leading_dims_of(x, y)

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        left, right = weights["left"], weights["right"]
        blocks, rows, inner = left.shape
        columns = right.shape[2]
        entries = (
            left[:, :, tf.newaxis, :]
            * tf.transpose(right, [1, 2, 0])[:, tf.newaxis]
        )
        dense = tf.reshape(entries, [blocks * rows, columns * inner])
        return dense[:input_dim, :units]

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        input_dim, units = kernel.shape
        blocks, rows, inner, columns = self._sizes(input_dim, units)
        # Zeros in what is cut leave the singular values as they are.
        padded = np.pad(
            kernel,
            [(0, blocks * rows - input_dim), (0, inner * columns - units)],
        )
        entries = padded.reshape(blocks, rows, columns, inner)
        left, values, right = np.linalg.svd(
            entries.transpose(0, 3, 1, 2), full_matrices=False
        )
        roots = np.sqrt(values[..., :1])
        return {
            "left": (left[..., 0] * roots).transpose(0, 2, 1),
            "right": (right[..., 0, :] * roots).transpose(1, 0, 2),
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts `k r (p + s)` multiply-adds a row."""
        blocks, rows, inner, columns = self._sizes(input_dim, units)
        return blocks * inner * (rows + columns)
