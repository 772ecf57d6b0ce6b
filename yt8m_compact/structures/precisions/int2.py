"""Four levels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures.precisions import blocks as blocks_lib
from yt8m_compact.structures.precisions import integers

with lazy.imports():
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Int2(integers.Integers):
    """Codes -3, -1, 1 and 3, four to a byte: equally far apart, without 0.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (4, 1), is_matrix=True)
        >>> weight = tf.constant([[3.0], [-1.0], [1.4], [0.6]])
        >>> yt8m.structures.Int2().round(weight, spec).numpy().tolist()
        [[3.0], [-1.0], [1.0], [1.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Int2()
        >>> structure.num_bytes(1024, 512)  # with 512 scales
        132096
    """

    levels: ClassVar[tuple[int, ...]] = (-3, -1, 1, 3)
    _shares: ClassVar[tuple[float, ...]] = (1.0, 0.8, 0.63, 0.5, 0.4, 0.3)

    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        halves = tf.floor(blocks_lib.divided(blocks, scales) / 2)
        return tf.clip_by_value(2 * halves + 1, -3.0, 3.0)
