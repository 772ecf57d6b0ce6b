"""Signs."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact.structures.precisions import blocks as blocks_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Binary(blocks_lib.Blocks):
    """Codes -1 and 1, eight to a byte; the scale is the mean magnitude.

    Example:
        >>> import tensorflow as tf
        >>> spec = yt8m.structures.WeightSpec("kernel", (2, 1), is_matrix=True)
        >>> weight = tf.constant([[1.0], [-3.0]])
        >>> yt8m.structures.Binary().round(weight, spec).numpy().tolist()
        [[2.0], [-2.0]]
        >>> structure = yt8m.structures.Dense() @ yt8m.structures.Binary()
        >>> structure.num_bytes(1024, 512)  # with 512 scales
        66560

    References:
        Courbariaux et al., BinaryConnect, https://arxiv.org/abs/1511.00363.
        Rastegari et al., XNOR-Net, https://arxiv.org/abs/1603.05279, equation
        6: the scale that makes the squared error smallest.
    """

    levels: ClassVar[tuple[int, ...]] = (-1, 1)

    def _scales(self, blocks: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
        sums = tf.reduce_sum(tf.abs(blocks), axis=2, keepdims=True)
        return sums / tf.constant(counts, blocks.dtype)

    def _codes(self, blocks: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
        del scales
        return tf.where(blocks < 0, -tf.ones_like(blocks), 1.0)
