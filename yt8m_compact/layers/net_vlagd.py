"""NetVLAGD: sums of a video's frames by cluster, gated value by value."""

import keras
import tensorflow as tf

from yt8m_compact.layers import net_vlad


@keras.saving.register_keras_serializable(package="yt8m_compact")
class NetVlagd(net_vlad.ClusterSums):
    """Sums the frames of each cluster, and gates each value of the sums.

    `V[:, k] = sigmoid(g_k) * sum_{i in F} a_k(x_i) x_i` over the frames `F`
    that are there, with `a(x_i) = softmax` of the frame's activations, as in
    `NetVlad`; learned gates, one for each value, take the place of the
    centres. Then each `V[:, k]` is scaled to unit length, and so is the whole.
    A cluster without any share, and a video without a frame, gives zeros.

    The activations come from a projection, dense or compact, of `num_clusters`
    units. Weights of the layer: the gates before the sigmoid, `feature_dim *
    num_clusters`. Sums run in float32 (float64 for float64 layers).

    Example:
        >>> frames, activations = np.ones([2, 30, 8]), np.zeros([2, 30, 5])
        >>> mask = np.ones([2, 30], bool)
        >>> layer = yt8m.layers.NetVlagd()
        >>> layer([frames, activations, mask]).shape, layer.count_params()
        (TensorShape([2, 40]), 40)

    Args:
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        A list of frames, float `[batch, max_frames, feature_dim]`, activations,
        float `[batch, max_frames, num_clusters]`, and mask, bool `[batch,
        max_frames]`, true where there is a frame.

    Output shape:
        `[batch, feature_dim * num_clusters]`; the values of one dimension of
        the features stand together.

    Reference:
        `NetVLAGD` of the code of Miech et al.,
        https://arxiv.org/abs/1706.06905.
    """

    def build(self, input_shape) -> None:
        self.gates = self._add_cluster_weight("gates", input_shape)
        self.built = True

    def _adjust(self, sums: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
        return sums * tf.sigmoid(tf.cast(self.gates, sums.dtype))
