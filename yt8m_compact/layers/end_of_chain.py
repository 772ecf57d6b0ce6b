"""The end of a chain of classifiers, which all learn the labels."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="yt8m_compact")
class EndOfChain(keras.layers.Layer):
    """Returns the predictions of the last classifier of a chain.

    Those of the classifiers before it are kept in training, for the loss
    between them and the labels, which `models.DistilledModel` adds: with the
    loss `L` between labels y and predictions, training minimises

    `(1 - s) L(y, p) + s sum_l L(y, p_l)`

    for the share `s` and the predictions `p_l` before the last ones, `p`.
    The layer has no weights.

    Example:
        >>> layer = yt8m.layers.EndOfChain(branch_share=0.1)
        >>> first, last = np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]])
        >>> layer([first, last], training=True).numpy()
        array([[0., 1.]], dtype=float32)
        >>> layer.branch_predictions.numpy()
        array([[[0.25, 0.75]]], dtype=float32)

    Args:
        branch_share: `s`, from 0 to 1.
        **kwargs: the arguments of `keras.layers.Layer`.

    Attributes:
        branch_predictions: `[batch, N, num_classes]`, those of the call before.

    Input shape:
        A list of the classifiers' probabilities, N + 1 of `[batch,
        num_classes]`, the last one's last.

    Output shape:
        `[batch, num_classes]`, probabilities.

    Raises:
        ValueError: if `branch_share` is out of range.

    References:
        Wang et al., https://arxiv.org/abs/1706.05150, "Chaining".
    """

    def __init__(self, branch_share: float, **kwargs: Any) -> None:
        if not 0 <= branch_share <= 1:
            raise ValueError(
                "expected a share from 0 to 1. Received: "
                f"branch_share={branch_share}"
            )
        super().__init__(**kwargs)
        self.branch_share = branch_share
        self.branch_predictions = None

    def call(self, inputs, training=False):
        *branches, last = inputs
        if training:
            # As the losses that Keras collects: for this step, in its graph.
            self.branch_predictions = tf.stack(branches, axis=1)
        return tf.identity(last)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs[-1].shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "branch_share": self.branch_share}
