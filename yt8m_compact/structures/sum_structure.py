"""Sums of structured matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
import dataclasses
import math
from typing import Any

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import fitting
from yt8m_compact.structures import precisions
from yt8m_compact.structures import structure
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

MAX_PARTS = 16
_MAX_SWEEPS = 6
# A sweep has to lower the error by so much to be followed by another.
_TOLERANCE = 0.01


@dataclasses.dataclass(frozen=True)
class Sum(structure.Structure):
    """`W = W_1 + ... + W_k`, each of a structure of its own.

    What `+` of structures makes; the parts of a sum within a sum become parts
    of the outer one. Each part has its share of the variance, `1 / k`. Weights
    are those of all parts, named after the part: `low_rank_left`, and
    `low_rank_2_left` in a second part of that kind. The time is the sum of
    theirs too: slower than dense where one of them is.

    `nearest` takes turns: each part is set as near as it can to what the
    others leave of the matrix, starting with each of them in turn, and the
    best result is kept. That is a local minimum, about, and never worse than
    any of the parts alone. With second moments it does so twice, once without
    and once with them, and keeps the better.

    Example:
        >>> low_rank = yt8m.structures.LowRank(rank=16)
        >>> structure = low_rank + yt8m.structures.Circulant()
        >>> [spec.name for spec in structure.weights(1024, 512)]
        ['low_rank_left', 'low_rank_right', 'circulant_kernel']
        >>> structure.num_weights(1024, 512), 1024 * 512
        (25600, 524288)

    Attributes:
        parts: the structures, two or more.

    Raises:
        ValueError: if there are too few parts or too many, or one is none.
    """

    parts: tuple[structure.Structure, ...]

    def __post_init__(self) -> None:
        """Checks the parts, and puts those of sums in place of the sums."""
        flat = []
        for part in self.parts:
            if not isinstance(part, structure.Structure):
                raise ValueError(
                    "expected structures as parts of a sum. Received: "
                    f"part={part!r}"
                )
            flat.extend(part.parts if isinstance(part, Sum) else [part])
        if not 2 <= len(flat) <= MAX_PARTS:
            raise ValueError(
                f"expected 2 to {MAX_PARTS} parts of a sum. Received: "
                f"{len(flat)} parts"
            )
        object.__setattr__(self, "parts", tuple(flat))

    def __str__(self) -> str:
        """Writes the sum as text."""
        return " + ".join(map(str, self.parts))

    @property
    def uses_transforms(self) -> bool:
        """Whether a part of it multiplies by transforms."""
        return any(part.uses_transforms for part in self.parts)

    @property
    def gains_by_xla(self) -> bool:
        """Whether all parts that multiply by transforms gain by it."""
        parts = [part for part in self.parts if part.uses_transforms]
        return bool(parts) and all(part.gains_by_xla for part in parts)

    def _prefixes(self) -> list[str]:
        counts, prefixes = Counter(), []
        for part in self.parts:
            kind = part.base.kind()
            counts[kind] += 1
            number = counts[kind]
            suffix = f"_{number}" if number > 1 else ""
            prefixes.append(f"{kind}{suffix}_")
        return prefixes

    def __matmul__(self, other: Any) -> structure.Structure:
        """Makes the sum of all parts with weights of a precision."""
        if not isinstance(other, precisions.Precision):
            return NotImplemented
        return Sum(tuple(part @ other for part in self.parts))

    @property
    def base(self) -> structure.Structure:
        """The sum of the parts without their precisions."""
        return Sum(tuple(part.base for part in self.parts))

    def decode(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> structure.Weights:
        """Computes the floats that a product multiplies by, of all parts."""
        return self._each("decode", weights, input_dim, units)

    def packed(self) -> structure.Structure:
        """Returns the sum of the packed parts."""
        return Sum(tuple(part.packed() for part in self.parts))

    def pack(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, np.ndarray]:
        """Packs the weights of all parts."""
        return self._each("pack", weights, input_dim, units)

    def faults(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, str]:
        """Says what is wrong with the weights of all parts."""
        return self._each("faults", weights, input_dim, units)

    def coded(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, coded_weight.CodedWeight]:
        """Says of which codes the floats of `decode` are made, of all parts."""
        return self._each("coded", weights, input_dim, units)

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        share = 1 / math.sqrt(len(self.parts))
        return tuple(
            dataclasses.replace(
                spec,
                name=prefix + spec.name,
                gain=spec.gain * share**spec.exponent,
            )
            for prefix, part in zip(self._prefixes(), self.parts, strict=True)
            for spec in part.weights(input_dim, units)
        )

    def _split(self, weights, input_dim: int, units: int) -> list[dict]:
        """Picks the weights of each part, by their names there."""
        return [
            {
                spec.name: weights[prefix + spec.name]
                for spec in part.weights(input_dim, units)
            }
            for prefix, part in zip(self._prefixes(), self.parts, strict=True)
        ]

    def _each(self, method: str, weights, input_dim: int, units: int) -> dict:
        """Joins what a method of each part makes of its weights."""
        split = self._split(weights, input_dim, units)
        return {
            prefix + name: value
            for prefix, part, its_weights in zip(
                self._prefixes(), self.parts, split, strict=True
            )
            for name, value in getattr(part, method)(
                its_weights, input_dim, units
            ).items()
        }

    def multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        """Multiplies rows by the matrix: each part in the dtype it needs."""
        split = self._split(weights, x.shape[-1], units)
        return tf.add_n(
            [
                part.multiply(its_weights, x, units)
                for part, its_weights in zip(self.parts, split, strict=True)
            ]
        )

    _multiply = multiply

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        split = self._split(weights, input_dim, units)
        return tf.add_n(
            [
                part.as_dense(its_weights, input_dim, units)
                for part, its_weights in zip(self.parts, split, strict=True)
            ]
        )

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        return self._take_turns(kernel, current, None)[1]

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        unweighted = self._nearest(kernel, current)
        error = fitting.weighted_error(
            self.as_array(unweighted, *kernel.shape) - kernel, moments
        )
        best_error, best = self._take_turns(kernel, current, moments)
        return best if best_error < error else unweighted

    def _take_turns(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray | None,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Fits parts to what the others leave; returns the error, too."""

        def fit(part, rest, its_weights):
            if moments is None:
                return part._nearest(rest, its_weights)
            return part._nearest_weighted(rest, its_weights, moments)

        zeros = [
            part._nearest(np.zeros(kernel.shape), its_weights)
            for part, its_weights in zip(
                self.parts, self._split(current, *kernel.shape), strict=True
            )
        ]
        best, best_error = zeros, np.inf
        for first in range(len(self.parts)):
            weights = list(zeros)
            dense = [
                part.as_array(its_weights, *kernel.shape)
                for part, its_weights in zip(self.parts, weights, strict=True)
            ]
            last = np.inf
            for _ in range(_MAX_SWEEPS):
                for step in range(len(self.parts)):
                    index = (first + step) % len(self.parts)
                    part = self.parts[index]
                    rest = kernel - (sum(dense) - dense[index])
                    weights[index] = fit(part, rest, weights[index])
                    dense[index] = part.as_array(weights[index], *kernel.shape)
                    error = fitting.weighted_error(sum(dense) - kernel, moments)
                    if error < best_error:
                        best, best_error = list(weights), error
                if error == 0 or error > (1 - _TOLERANCE) * last:
                    break
                last = error
        return best_error, {
            prefix + name: value
            for prefix, values in zip(self._prefixes(), best, strict=True)
            for name, value in values.items()
        }

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row, of all parts."""
        return sum(part.multiply_adds(input_dim, units) for part in self.parts)


def sum_of(parts: Iterable[structure.Structure]) -> structure.Structure:
    """Makes the sum of structures, or the only one.

    Example:
        >>> parts = [yt8m.structures.LowRank(16), yt8m.structures.Circulant()]
        >>> str(yt8m.structures.sum_of(parts))
        'low_rank(rank=16) + circulant'
        >>> yt8m.structures.sum_of(parts[:1])
        LowRank(rank=16)

    Args:
        parts: one or more.

    Returns:
        A `Sum`, or the one that there is.

    Raises:
        ValueError: if there is none, or there are too many.
    """
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Sum(parts)
