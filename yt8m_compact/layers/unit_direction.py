"""Scaling of hidden units to unit length."""

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class UnitDirection(keras.layers.Layer):
    """Scales vectors to unit length; one that is all but zero becomes zero.

    `x / |x|` along the last axis. Keras's `UnitNormalization` has the gradient
    0 / 0 at a vector of zeros, and LiteRT, which takes it for an operator of
    its own, the value. Runs in float32 (float64 for float64 layers): the
    squares of a short vector are 0 in float16.

    Example:
        >>> x = np.array([[3.0, 4.0], [0.0, 0.0]])
        >>> np.round(yt8m.layers.UnitDirection()(x), 2)
        array([[0.6, 0.8],
               [0. , 0. ]], dtype=float32)

    Input shape:
        `[..., size]`, any float dtype.

    Output shape:
        The same, in the layer's compute dtype.
    """

    def call(self, inputs):
        wide = tf.float64 if inputs.dtype == tf.float64 else tf.float32
        directions = ops.l2_normalize(tf.cast(inputs, wide), axis=-1)
        return tf.cast(directions, self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        # What Keras makes by itself can't hold a dtype policy.
        return super().get_config()
