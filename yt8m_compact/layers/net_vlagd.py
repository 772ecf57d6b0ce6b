"""NetVLAGD: sums of a video's frames by cluster, gated value by value."""

import math

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import net_vlad


@keras.saving.register_keras_serializable(package="yt8m_compact")
class NetVlagd(keras.layers.Layer):
    """Sums the frames of each cluster, and gates each value of the sums.

    `V[:, k] = sigmoid(g_k) * sum_{i in F} a_k(x_i) x_i` over the frames `F`
    that are there, with `a(x_i) = softmax` of the frame's activations, as in
    `NetVlad`; learned gates, one for each value, take the place of the
    centres. Then each `V[:, k]` is scaled to unit length, and so is the whole.
    A cluster without any share, and a video without a frame, gives zeros.

    The activations come from a projection, dense or compact, of `num_clusters`
    units. Weights of the layer: the gates before the sigmoid, `feature_dim *
    num_clusters`. Sums run in float32 (float64 for float64 layers).

    Args:
      **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
      A list of frames, float `[batch, max_frames, feature_dim]`, activations,
      float `[batch, max_frames, num_clusters]`, and mask, bool `[batch,
      max_frames]`, true where there is a frame.

    Output shape:
      `[batch, feature_dim * num_clusters]`; the values of one dimension of the
      features stand together.

    Reference:
      `NetVLAGD` of the code of Miech et al., https://arxiv.org/abs/1706.06905.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask

    def build(self, input_shape) -> None:
        size, num_clusters = input_shape[0][-1], input_shape[1][-1]
        self.gates = self.add_weight(
            name="gates",
            shape=(size, num_clusters),
            initializer=keras.initializers.RandomNormal(
                stddev=1 / math.sqrt(size)
            ),
            # Keras would round it to a 16-bit compute dtype.
            autocast=False,
        )
        self.built = True

    def call(self, inputs):
        frames, shares = net_vlad.soft_assignment(*inputs)
        sums = tf.matmul(frames, shares, transpose_a=True)  # [batch, f, K]
        sums *= tf.sigmoid(tf.cast(self.gates, sums.dtype))
        sums = ops.l2_normalize(sums, axis=1)
        flat = tf.reshape(sums, [-1, sums.shape[1] * sums.shape[2]])
        return tf.cast(ops.l2_normalize(flat, axis=1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        frames, activations, _ = inputs
        shape = (frames.shape[0], frames.shape[2] * activations.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
