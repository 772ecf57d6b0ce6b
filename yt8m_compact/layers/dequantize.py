"""Dequantisation of features, as late as possible."""

import keras

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Dequantize(keras.layers.Layer):
    """Turns 8-bit features into floats in about [-2, 2].

    `x * 4 / 255 + (4 / 512 - 2)`, as the YouTube-8M starter code does. Frames
    travel as uint8, a quarter of the bytes, up to this layer.

    Example:
        >>> codes = np.array([0, 128, 255], np.uint8)
        >>> np.round(yt8m.layers.Dequantize()(codes), 4)
        array([-1.9922,  0.0157,  2.0078], dtype=float32)

    Input shape:
        Any, uint8.

    Output shape:
        The same, in the layer's compute dtype.
    """

    def __init__(self, **kwargs) -> None:
        # Keras would cast the input to the compute dtype by itself.
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        return keras.ops.cast(ops.dequantize(inputs), self.compute_dtype)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
