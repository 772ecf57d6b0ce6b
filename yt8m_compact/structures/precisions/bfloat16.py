"""Floats of 16 bits: bfloat16."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import half


@dataclasses.dataclass(frozen=True)
class BFloat16(half.Half):
    """8 bits of precision, with the range of float32.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (2, 1), is_matrix=True)
        >>> weight = tf.constant([[1.0], [257.0]])
        >>> yt8m.structures.BFloat16().round(weight, spec).numpy().tolist()
        [[1.0], [256.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.BFloat16()
        >>> structure.num_bytes(1024, 512)
        1048576
    """

    float_dtype: ClassVar[str] = "bfloat16"
