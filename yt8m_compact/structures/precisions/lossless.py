"""How weights that are not trained are kept: without loss, in fewer bits."""

from __future__ import annotations

import dataclasses

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures.precisions import precision

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops


@dataclasses.dataclass(frozen=True)
class _Lossless(precision.Precision):
    """Keeps a weight as it is; as a layer holds it, it is not changed."""

    def round(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Returns the weight."""
        del spec
        return weight


@dataclasses.dataclass(frozen=True)
class _Signs(_Lossless):
    """Eight signs to a byte."""

    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored: bits."""
        size = ops.packed_size(spec.size, 2)
        return (precision.packed_spec(spec, "codes", (size,), "uint8"),)

    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs signs."""
        signs = np.asarray(weight)
        if not np.isin(signs, (-1, 1)).all():
            raise ValueError(
                "expected -1 and 1 as signs that are not trained. Received: "
                f"{spec.name} from {signs.min()} to {signs.max()}"
            )
        return {f"{spec.name}_codes": ops.pack_codes(signs.ravel() > 0, 2)}

    def unpack(
        self, arrays: dict[str, tf.Tensor], spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Unpacks signs."""
        levels = tf.constant([-1.0, 1.0])
        codes = ops.unpack_codes(
            arrays[f"{spec.name}_codes"], spec.size, levels
        )
        return tf.reshape(codes, spec.shape)

    def coded(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> coded_weight.CodedWeight:
        """Says of which codes signs are made: themselves."""
        signs = self.unpack(arrays, spec).numpy()
        return coded_weight.CodedWeight(
            signs.astype(np.int8), np.ones_like(signs)
        )


@dataclasses.dataclass(frozen=True)
class _WholeNumbers(_Lossless):
    """Two bytes a number, where that is enough for a row of a permutation."""

    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored: the numbers."""
        dtype = "uint16" if spec.shape[-1] <= 2**16 else spec.dtype
        return (precision.packed_spec(spec, "numbers", spec.shape, dtype),)

    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs numbers."""
        (stored,) = self.packed_specs(spec)
        return {stored.name: np.asarray(weight).astype(stored.dtype)}

    def unpack(
        self, arrays: dict[str, tf.Tensor], spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Unpacks numbers."""
        return tf.cast(arrays[f"{spec.name}_numbers"], spec.dtype)

    def faults(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> dict[str, str]:
        """Finds numbers beyond the permutation."""
        name = f"{spec.name}_numbers"
        fault = spec.fault(arrays[name])
        return {name: fault} if fault else {}


@dataclasses.dataclass(frozen=True)
class _Positions(_Lossless):
    """The fewest bits that their number alone decides."""

    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored: bits."""
        shape = (spec.pattern.num_bytes,)
        return (precision.packed_spec(spec, "codes", shape, "uint8"),)

    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs positions."""
        codes = ops.encode_positions(np.asarray(weight), spec.pattern)
        return {f"{spec.name}_codes": codes}

    def unpack(
        self, arrays: dict[str, tf.Tensor], spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Unpacks positions."""
        return ops.decode_positions(arrays[f"{spec.name}_codes"], spec.pattern)

    def faults(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> dict[str, str]:
        """Finds bits that no positions make."""
        name = f"{spec.name}_codes"
        try:
            ops.decode_positions_array(arrays[name], spec.pattern)
        except ValueError as error:
            return {name: str(error)}
        return {}


_OF_START = {
    weight_spec.Start.SIGNS: _Signs(),
    weight_spec.Start.PERMUTATION: _WholeNumbers(),
    weight_spec.Start.POSITIONS: _Positions(),
}


def of(spec: weight_spec.WeightSpec) -> precision.Precision:
    """Returns how a weight that is not trained is kept.

    Args:
        spec: what the weight is.

    Returns:
        A precision that loses nothing.
    """
    return _OF_START[spec.start]
