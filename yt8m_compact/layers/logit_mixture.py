"""A mixture of classifiers that learn from each other."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops


@keras.saving.register_keras_serializable(package="yt8m_compact")
class LogitMixture(keras.layers.Layer):
    """Mixes the logits of several classifiers, and distils the mixture.

    `p = sigmoid(z)` with `z = sum_n softmax(g)_n z_n` for the classifiers'
    logits `z_n` and a gate `g` for each video. In training the classifiers
    also learn from the mixture: with `q = softmax(z / T)` over the classes and
    `q_n` likewise, the mean over the batch of `lambda sum_n KL(q | q_n)` is
    added to the loss. The classifiers' own probabilities, `sigmoid(z_n)`, are
    kept for the loss between them and the labels, which
    `models.DistilledModel` adds.

    The layer has no weights.

    Example:
        >>> layer = yt8m.layers.LogitMixture(temperature=3.0, penalty=9.0)
        >>> gates = np.zeros([1, 2])  # the same for each of two classifiers
        >>> logits = np.array([[5.0, 20.0]]), np.array([[-5.0, 20.0]])
        >>> np.round(layer([gates, *logits], training=True), 2)
        array([[0.5, 1. ]], dtype=float32)
        >>> layer.branch_predictions.shape, float(layer.losses[0]) > 0
        (TensorShape([1, 2, 2]), True)

    Args:
        temperature: `T`, above 0.
        penalty: `lambda`, at least 0.
        **kwargs: the arguments of `keras.layers.Layer`.

    Attributes:
        branch_predictions: `[batch, N, num_classes]`, those of the call before.
        branch_share: None: their loss comes on top of the mixture's.

    Input shape:
        A list of the gates, `[batch, N]`, and the classifiers' logits, N of
        `[batch, num_classes]`.

    Output shape:
        `[batch, num_classes]`, probabilities.

    Raises:
        ValueError: if `temperature` or `penalty` is out of range.

    References:
        Lin et al., https://arxiv.org/abs/1811.05014, section 3.3.
        Lan et al., https://arxiv.org/abs/1806.04606.
    """

    branch_share = None

    def __init__(
        self, temperature: float, penalty: float, **kwargs: Any
    ) -> None:
        if temperature <= 0 or penalty < 0:
            raise ValueError(
                "expected a temperature above 0 and a penalty of at least 0. "
                f"Received: temperature={temperature}, penalty={penalty}"
            )
        super().__init__(**kwargs)
        self.temperature = temperature
        self.penalty = penalty
        self.branch_predictions = None

    def call(self, inputs, training=False):
        gates, *logits = inputs
        weights = tf.nn.softmax(gates)
        logits = tf.stack(logits, axis=1)  # [batch, N, C]
        mixed = ops.sum_rows(weights[:, :, tf.newaxis] * logits)
        if training:
            # As the losses that Keras collects: for this step, in its graph.
            self.branch_predictions = tf.sigmoid(logits)
            teacher = mixed[:, tf.newaxis, :] / self.temperature
            log_q = tf.nn.log_softmax(teacher)
            log_q_n = tf.nn.log_softmax(logits / self.temperature)
            divergence = tf.exp(log_q) * (log_q - log_q_n)
            divergence = tf.reduce_sum(divergence, axis=[1, 2])
            self.add_loss(self.penalty * tf.reduce_mean(divergence))
        return tf.sigmoid(mixed)

    def compute_output_spec(self, inputs, training=False):
        return keras.KerasTensor(inputs[1].shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "penalty": self.penalty,
        }
