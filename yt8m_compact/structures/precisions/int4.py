"""Whole numbers of 4 bits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import integers


@dataclasses.dataclass(frozen=True)
class Int4(integers.Integers):
    """Codes -7 to 7, two to a byte.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (3, 1), is_matrix=True)
        >>> weight = tf.constant([[7.0], [-4.0], [0.4]])
        >>> yt8m.structures.Int4().round(weight, spec).numpy().tolist()
        [[7.0], [-4.0], [0.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Int4()
        >>> structure.num_bytes(1024, 512)  # with 512 scales
        263168
    """

    levels: ClassVar[tuple[int, ...]] = tuple(range(-8, 8))
    _shares: ClassVar[tuple[float, ...]] = (1.0, 0.8, 0.63, 0.5, 0.4, 0.3)
