"""The mask that tells frames from padding."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameMask(keras.layers.Layer):
    """Marks the frames that are there: `t < num_frames`.

    Example:
        >>> frames, num_frames = np.zeros([2, 3, 8]), np.array([1, 3])
        >>> yt8m.layers.FrameMask()([frames, num_frames]).numpy()
        array([[ True, False, False],
               [ True,  True,  True]])

    Input shape:
        A list of `frames`, `[batch, max_frames, feature_dim]`, of which only
        the shape is read, and `num_frames`, int `[batch]`.

    Output shape:
        bool `[batch, max_frames]`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        frames, num_frames = inputs
        return tf.sequence_mask(num_frames, maxlen=tf.shape(frames)[1])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape[:2], dtype="bool")
