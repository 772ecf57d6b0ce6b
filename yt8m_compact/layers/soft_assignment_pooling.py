"""Soft bag of frames: how much of a video belongs to each cluster."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import net_vlad

SOFT_POOLING_METHODS = ("sum", "max")


@keras.saving.register_keras_serializable(package="yt8m_compact")
class SoftAssignmentPooling(keras.layers.Layer):
    """Pools the shares of the frames that each cluster gets.

    `sum_{i in F} a_k(x_i)` or `max_{i in F} a_k(x_i)` over the frames `F` that
    are there, with `a(x_i) = softmax` of the frame's activations. A video
    without a frame gives zeros. Sums run in float32 (float64 for float64
    layers).

    Example:
        >>> activations = np.zeros([1, 3, 2])  # the same for both clusters
        >>> mask = np.array([[True, True, False]])
        >>> layer = yt8m.layers.SoftAssignmentPooling(normalize=False)
        >>> layer([activations, mask]).numpy()
        array([[1., 1.]], dtype=float32)

    Args:
        method: `sum` or `max`.
        normalize: whether the result is scaled to unit length.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of activations, float `[batch, max_frames, num_clusters]`, and
        mask, bool `[batch, max_frames]`, true where there is a frame.

    Output shape:
        `[batch, num_clusters]`.

    Raises:
        ValueError: if the method is unknown.

    References:
        Philbin et al., Lost in quantization, CVPR 2008.
        Miech et al., https://arxiv.org/abs/1706.06905, section 2.1.
    """

    def __init__(
        self, method: str = "sum", normalize: bool = True, **kwargs: Any
    ) -> None:
        if method not in SOFT_POOLING_METHODS:
            raise ValueError(
                f"expected one of {', '.join(SOFT_POOLING_METHODS)}. Received: "
                f"method={method!r}"
            )
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask
        self.method = method
        self.normalize = normalize

    def call(self, inputs):
        activations, mask = inputs
        _, shares = net_vlad.soft_assignment(activations, activations, mask)
        if self.method == "sum":
            pooled = ops.sum_rows(shares)
        else:  # Shares are above 0; a maximum of none is not.
            pooled = tf.maximum(tf.reduce_max(shares, axis=1), 0)
        if self.normalize:
            pooled = ops.l2_normalize(pooled, axis=1)
        return tf.cast(pooled, self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        activations, _ = inputs
        shape = (activations.shape[0], activations.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "method": self.method,
            "normalize": self.normalize,
        }
