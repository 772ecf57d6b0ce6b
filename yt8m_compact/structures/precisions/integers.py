"""What whole numbers of several bits share."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures.precisions import blocks as blocks_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Integers(blocks_lib.Blocks):
    """Codes are the nearest whole numbers, cut at the largest.

    Of some scales, that of the largest value and shares of it, the one that
    makes the squared error smallest; then that of least squares for its codes.
    Within 8 % of the smallest error there is, for normal values and those of
    longer tails.
    """

    # The scales that are tried, as shares of that of the largest value.
    _shares: ClassVar[tuple[float, ...]]

    def _scales(self, blocks: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
        largest = tf.reduce_max(tf.abs(blocks), axis=2, keepdims=True)
        scales = full = largest / self.levels[-1]
        # What is behind a block of fewer values has no say: 0 may be no level.
        size = blocks.shape[2]
        exists = np.arange(size)[:, np.newaxis] < counts[..., 0, np.newaxis]
        exists = None if exists.all() else tf.constant(exists, blocks.dtype)

        def encode(scales: tf.Tensor) -> tf.Tensor:
            codes = self._codes(blocks, scales)
            return codes if exists is None else codes * exists

        if len(self._shares) > 1:
            tried = [share * full for share in self._shares]
            errors = [
                tf.reduce_sum(
                    tf.square(encode(scales) * scales - blocks),
                    axis=2,
                    keepdims=True,
                )
                for scales in tried
            ]
            least = functools.reduce(tf.minimum, errors)
            for scale, error in zip(tried, errors, strict=True):
                scales = tf.where(error == least, scale, scales)
        return blocks_lib.least_squares(blocks, encode(scales))

    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        numbers = tf.round(blocks_lib.divided(blocks, scales))
        # As many below 0 as above: the smallest level is not used.
        return tf.clip_by_value(numbers, -self.levels[-1], self.levels[-1])
