"""Mean and variance of the frames of a video."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameMoments(keras.layers.Layer):
    """Describes the frames of a video by their mean and their variance.

    Over the frames `F` that are there, `mean = sum_{i in F} x_i / |F|` and
    `variance = sum_{i in F} (x_i - mean)^2 / |F|`, which is what the paper's
    released code adds with `--add_moments` (`tf.nn.moments`). A video without
    a frame gives zeros. Sums run in float32 (float64 for float64 layers).

    Example:
        >>> frames = np.array([[[1.0, 5.0], [3.0, 5.0], [9.0, 9.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> yt8m.layers.FrameMoments()([frames, mask]).numpy()
        array([[2., 5., 1., 0.]], dtype=float32)

    Args:
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of frames, float `[batch, max_frames, feature_dim]`, and mask,
        bool `[batch, max_frames]`, true where there is a frame.

    Output shape:
        `[batch, 2 * feature_dim]`, the means before the variances.

    Reference:
        Araujo et al., https://arxiv.org/abs/1810.01140, released code.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask

    def call(self, inputs):
        frames, mask = inputs
        present = mask[:, :, tf.newaxis]
        wide = tf.float64 if frames.dtype == tf.float64 else tf.float32
        frames = tf.cast(tf.where(present, frames, tf.zeros_like(frames)), wide)
        count = tf.math.count_nonzero(mask, axis=1, keepdims=True, dtype=wide)
        mean = tf.math.divide_no_nan(ops.sum_rows(frames), count)
        difference = frames - mean[:, tf.newaxis, :]
        difference = tf.where(present, difference, tf.zeros_like(difference))
        square = ops.sum_rows(tf.square(difference))
        variance = tf.math.divide_no_nan(square, count)
        return tf.cast(tf.concat([mean, variance], 1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        frames, _ = inputs
        shape = (frames.shape[0], 2 * frames.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
