"""NetFV: mean and spread of a video's frames around learned clusters."""

import math
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.layers import net_vlad

# Keeps a deviation from becoming zero, as in the released code.
_SMALLEST_DEVIATION = 1e-6


@keras.saving.register_keras_serializable(package="yt8m_compact")
class NetFisherVector(keras.layers.Layer):
    """Compares the frames with learned Gaussians, in mean and in spread.

    Over the frames `F` that are there, for each dimension j and cluster k,

    ```
    FV1[j, k] = sum_{i in F} a_k(x_i) (x_i[j] - c[j, k]) / s[j, k]
    FV2[j, k] = sum_{i in F} a_k(x_i) ((x_i[j] - c[j, k])^2 / s[j, k]^2 - 1)
    ```

    with `a(x_i) = softmax` of the frame's activations, and the deviations `s =
    w^2 + 1e-6` of weights `w`. Each `FV1[:, k]` is scaled to unit length, then
    `FV1` and `FV2` each as a whole; `FV2` is not scaled cluster by cluster, as
    in WILLOW's and the paper's released code. What is all but zero becomes
    zero, so that an empty cluster does no harm.

    The activations come from a projection, dense or compact, of `num_clusters`
    units. Weights of the layer: centres and deviations, `2 * feature_dim *
    num_clusters`. Sums run in float32 (float64 for float64 layers).

    Example:
        >>> frames, activations = np.ones([2, 30, 8]), np.zeros([2, 30, 5])
        >>> mask = np.ones([2, 30], bool)
        >>> layer = yt8m.layers.NetFisherVector()
        >>> layer([frames, activations, mask]).shape, layer.count_params()
        (TensorShape([2, 80]), 80)

    Args:
        coupling_factor: float or None. With a factor, the layer has no centres
            of its own: they are that many times the matrix that the activations
            come from, which is another input (see `IdentityRows`).
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of frames, float `[batch, max_frames, feature_dim]`, activations,
        float `[batch, max_frames, num_clusters]`, and mask, bool `[batch,
        max_frames]`, true where there is a frame; with a `coupling_factor`,
        then the matrix, float `[feature_dim, num_clusters]`.

    Output shape:
        `[batch, 2 * feature_dim * num_clusters]`, FV1 before FV2; in each, the
        values of one dimension of the features stand together.

    Reference:
        Miech et al., https://arxiv.org/abs/1706.06905, section 2.1.
    """

    def __init__(
        self, coupling_factor: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.coupling_factor = coupling_factor
        self.supports_masking = True  # and ends here: see compute_mask

    def build(self, input_shape) -> None:
        size, num_clusters = input_shape[0][-1], input_shape[1][-1]
        stddev = 1 / math.sqrt(size)
        means = {"centers": 0.0, "root_deviations": 1.0}
        if self.coupling_factor is not None:
            del means["centers"]
        weights = {
            name: self.add_weight(
                name=name,
                shape=(size, num_clusters),
                initializer=keras.initializers.RandomNormal(mean, stddev),
                # Keras would round it to a 16-bit compute dtype.
                autocast=False,
            )
            for name, mean in means.items()
        }
        self.centers = weights.get("centers")
        self.root_deviations = weights["root_deviations"]
        self.built = True

    def call(self, inputs):
        frames, shares = net_vlad.soft_assignment(*inputs[:3])
        if self.coupling_factor is None:
            centers = tf.cast(self.centers, frames.dtype)
        else:
            centers = self.coupling_factor * tf.cast(inputs[3], frames.dtype)
        deviations = tf.square(tf.cast(self.root_deviations, frames.dtype))
        deviations += _SMALLEST_DEVIATION
        # [batch, 1, K], [batch, f, K], [batch, f, K]
        total = ops.sum_rows(shares, keepdims=True)
        sums = tf.matmul(frames, shares, transpose_a=True)
        squares = tf.matmul(tf.square(frames), shares, transpose_a=True)
        first = (sums - total * centers) / deviations
        second = squares - 2.0 * centers * sums + total * tf.square(centers)
        second = second / tf.square(deviations) - total
        size = first.shape[1] * first.shape[2]
        flat = [
            ops.l2_normalize(tf.reshape(part, [-1, size]), axis=1)
            for part in (ops.l2_normalize(first, axis=1), second)
        ]
        return tf.cast(tf.concat(flat, axis=1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        frames, activations = inputs[:2]
        shape = (frames.shape[0], 2 * frames.shape[2] * activations.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coupling_factor": self.coupling_factor}
