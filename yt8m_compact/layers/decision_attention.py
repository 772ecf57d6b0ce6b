"""Attention of each class over the decisions on single frames."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DecisionAttention(keras.layers.Layer):
    """Averages what the frames say of each class, by how much they matter.

    Over the frames `F` that are there, with H heads,

    `p_c = 1/H sum_h sum_{i in F} softmax_i(v_ich) sigmoid(u_ich)`,

    where the softmax is over the frames. A video without a frame gives zeros.
    The layer has no weights: attention `v` and decisions `u` come from
    projections, dense or compact, in which the heads of a class stand
    together. Runs in float32 (float64 for float64 layers).

    Example:
        >>> attention = np.zeros([1, 3, 1])  # the same for each frame
        >>> decisions = np.array([[[0.0], [20.0], [-20.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> layer = yt8m.layers.DecisionAttention()
        >>> np.round(layer([attention, decisions, mask]), 2)  # of 0.5 and 1
        array([[0.75]], dtype=float32)

    Args:
        num_heads: int, H.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of attention and decisions, float `[batch, max_frames,
        num_classes * H]`, and mask, bool `[batch, max_frames]`, true where
        there is a frame.

    Output shape:
        `[batch, num_classes]`, probabilities.

    Raises:
        ValueError: if `num_heads` is not positive.

    References:
        Kong et al., https://arxiv.org/abs/1711.00927.
        Kong et al., https://arxiv.org/abs/1903.00765, section III.
    """

    def __init__(self, num_heads: int = 1, **kwargs: Any) -> None:
        if num_heads < 1:
            raise ValueError(
                f"expected a positive int. Received: num_heads={num_heads}"
            )
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask
        self.num_heads = num_heads

    def call(self, inputs):
        attention, decisions, mask = inputs
        present = mask[:, :, tf.newaxis]
        wide = tf.float64 if decisions.dtype == tf.float64 else tf.float32
        # What padding holds may not be finite.
        decisions = tf.where(present, decisions, tf.zeros_like(decisions))
        lowest = tf.constant(wide.min, wide)
        attention = tf.where(present, tf.cast(attention, wide), lowest)
        weights = tf.nn.softmax(attention, axis=1)
        weights = tf.where(present, weights, tf.zeros_like(weights))
        sums = ops.sum_rows(weights * tf.sigmoid(tf.cast(decisions, wide)))
        heads = tf.reshape(
            sums, [-1, sums.shape[1] // self.num_heads, self.num_heads]
        )
        return tf.cast(tf.reduce_mean(heads, axis=2), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        decisions = inputs[1]
        shape = (decisions.shape[0], decisions.shape[2] // self.num_heads)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}
