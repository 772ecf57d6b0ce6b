"""Blocks of products of diagonal and circulant matrices, side by side."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import circulant
from yt8m_compact.structures import fitting
from yt8m_compact.structures import partition
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures import weighted_circulants

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops


@dataclasses.dataclass(frozen=True)
class DiagonalCirculant(structure.Structure):
    """`W = [W_1, ..., W_B][:, :units]` with `W_b = D_1 C_1 ... D_m C_m`.

    m factors of a diagonal, applied first, and a circulant, both of the size n
    of the input; `B = ceil(units / input_dim)`, and a narrow `W` keeps the
    first columns of its one block. There is no non-linearity between factors.
    This is the layer of the paper. With `learned=False` the diagonals are
    random signs that are not trained, which Cheng et al. have as a step before:
    stored as weights all the same, and so the same wherever the model runs.

    Weights: `2 * m * B * n`, or `m * (B + 1) * n` with shared diagonals; where
    `pad_input` makes it wide, `B = 1` and `n = units`.

    A diagonal of each block's own costs a transform for each block. One
    diagonal that all blocks share (`shared_diagonal`) needs one transform of
    the input, and is faster by half. As in `Circulant`, with one factor and an
    input of less than about 200 values the product is that with the matrix
    written out, which is faster there.

    `nearest` is exact for one factor, a number of units that fills the blocks
    and up to 2,048 inputs: the best approximation of rank 1 to the entries by
    wrapped diagonal (a singular value decomposition); and for one factor of
    signs, which it keeps. Otherwise it alternates between circulants and
    diagonals, to a local minimum that is never worse than circulants alone;
    seconds for one factor, minutes for several of thousands of inputs.

    Weighted by second moments it is exact for one factor of signs. With one
    that is learned it solves for circulants and for the diagonal in turn,
    directly, from circulants and from the nearest in Frobenius norm: a local
    minimum, in seconds.

    Example:
        >>> structure = yt8m.structures.DiagonalCirculant(shared_diagonal=True)
        >>> structure.num_weights(1024, 8192), 1024 * 8192
        (9216, 8388608)
        >>> diagonal = np.array([[[1.0, -1.0]]])
        >>> kernel = np.array([[[1.0, 2.0]]])
        >>> weights = {"diagonal": diagonal, "kernel": kernel}
        >>> structure.as_array(weights, 2, 2).tolist()
        [[1.0, 2.0], [-2.0, -1.0]]

    Attributes:
        num_factors: the number m of factors.
        shared_diagonal: whether all blocks have the same diagonals.
        learned: whether diagonals are trained.
        pad_input: see `Circulant`.

    References:
        Araujo et al., https://arxiv.org/abs/1810.01140, section 3.
        Cheng et al., An exploration of parameter redundancy in deep networks
        with circulant projections, https://arxiv.org/abs/1502.03436.
    """

    uses_transforms: ClassVar[bool] = True

    num_factors: int = 1
    shared_diagonal: bool = False
    learned: bool = True
    pad_input: bool = False

    @property
    def gains_by_xla(self) -> bool:
        """Whether blocks share spectra, which XLA then does not write."""
        return self.shared_diagonal

    def _blocks(self, input_dim: int, units: int) -> tuple[int, int]:
        return circulant.square_blocks(input_dim, units, self.pad_input)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        blocks, size = self._blocks(input_dim, units)
        return (
            weight_spec.WeightSpec(
                "kernel",
                (self.num_factors, blocks, size),
                # A circulant of n values with standard deviation s multiplies
                # the variance by n s^2; the m factors share that of `W`.
                gain=size ** (0.5 / self.num_factors - 0.5),
                exponent=1 / self.num_factors,
                num_factors=self.num_factors,
            ),
            weight_spec.WeightSpec(
                "diagonal",
                (self.num_factors, 1 if self.shared_diagonal else blocks, size),
                start=weight_spec.Start.SIGNS,
                trained=self.learned,
                num_factors=self.num_factors,
            ),
        )

    def block_widths(self, input_dim: int, units: int) -> tuple[int, ...]:
        """Says which columns can be computed apart.

        Those of some circulants, several of narrow ones. With several factors
        not where diagonals are shared: their first transform is one.
        """
        blocks, size = self._blocks(input_dim, units)
        if blocks == 1 or (self.shared_diagonal and self.num_factors > 1):
            return (units,)
        return partition.widths_of(units, size * circulant.at_once(size))

    @property
    def shares_weights(self) -> bool:
        """Whether blocks share the diagonal."""
        return self.shared_diagonal

    def split(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tuple[tf.Tensor, list[structure.Weights]]:
        """Splits circulants, and does once what a shared diagonal does."""
        if len(self.block_widths(x.shape[-1], units)) == 1:
            return x, [weights]
        number = circulant.at_once(x.shape[-1])
        blocks = circulant.split_blocks(weights["kernel"], number)
        if self.shared_diagonal:
            x = circulant.transform_once(x, units, weights["diagonal"][0, 0])
            return x, [{"kernel": kernel} for kernel in blocks]
        diagonals = circulant.split_blocks(weights["diagonal"], number)
        return x, [
            {"kernel": kernel, "diagonal": diagonal}
            for kernel, diagonal in zip(blocks, diagonals, strict=True)
        ]

    def multiply_block(
        self, weights: structure.Weights, x: tf.Tensor, width: int
    ) -> tf.Tensor:
        """Multiplies by circulants what was multiplied by a shared diagonal."""
        if "diagonal" in weights:
            return self.multiply(weights, x, width)
        return circulant.Circulant().multiply_block(
            {"kernel": weights["kernel"][0]}, x, width
        )

    def _multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        return ops.diagonal_circulant_matmul(
            x, weights["diagonal"], weights["kernel"], units
        )

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        diagonal, kernel = weights["diagonal"], weights["kernel"]
        if self.num_factors == 1:
            return ops.diagonal_circulant_kernel(
                diagonal, kernel, units, input_dim
            )
        # The square factors of a narrow `W` may be far larger than it is.
        return structure.dense_by_rows(
            lambda rows: ops.diagonal_circulant_matmul(
                rows, diagonal, kernel, units
            ),
            input_dim,
            kernel.dtype,
        )

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        if self.learned:
            columns, diagonals = self._nearest_pairs(kernel, current)
        else:
            columns, diagonals = self._nearest_circulants(kernel, current)
        if self.num_factors > 1:
            columns, diagonals = self._refine(columns, diagonals, kernel)
        return {"kernel": columns, "diagonal": diagonals}

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        if self.num_factors > 1 or not kernel.any():
            return super()._nearest_weighted(kernel, current, moments)
        start = self._nearest(kernel, current)["diagonal"][0]
        ones = [np.ones(start.shape[1])] if self.learned else []
        width = kernel.shape[1] if self.shared_diagonal else start.shape[1]
        fits = [
            weighted_circulants.diagonal_times_circulants(
                moments,
                kernel[:, number * width : (number + 1) * width],
                [diagonal, *ones],
                start.shape[1],
                learned=self.learned,
            )
            for number, diagonal in enumerate(start)
        ]
        return {
            "kernel": np.concatenate([columns for _, columns in fits])[None],
            "diagonal": np.stack([diagonal for diagonal, _ in fits])[None],
        }

    def _nearest_pairs(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> tuple[np.ndarray, np.ndarray]:
        """Finds one factor of both; those after it are 1."""
        _, units = kernel.shape
        _, size = self._blocks(*kernel.shape)
        columns, diagonals = _identities(current)
        if self.shared_diagonal:
            pieces = [kernel]
        else:
            pieces = np.split(kernel, range(size, units, size), axis=1)
        fits = [
            fitting.diagonal_times_circulants(part, size) for part in pieces
        ]
        diagonals[0] = [diagonal for diagonal, _ in fits]
        columns[0] = np.concatenate([values for _, values in fits])
        return columns, diagonals

    def _nearest_circulants(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> tuple[np.ndarray, np.ndarray]:
        """Finds one factor's circulants between signs that are fixed."""
        rows, units = kernel.shape
        blocks, size = self._blocks(rows, units)
        columns, _ = _identities(current)
        diagonals = current["diagonal"].astype(np.float64)
        # Each sign is its own inverse.
        signs = np.broadcast_to(diagonals, columns.shape)
        before = np.repeat(signs[0].T, size, axis=1)
        after = np.prod(signs[1:], axis=0).reshape(-1)
        columns[0] = fitting.mean_of_circulants(
            before[:rows, :units] * kernel * after[:units], blocks, size
        )
        return columns, diagonals

    def _refine(
        self, columns: np.ndarray, diagonals: np.ndarray, target: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Goes on from one factor, by alternating least squares."""
        input_dim, units = target.shape
        fixed = tf.constant(diagonals)
        rows = tf.eye(input_dim, dtype=tf.float64)

        def build(*weights):
            learned = weights[self.num_factors :]
            # By transforms, which take less than products of matrices.
            return ops.diagonal_circulant_matmul(
                rows,
                tf.stack(learned) if learned else fixed,
                tf.stack(weights[: self.num_factors]),
                units,
            )

        start = [*columns, *(diagonals if self.learned else [])]
        weights = fitting.alternating_least_squares(build, start, target)
        columns = np.stack(weights[: self.num_factors])
        if self.learned:
            diagonals = np.stack(weights[self.num_factors :])
        return columns, diagonals

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of the algorithm used."""
        blocks, size = self._blocks(input_dim, units)
        diagonals = 1 if self.shared_diagonal else blocks
        return ops.diagonal_circulant_multiply_adds(
            input_dim, units, size, self.num_factors, diagonals
        )


def _identities(current: structure.Arrays) -> tuple[np.ndarray, np.ndarray]:
    columns = np.zeros(current["kernel"].shape)
    columns[:, :, 0] = 1.0
    return columns, np.ones(current["diagonal"].shape)
