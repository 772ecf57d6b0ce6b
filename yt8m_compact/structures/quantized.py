"""A structure whose weights are kept in few bits."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import functools

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import precisions
from yt8m_compact.structures import structure
from yt8m_compact.structures import sum_structure
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures.precisions import lossless

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Quantized(structure.Structure):
    """The matrices of a structure, with weights of a precision.

    What `@` of a structure and a precision makes: `low_rank(rank=64)@int4`. It
    is the weights that a matrix is made of that are rounded, not the matrix.

    Its weights are those of the structure, floats that are trained
    (quantisation-aware training); its product multiplies by what they are
    rounded to. Those of a packed precision are the bits instead. What is not
    trained is stored without loss: signs one bit each, permutations 16 bits
    where they can, positions in as few as `ops.PositionPattern` says.

    `nearest` is that of the structure: the floats before they are rounded, with
    second moments too.

    Example:
        >>> structure = yt8m.structures.get("low_rank(rank=64)@int4")
        >>> structure.inner, str(structure.precision)
        (LowRank(rank=64), 'int4')
        >>> structure.num_bytes(1024, 512), structure.inner.num_bytes(1024, 512)
        (50304, 393216)

    Attributes:
        inner: the structure.
        precision: the precision of its weights.

    Raises:
        ValueError: if the structure has a precision already, or is a sum, whose
            parts have precisions instead; or if the precision is float32.
    """

    inner: structure.Structure
    precision: precisions.Precision

    def __post_init__(self) -> None:
        """Checks that there is one precision, of one structure."""
        if isinstance(self.inner, (Quantized, sum_structure.Sum)):
            raise ValueError(
                "expected one structure without a precision before @. "
                f"Received: structure={self.inner}"
            )
        if isinstance(self.precision, precisions.Float32):
            raise ValueError(
                "expected a precision of fewer bits than float32. Received: "
                f"precision={self.precision}"
            )

    def __str__(self) -> str:
        """Writes the structure and its precision as text."""
        return f"{self.inner}@{self.precision}"

    @property
    def base(self) -> structure.Structure:
        """The structure without its precision."""
        return self.inner

    @property
    def uses_transforms(self) -> bool:
        """Whether the structure multiplies by transforms."""
        return self.inner.uses_transforms

    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix."""
        specs = self.inner.weights(input_dim, units)
        if not self.precision.packed:
            return specs
        return tuple(
            stored
            for spec in specs
            for stored in self._keeps(spec).packed_specs(spec)
        )

    def _keeps(self, spec: weight_spec.WeightSpec) -> precisions.Precision:
        """Returns how a weight is kept: what is fixed, without loss."""
        return self.precision if spec.trained else lossless.of(spec)

    def decode(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> structure.Weights:
        """Computes the floats that a product multiplies by: rounded ones."""
        return {
            spec.name: self._decode_one(weights, spec)
            for spec in self.inner.weights(input_dim, units)
        }

    def _decode_one(
        self, weights: structure.Weights, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        keeps = self._keeps(spec)
        if self.precision.packed:
            return keeps.unpack(weights, spec)
        weight = weights[spec.name]
        if not spec.trained:
            return weight
        # Straight through: rounding has no gradient of its own.
        return tf.grad_pass_through(lambda w: keeps.round(w, spec))(weight)

    def packed(self) -> structure.Structure:
        """Returns the structure whose weights are the bits of this one's."""
        return Quantized(
            self.inner, dataclasses.replace(self.precision, packed=True)
        )

    def pack(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, np.ndarray]:
        """Packs weights into those of `packed`; packed ones are left."""
        if self.precision.packed:
            return dict(weights)
        return {
            name: stored
            for spec in self.inner.weights(input_dim, units)
            for name, stored in self._keeps(spec)
            .pack(weights[spec.name], spec)
            .items()
        }

    def faults(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, str]:
        """Says what is wrong with weights: floats, or bits."""
        if not self.precision.packed:
            return super().faults(weights, input_dim, units)
        return {
            name: fault
            for spec in self.inner.weights(input_dim, units)
            for name, fault in self._keeps(spec).faults(weights, spec).items()
        }

    def coded(
        self, weights: structure.Arrays, input_dim: int, units: int
    ) -> dict[str, coded_weight.CodedWeight]:
        """Says of which codes the floats of `decode` are made."""
        bits = self.pack(weights, input_dim, units)
        found = {
            spec.name: self._keeps(spec).coded(bits, spec)
            for spec in self.inner.weights(input_dim, units)
        }
        return {name: coded for name, coded in found.items() if coded}

    def multiply(
        self, weights: structure.Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        """Multiplies rows by the matrix of rounded weights."""
        decoded = self.decode(weights, x.shape[-1], units)
        return self.inner.multiply(decoded, x, units)

    _multiply = multiply

    def _as_dense(
        self, weights: structure.Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        raise AssertionError("`as_dense` writes out what `base` makes of it")

    def _nearest(
        self, kernel: np.ndarray, current: structure.Arrays
    ) -> dict[str, np.ndarray]:
        return self._nearest_inner(self.inner._nearest, kernel, current)

    def _nearest_weighted(
        self,
        kernel: np.ndarray,
        current: structure.Arrays,
        moments: np.ndarray,
    ) -> dict[str, np.ndarray]:
        return self._nearest_inner(
            functools.partial(self.inner._nearest_weighted, moments=moments),
            kernel,
            current,
        )

    def _nearest_inner(
        self,
        fit: Callable[..., dict[str, np.ndarray]],
        kernel: np.ndarray,
        current: structure.Arrays,
    ) -> dict[str, np.ndarray]:
        """Fits the structure's floats, and packs them if these are packed."""
        if not self.precision.packed:
            return fit(kernel, current)
        decoded = self.decode(
            {name: tf.constant(value) for name, value in current.items()},
            *kernel.shape,
        )
        arrays = {name: value.numpy() for name, value in decoded.items()}
        nearest = fit(kernel, arrays)
        latent = dataclasses.replace(self.precision, packed=False)
        return Quantized(self.inner, latent).pack(nearest, *kernel.shape)

    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the multiply-adds of a row: those of the structure."""
        return self.inner.multiply_adds(input_dim, units)
