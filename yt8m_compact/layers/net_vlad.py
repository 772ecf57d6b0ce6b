"""NetVLAD: how far the frames of a video are from learned centres."""

import abc
import math
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


class ClusterSums(keras.layers.Layer, abc.ABC):
    """What NetVLAD and NetVLAGD share: sums by cluster, adjusted, normalised.

    A subclass says in `_adjust` what becomes of the sums before each cluster's
    is scaled to unit length, and the whole after that.

    Args:
        **kwargs: the arguments of `keras.layers.Layer`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True  # and ends here: see compute_mask

    def _add_cluster_weight(self, name: str, input_shape) -> keras.Variable:
        """Adds a weight, `[feature_dim, num_clusters]`."""
        size, num_clusters = input_shape[0][-1], input_shape[1][-1]
        return self.add_weight(
            name=name,
            shape=(size, num_clusters),
            initializer=keras.initializers.RandomNormal(
                stddev=1 / math.sqrt(size)
            ),
            # Keras would round it to a 16-bit compute dtype.
            autocast=False,
        )

    @abc.abstractmethod
    def _adjust(self, sums: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        """Changes `sums`, `[batch, feature_dim, num_clusters]`.

        Args:
            sums: of the frames by cluster, float32 or float64.
            shares: `[batch, max_frames, num_clusters]`, of the same type.
        """

    def call(self, inputs):
        frames, shares = soft_assignment(*inputs)
        sums = tf.matmul(frames, shares, transpose_a=True)  # [batch, f, K]
        sums = ops.l2_normalize(self._adjust(sums, shares), axis=1)
        flat = tf.reshape(sums, [-1, sums.shape[1] * sums.shape[2]])
        return tf.cast(ops.l2_normalize(flat, axis=1), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask):
        return None  # The frames are gone; Keras would pass theirs on.

    def compute_output_spec(self, inputs):
        frames, activations, _ = inputs
        shape = (frames.shape[0], frames.shape[2] * activations.shape[2])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="yt8m_compact")
class NetVlad(ClusterSums):
    """Sums the frames' residuals to the centre of each cluster.

    `V[:, k] = sum_{i in F} a_k(x_i) (x_i - c_k)` over the frames `F` that are
    there, with `a(x_i) = softmax` of the frame's activations: the share of the
    frame that each cluster gets. Then each `V[:, k]` is scaled to unit length,
    and so is the whole. A cluster without any share, and a video without a
    frame, gives zeros.

    The activations come from a projection, dense or compact, of `num_clusters`
    units. Weights of the layer: the centres, `feature_dim * num_clusters`.
    Sums run in float32 (float64 for float64 layers).

    Example:
        >>> frames, activations = np.ones([2, 30, 8]), np.zeros([2, 30, 5])
        >>> mask = np.ones([2, 30], bool)
        >>> layer = yt8m.layers.NetVlad()
        >>> layer([frames, activations, mask]).shape, layer.count_params()
        (TensorShape([2, 40]), 40)

    Args:
        residuals: bool; false leaves the centres out, `sum_i a_k(x_i) x_i`, and
            the layer without weights (NetRVLAD, also called light VLAD).
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of frames, float `[batch, max_frames, feature_dim]`, activations,
        float `[batch, max_frames, num_clusters]`, and mask, bool `[batch,
        max_frames]`, true where there is a frame.

    Output shape:
        `[batch, feature_dim * num_clusters]`; the values of one dimension of
        the features stand together.

    References:
        Arandjelovic et al., https://arxiv.org/abs/1511.07247, equation 4.
        Miech et al., https://arxiv.org/abs/1706.06905, section 2.1.
    """

    def __init__(self, residuals: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.residuals = residuals
        self.centers = None

    def build(self, input_shape) -> None:
        if self.residuals:
            self.centers = self._add_cluster_weight("centers", input_shape)
        self.built = True

    def _adjust(self, sums: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        if not self.residuals:
            return sums
        total = ops.sum_rows(shares, keepdims=True)
        return sums - total * tf.cast(self.centers, sums.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "residuals": self.residuals}


def soft_assignment(
    frames: tf.Tensor, activations: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Shares each frame out among clusters; padding becomes zeros.

    Args:
        frames: float `[batch, max_frames, feature_dim]`.
        activations: float `[batch, max_frames, num_clusters]`.
        mask: bool `[batch, max_frames]`, true where there is a frame.

    Returns:
        Frames and shares, the softmax of the activations, of the same shapes,
        float32 or float64.
    """
    present = mask[:, :, tf.newaxis]
    wide = tf.float64 if frames.dtype == tf.float64 else tf.float32
    # Selected before the softmax too: what padding holds may not be finite.
    frames, activations = (
        tf.cast(tf.where(present, x, tf.zeros_like(x)), wide)
        for x in (frames, activations)
    )
    shares = tf.nn.softmax(activations)
    shares = tf.where(present, shares, tf.zeros_like(shares))
    return frames, shares
