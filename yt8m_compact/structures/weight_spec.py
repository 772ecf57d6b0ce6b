"""What a structure says of one of its weights."""

from __future__ import annotations

import dataclasses
import enum
import math

from yt8m_compact import lazy

with lazy.imports():
    import numpy as np

    from yt8m_compact import ops


class Start(enum.Enum):
    """What a weight starts from.

    Example:
        >>> specs = yt8m.structures.Fastfood().weights(1024, 512)
        >>> [(spec.name, spec.start.name) for spec in specs[:3]]
        [('input_diagonal', 'SIGNS'), ('permutation', 'PERMUTATION'),
            ('kernel', 'KERNEL')]

    Attributes:
        KERNEL: random values, which carry the variance of the matrix.
        SIGNS: diagonals of +1 and -1, which leave the variance as it is.
        PERMUTATION: whole numbers, a permutation of 0, 1, ... for each row.
        POSITIONS: whole numbers, where the entries of a sparse matrix are.
        PACKED: zeros, until bits come from trained weights.
    """

    KERNEL = "kernel"
    SIGNS = "signs"
    PERMUTATION = "permutation"
    POSITIONS = "positions"
    PACKED = "packed"


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """One of the weights that a structured matrix is made of.

    Where the entries of the matrix are to have the standard deviation s, those
    of a weight that starts as `KERNEL` have `gain * s ** exponent`.

    Example:
        >>> left, right = yt8m.structures.LowRank(rank=16).weights(1024, 512)
        >>> left.name, left.shape, left.num_bytes
        ('left', (1024, 16), 65536)
        >>> round(left.stddev(0.04), 6)  # 0.04 is then that of the matrix
        0.1

    Attributes:
        name: its name, unique in the structure.
        shape: its shape.
        start: what it starts from.
        gain: factor of the standard deviation.
        exponent: power of the standard deviation: `1 / m` for one of m factors.
        is_matrix: whether it is a matrix itself, of an axis of inputs and one
            of outputs; not what matrices are made of, such as vectors side by
            side.
        trained: whether it is trained; one that is not is stored all the same.
        num_factors: the number of factors of a product that its first axis
            counts: the matrix is linear in the values of each, with the others
            fixed.
        dtype: its dtype; None is that of whoever holds it, a float.
        pattern: of positions, which of them there can be, and so in how many
            bits they are stored.
    """

    name: str
    shape: tuple[int, ...]
    start: Start = Start.KERNEL
    gain: float = 1.0
    exponent: float = 1.0
    is_matrix: bool = False
    trained: bool = True
    num_factors: int = 1
    dtype: str | None = None
    pattern: ops.PositionPattern | None = None

    @property
    def size(self) -> int:
        """The number of its values."""
        return math.prod(self.shape)

    @property
    def num_bytes(self) -> int:
        """The bytes of its values, where floats are float32."""
        return self.size * np.dtype(self.dtype or "float32").itemsize

    def stddev(self, stddev: float) -> float:
        """Computes the standard deviation that its values start with.

        Args:
            stddev: that of the entries of the dense matrix.

        Returns:
            That of the weight.
        """
        return self.gain * stddev**self.exponent

    def fault(self, values: np.ndarray) -> str | None:
        """Says what is wrong with whole numbers that anyone may have written.

        Args:
            values: of its shape.

        Returns:
            Which numbers are beyond those of a permutation, or positions beyond
            the matrix; None where none is, and of other weights.
        """
        if self.start is Start.PERMUTATION:
            size = self.shape[-1]
        elif self.start is Start.POSITIONS:
            size = self.pattern.size
        else:
            return None
        least, largest = values.min(), values.max()
        if 0 <= least and largest < size:
            return None
        return f"from {least} to {largest}, where {size - 1} is the largest"

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draws values, without a layer.

        Args:
            rng: what to draw from.

        Returns:
            Values of its shape: standard normal ones, signs, permutations or
            positions, or zeros of packed bits.
        """
        if self.start is Start.PACKED:
            return np.zeros(self.shape, self.dtype)
        if self.start is Start.SIGNS:
            return rng.choice([-1.0, 1.0], self.shape)
        if self.start is Start.PERMUTATION:
            rows = np.broadcast_to(np.arange(self.shape[-1]), self.shape)
            return rng.permuted(rows, axis=-1).astype(self.dtype)
        if self.start is Start.POSITIONS:
            return ops.draw_positions(rng, self.pattern)
        return rng.standard_normal(self.shape)
