"""Whole numbers of 8 bits."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact.structures.precisions import integers


@dataclasses.dataclass(frozen=True)
class Int8(integers.Integers):
    """Codes -127 to 127, one to a byte.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (3, 1), is_matrix=True)
        >>> weight = tf.constant([[127.0], [-64.0], [0.4]])
        >>> yt8m.structures.Int8().round(weight, spec).numpy().tolist()
        [[127.0], [-64.0], [0.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Int8()
        >>> structure.num_bytes(1024, 512)  # with 512 scales
        525312
    """

    levels: ClassVar[tuple[int, ...]] = tuple(range(-128, 128))
    _shares: ClassVar[tuple[float, ...]] = (1.0,)
