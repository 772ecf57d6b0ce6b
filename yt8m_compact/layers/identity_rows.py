"""The identity matrix, as rows that a projection can take."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class IdentityRows(keras.layers.Layer):
    """Writes out the identity matrix of the size of its input's last axis.

    What a projection without a bias makes of it is its matrix `W`, whatever
    its kind, so that another layer can share its weights: `project(identity) =
    W`. Of the input, only the shape counts.

    Example:
        >>> project = yt8m.layers.Projection(6, "circulant", use_bias=False)
        >>> identity = yt8m.layers.IdentityRows()(np.zeros([2, 3]))
        >>> np.allclose(project(identity), project.as_dense_kernel())
        True

    Input shape:
        Float `[..., size]`.

    Output shape:
        `[size, size]`, of the layer's compute dtype.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask

    def call(self, inputs):
        return tf.eye(inputs.shape[-1], dtype=self.compute_dtype)

    def compute_output_spec(self, inputs):
        size = inputs.shape[-1]
        return keras.KerasTensor((size, size), dtype=self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # Rows of the identity are no frames.
