"""Attention of the frames of a video to each other."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class FrameAttention(keras.layers.Layer):
    """Lets each frame of a video collect values from all of them.

    For each of H heads, with queries, keys and values of d values each,

    `y_i = sum_{j in F} softmax_j(q_i . k_j / sqrt(d)) v_j`

    over the frames `F` that are there. The layer has no weights: queries, keys
    and values come from projections, dense or compact. The softmax runs in
    float32 (float64 for float64 layers).

    Example:
        >>> queries, keys = np.zeros([2, 1, 3, 2])  # as near to each frame
        >>> values = np.array([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]])
        >>> mask = np.array([[True, True, False]])
        >>> layer = yt8m.layers.FrameAttention(num_heads=2)
        >>> layer([queries, keys, values, mask])[0, 0].numpy()
        array([2., 3.], dtype=float32)

    Args:
        num_heads: int, H.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of queries, keys and values, float `[batch, max_frames, H * d]`,
        those of a head together, and mask, bool `[batch, max_frames]`, true
        where there is a frame.

    Output shape:
        `[batch, max_frames, H * d]`. Padding gets values too, which mean
        nothing, and zeros in a video without a frame.

    Raises:
        ValueError: if `num_heads` is not positive, or does not divide the size.

    Reference:
        Vaswani et al., https://arxiv.org/abs/1706.03762, section 3.2.
    """

    def __init__(self, num_heads: int, **kwargs: Any) -> None:
        if num_heads < 1:
            raise ValueError(
                f"expected a positive int. Received: num_heads={num_heads}"
            )
        super().__init__(**kwargs)
        self.num_heads = num_heads

    def build(self, input_shape) -> None:
        if input_shape[0][-1] % self.num_heads:
            raise ValueError(
                "expected a size that the heads divide. Received: num_heads="
                f"{self.num_heads}, input_shape={input_shape}"
            )
        self.built = True

    def call(self, inputs):
        *parts, mask = inputs
        size = parts[0].shape[-1]
        head = size // self.num_heads
        shape = [-1, tf.shape(mask)[1], self.num_heads, head]
        # What padding holds may not be finite.
        present = mask[:, :, tf.newaxis]
        queries, keys, values = (
            tf.transpose(
                tf.reshape(tf.where(present, x, tf.zeros_like(x)), shape),
                [0, 2, 1, 3],
            )
            for x in parts
        )
        wide = tf.float64 if values.dtype == tf.float64 else tf.float32
        scores = tf.matmul(queries, keys, transpose_b=True)
        scores = tf.cast(scores, wide) / tf.sqrt(tf.cast(head, wide))
        seen = mask[:, tf.newaxis, tf.newaxis, :]
        scores = tf.where(seen, scores, tf.constant(wide.min, wide))
        shares = tf.cast(tf.nn.softmax(scores), values.dtype)
        # Values of padding are zeros, so that it adds nothing.
        collected = tf.transpose(tf.matmul(shares, values), [0, 2, 1, 3])
        return tf.reshape(collected, [-1, shape[1], size])

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads}
