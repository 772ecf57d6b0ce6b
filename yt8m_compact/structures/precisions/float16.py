"""Floats of 16 bits: float16."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import half


@dataclasses.dataclass(frozen=True)
class Float16(half.Half):
    """11 bits of precision, from 6e-8 to 65504.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (2, 1), is_matrix=True)
        >>> weight = tf.constant([[1.0], [2049.0]])
        >>> yt8m.structures.Float16().round(weight, spec).numpy().tolist()
        [[1.0], [2048.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Float16()
        >>> structure.num_bytes(1024, 512)
        1048576
    """

    float_dtype: ClassVar[str] = "float16"
