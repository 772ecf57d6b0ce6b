"""Pooling over the frames of a video."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.pooling_methods import POOLING_METHODS


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FramePooling(keras.layers.Layer):
    """Pools the frames of a video by their maximum or their average.

    With `F` the frames that are there, `max_{i in F} v_i` or `sum_{i in F} v_i
    / |F|` for each value. Padding does not count.

    Example:
        >>> values = np.array([[[1.0, 5.0], [3.0, 4.0], [9.0, 9.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> yt8m.layers.FramePooling("max")([values, mask]).numpy()
        array([[3., 5.]], dtype=float32)
        >>> yt8m.layers.FramePooling("average")([values, mask]).numpy()
        array([[2. , 4.5]], dtype=float32)

    Args:
        method: `max` or `average`.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of values, float `[batch, max_frames, size]`, and mask, bool
        `[batch, max_frames]`, true where there is a frame. A video without a
        frame gives zeros.

    Output shape:
        `[batch, size]`.

    Raises:
        ValueError: if the method is unknown.

    Reference:
        DBoF of Abu-El-Haija et al., https://arxiv.org/abs/1609.08675.
    """

    def __init__(self, method: str = "max", **kwargs: Any) -> None:
        if method not in POOLING_METHODS:
            raise ValueError(
                f"expected one of {', '.join(POOLING_METHODS)}. Received: "
                f"method={method!r}"
            )
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask
        self.method = method

    def call(self, inputs):
        values, mask = inputs
        present = mask[:, :, tf.newaxis]
        count = tf.math.count_nonzero(mask, axis=1, dtype=tf.int32)[:, None]
        zero = tf.zeros([], values.dtype)
        if self.method == "average":
            # In 16 bits 299 frames count as 300, and sums overflow.
            wide = tf.float64 if values.dtype == tf.float64 else tf.float32
            kept = tf.cast(tf.where(present, values, zero), wide)
            average = tf.math.divide_no_nan(
                ops.sum_rows(kept), tf.cast(count, wide)
            )
            return tf.cast(average, values.dtype)
        lowest = tf.constant(values.dtype.min, values.dtype)
        largest = tf.reduce_max(tf.where(present, values, lowest), axis=1)
        return tf.where(count > 0, largest, zero)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        values = inputs[0]
        shape = (values.shape[0], values.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "method": self.method}
