"""NeXtVLAD: NetVLAD of groups of values, with attention."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class NextVlad(keras.layers.Layer):
    """Sums the residuals of groups of a frame's values to shared centres.

    Each frame's `size` values are cut to `G` groups `x_ig` of `size / G`. Over
    the frames `F` that are there,

    `V[:, k] = sum_{i in F} sum_g sigmoid(b_ig) softmax(a_ig)_k (x_ig - c_k)`,

    with an attention `b_ig` and activations `a_ig` for each group of each
    frame. Then each `V[:, k]` is scaled to unit length. A video without a frame
    gives zeros. Sums run in float32 (float64 for float64 layers).

    Activations and attention come from projections, dense or compact. Weights
    of the layer: the centres, `size / G * num_clusters`.

    Example:
        >>> frames, activations = np.ones([2, 30, 8]), np.zeros([2, 30, 2 * 5])
        >>> attention, mask = np.zeros([2, 30, 2]), np.ones([2, 30], bool)
        >>> layer = yt8m.layers.NextVlad(groups=2)
        >>> pooled = layer([frames, activations, attention, mask])
        >>> pooled.shape, layer.count_params()
        (TensorShape([2, 20]), 20)

    Args:
        groups: int, `G`.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of frames, float `[batch, max_frames, size]`, activations, float
        `[batch, max_frames, G * num_clusters]`, those of a group together,
        attention, float `[batch, max_frames, G]`, and mask, bool `[batch,
        max_frames]`, true where there is a frame.

    Output shape:
        `[batch, size / G * num_clusters]`; the values of one dimension of the
        groups stand together.

    Raises:
        ValueError: if `groups` is not positive, or does not fit the sizes.

    Reference:
        Lin et al., https://arxiv.org/abs/1811.05014, section 3.2.
    """

    def __init__(self, groups: int, **kwargs: Any) -> None:
        if groups < 1:
            raise ValueError(
                f"expected a positive int. Received: groups={groups}"
            )
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask
        self.groups = groups
        self.centers = None

    def build(self, input_shape) -> None:
        size, clusters, attention, _ = (shape[-1] for shape in input_shape)
        rests = size % self.groups, clusters % self.groups
        if any(rests) or attention != self.groups:
            raise ValueError(
                "expected frames and activations whose sizes the groups "
                "divide, and an attention for each group. Received: groups="
                f"{self.groups}, input_shape={input_shape}"
            )
        self.centers = self.add_weight(
            name="centers",
            shape=(size // self.groups, clusters // self.groups),
            initializer="he_normal",
            # Keras would round it to a 16-bit compute dtype.
            autocast=False,
        )
        self.built = True

    def call(self, inputs):
        frames, activations, attention, mask = inputs
        present = mask[:, :, tf.newaxis]
        wide = tf.float64 if frames.dtype == tf.float64 else tf.float32
        # What padding holds may not be finite.
        frames, activations, attention = (
            tf.cast(tf.where(present, x, tf.zeros_like(x)), wide)
            for x in (frames, activations, attention)
        )
        attention = tf.sigmoid(attention) * tf.cast(present, wide)
        count = tf.shape(frames)[1] * self.groups
        size, clusters = self.centers.shape
        frames = tf.reshape(frames, [-1, count, size])
        shares = tf.nn.softmax(tf.reshape(activations, [-1, count, clusters]))
        shares *= tf.reshape(attention, [-1, count, 1])
        sums = tf.matmul(frames, shares, transpose_a=True)
        total = ops.sum_rows(shares, keepdims=True)
        sums -= total * tf.cast(self.centers, wide)
        flat = tf.reshape(ops.l2_normalize(sums, axis=1), [-1, size * clusters])
        return tf.cast(flat, self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        frames, activations = inputs[:2]
        size = frames.shape[-1] * activations.shape[-1] // self.groups**2
        shape = (frames.shape[0], size)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}
