"""Three levels."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures.precisions import blocks as blocks_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Ternary(blocks_lib.Blocks):
    """Codes -1, 0 and 1, five to a byte: 1.6 bits a weight.

    The scale starts from the mean of the values beyond .7 of the mean
    magnitude, and a turn of least squares follows, as in `Integers`.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (3, 1), is_matrix=True)
        >>> weight = tf.constant([[2.0], [-2.0], [0.25]])
        >>> yt8m.structures.Ternary().round(weight, spec).numpy().tolist()
        [[2.0], [-2.0], [0.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Ternary()
        >>> structure.num_bytes(1024, 512)  # with 512 scales
        105882

    Reference:
        Li et al., Ternary weight networks, https://arxiv.org/abs/1605.04711,
        equations 5 and 6.
    """

    levels: ClassVar[tuple[int, ...]] = (-1, 0, 1)

    def _scales(self, blocks: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
        sums = tf.reduce_sum(tf.abs(blocks), axis=2, keepdims=True)
        means = sums / tf.constant(counts, blocks.dtype)
        # Codes begin at half of a scale.
        scales = 1.4 * means
        for _ in range(2):
            codes = self._codes(blocks, scales)
            scales = blocks_lib.least_squares(blocks, codes)
        return scales

    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        beyond = tf.cast(2 * tf.abs(blocks) > scales, blocks.dtype)
        return tf.sign(blocks) * beyond
