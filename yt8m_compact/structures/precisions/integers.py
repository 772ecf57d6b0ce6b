"""What whole numbers of several bits share."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures.precisions import blocks as blocks_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Integers(blocks_lib.Blocks):
    """Codes are the nearest whole numbers, cut at the largest.

    The scale starts from that of the largest value, or from the best one of
    normally distributed values where that is less, and goes on by two turns of
    least squares: codes of the scale, then the scale of those codes (Lloyd's
    algorithm for levels that are equally far apart).
    """

    # The step between levels that is best for normal values, of deviation 1
    # (J. Max, Quantizing for minimum distortion, 1960, table II, rounded).
    _normal_step: ClassVar[float]

    def _scales(self, blocks: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
        largest = tf.reduce_max(tf.abs(blocks), axis=2, keepdims=True)
        squares = tf.reduce_sum(blocks * blocks, axis=2, keepdims=True)
        deviation = tf.sqrt(squares / tf.constant(counts, blocks.dtype))
        scales = tf.minimum(
            largest / self.levels[-1], self._normal_step * deviation
        )
        for _ in range(2):
            codes = self._codes(blocks, scales)
            scales = blocks_lib.least_squares(blocks, codes)
        return scales

    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        numbers = tf.round(blocks_lib.divided(blocks, scales))
        return tf.clip_by_value(numbers, self.levels[0], self.levels[-1])
