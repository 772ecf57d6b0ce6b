"""What both floats of 16 bits share."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import weight_spec
from yt8m_compact.structures.precisions import precision

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Half(precision.Precision):
    """Each weight rounded to the nearest float of 16 bits."""

    # Also the name of the float, in NumPy (by ml_dtypes) and TensorFlow.
    float_dtype: ClassVar[str]

    def round(
        self, weight: tf.Tensor, spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Rounds a weight to what its packed bits say."""
        del spec
        # As bits: XLA may leave a cast to 16 bits and back out.
        bits = tf.bitcast(tf.cast(weight, self.float_dtype), tf.uint16)
        rounded = tf.bitcast(bits, tf.as_dtype(self.float_dtype))
        return tf.cast(rounded, weight.dtype)

    def packed_specs(
        self, spec: weight_spec.WeightSpec
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists what is stored of a weight: the bits of each value."""
        return (precision.packed_spec(spec, "bits", spec.shape, "uint16"),)

    def pack(
        self, weight: np.ndarray, spec: weight_spec.WeightSpec
    ) -> dict[str, np.ndarray]:
        """Packs a weight."""
        halves = tf.cast(tf.constant(weight), self.float_dtype)
        if not np.isfinite(tf.cast(halves, tf.float32)).all():
            raise ValueError(
                f"expected weights within the range of {self.kind()}. "
                f"Received: {spec.name}, largest "
                f"{float(np.abs(weight).max())}"
            )
        return {f"{spec.name}_bits": tf.bitcast(halves, tf.uint16).numpy()}

    def unpack(
        self, arrays: dict[str, tf.Tensor], spec: weight_spec.WeightSpec
    ) -> tf.Tensor:
        """Unpacks a weight."""
        bits = arrays[f"{spec.name}_bits"]
        return tf.cast(
            tf.bitcast(bits, tf.as_dtype(self.float_dtype)), tf.float32
        )

    def faults(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> dict[str, str]:
        """Finds bits of what is not finite."""
        name = f"{spec.name}_bits"
        halves = arrays[name].view(tf.as_dtype(self.float_dtype).as_numpy_dtype)
        number = np.count_nonzero(~np.isfinite(halves))
        return {name: f"not finite: {number}"} if number else {}

    def coded(
        self, arrays: dict[str, np.ndarray], spec: weight_spec.WeightSpec
    ) -> coded_weight.CodedWeight:
        """Says of which codes a weight is made: its values."""
        dtype = tf.as_dtype(self.float_dtype).as_numpy_dtype
        halves = np.asarray(arrays[f"{spec.name}_bits"]).view(dtype)
        ones = np.ones(spec.shape, np.float32)
        return coded_weight.CodedWeight(halves, ones)
