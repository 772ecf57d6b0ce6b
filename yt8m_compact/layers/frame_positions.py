"""Where in a video a frame is."""

import keras
import tensorflow as tf

# The slowest wave takes 2 pi times as many frames.
_LONGEST = 10_000.0


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FramePositions(keras.layers.Layer):
    """Adds sines and cosines of the position of each frame.

    With h = ceil(size / 2), the value j of frame t gets `sin(t /
    10000^(j / h))` for j < h, and `cos(t / 10000^((j - h) / h))` after.

    Example:
        >>> np.round(yt8m.layers.FramePositions()(np.zeros([1, 2, 4])), 2)
        array([[[0.  , 0.  , 1.  , 1.  ],
                [0.84, 0.01, 0.54, 1.  ]]], dtype=float32)

    Input shape:
        Float `[batch, max_frames, size]`.

    Output shape:
        That of the input.

    Reference:
        Vaswani et al., https://arxiv.org/abs/1706.03762, section 3.5.
    """

    def call(self, inputs):
        size = inputs.shape[-1]
        half = (size + 1) // 2
        times = tf.range(tf.shape(inputs)[1], dtype=tf.float32)[:, tf.newaxis]
        rates = _LONGEST ** (-tf.range(half, dtype=tf.float32) / half)
        angles = times * rates
        waves = tf.concat([tf.sin(angles), tf.cos(angles)], axis=1)[:, :size]
        return inputs + tf.cast(waves, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
