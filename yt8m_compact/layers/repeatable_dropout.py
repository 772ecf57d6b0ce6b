"""Dropout that a run continues where it stopped."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact.layers import repeatable_random


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RepeatableDropout(repeatable_random.RepeatableRandom):
    """Sets random values to zero in training, and scales the others up.

    As `keras.layers.Dropout`, whose random state checkpoints leave out: a run
    that is continued would not give the weights of one that never stopped.
    Here what is dropped follows from the seed and from how often the layer was
    trained before, which checkpoints keep. Neither is a weight. Replicas of a
    `tf.distribute` strategy drop different values.

    Example:
        >>> x = np.ones([2, 100])
        >>> one, other = (
        ...     yt8m.layers.RepeatableDropout(0.5, seed=1)(x, training=True)
        ...     for _ in range(2)
        ... )
        >>> np.unique(one), np.array_equal(one, other)
        (array([0., 2.], dtype=float32), True)

    Args:
        rate: the share that is dropped, at least 0 and below 1.
        seed: int; None draws one, which `keras.utils.set_random_seed` fixes.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        Any, float.

    Output shape:
        That of the input.

    Raises:
        ValueError: if the rate is out of range.

    Reference:
        Srivastava et al., JMLR 15, 2014.
    """

    def __init__(
        self, rate: float, seed: int | None = None, **kwargs: Any
    ) -> None:
        if not 0 <= rate < 1:
            raise ValueError(
                "expected a rate of at least 0 and below 1. Received: "
                f"rate={rate}"
            )
        super().__init__(seed, **kwargs)
        self.supports_masking = True
        self.rate = rate
        self.built = True

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        draws = tf.random.stateless_uniform(tf.shape(inputs), self._next_seed())
        scale = tf.cast(1 / (1 - self.rate), inputs.dtype)
        return tf.where(draws >= self.rate, inputs * scale, 0)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
