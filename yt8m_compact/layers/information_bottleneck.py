"""Gates of hidden units that learn which of them are needed."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact.layers import repeatable_random

# How loud the noise is at the start: 5 % of the signal's variance. From far
# less it takes thousands of steps to outweigh a signal.
_LOG_VARIANCE = -3.0


@keras.saving.register_keras_serializable(package="yt8m_compact")
class InformationBottleneck(repeatable_random.RepeatableRandom):
    """Multiplies each unit by a noisy gate; units of little signal can go.

    `y = x * (mu + sigma * e)` in training, with `e` from a standard normal
    distribution for each unit of each example, and a learned mean and variance
    for each unit. What the units tell of the input, bounded from above, is
    added to the loss:

    `penalty * sum log(1 + mu^2 / sigma^2)`, over the units that are needed

    Then the noise of units that are not needed comes to outweigh their signal,
    `sigma^2 >= mu^2`. Then they are 0, and no gradient reaches them any more.
    Else than in training the others are multiplied by `mu`. Without the former,
    and with `mu` in the next matrix, the model is a smaller one of the same
    outputs: yt8m-compress makes it.

    Each unit has two weights, `mu / rate` and `log(sigma^2) / rate`: the steps
    of Adam and its kin are of one size for all weights, and those of gates
    have a longer way to go.

    Example:
        >>> layer = yt8m.layers.InformationBottleneck(penalty=0.1, rate=1.0)
        >>> layer.build([None, 2])
        >>> layer.set_weights([np.array([2.0, 0.5]), np.zeros(2)])
        >>> layer.needed().numpy()
        array([ True, False])
        >>> np.array(layer(np.array([[1.0, 1.0]])))
        array([[2., 0.]], dtype=float32)
        >>> _ = layer(np.array([[1.0, 1.0]]), training=True)
        >>> round(float(layer.losses[0]), 4)  # 0.1 log 5
        0.1609

    Args:
        penalty: factor of what is added to the loss, at least 0.
        rate: how much faster gates move than their weights, above 0.
        seed: int; None draws one, which `keras.utils.set_random_seed` fixes.
            What is drawn follows from it and the number of steps.
        **kwargs: the arguments of `keras.layers.Layer`.

    Input shape:
        `[..., units]`, float.

    Output shape:
        That of the input.

    Raises:
        ValueError: if the penalty is below 0, or the rate not above 0.

    References:
        Dai et al., https://arxiv.org/abs/1802.10399, section 3.
    """

    def __init__(
        self,
        penalty: float,
        rate: float = 10.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not (penalty >= 0 and rate > 0):
            raise ValueError(
                "expected a penalty of at least 0 and a rate above 0. Received:"
                f" penalty={penalty}, rate={rate}"
            )
        super().__init__(seed, **kwargs)
        self.supports_masking = True
        self.penalty = penalty
        self.rate = rate

    def build(self, input_shape):
        self._mean, self._log_variance = (
            self.add_weight(
                shape=(input_shape[-1],),
                initializer=keras.initializers.Constant(value / self.rate),
                autocast=False,
                name=name,
            )
            for name, value in (("mean", 1.0), ("log_variance", _LOG_VARIANCE))
        )
        self.built = True

    def moments(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes what the gates are drawn from.

        Returns:
            `mu` and `sigma^2`, `[units]`, of the weights' dtype.
        """
        mean = self.rate * tf.convert_to_tensor(self._mean)
        return mean, tf.exp(
            self.rate * tf.convert_to_tensor(self._log_variance)
        )

    def needed(self) -> tf.Tensor:
        """Tells which units are needed.

        Returns:
            bool `[units]`, whether their signal outweighs the noise.
        """
        mean, variance = self.moments()
        return mean**2 > variance

    def gates(self) -> tf.Tensor:
        """Computes what units are multiplied by, else than in training.

        Returns:
            `[units]`, `mu`, and 0 where a unit is not needed.
        """
        return tf.where(self.needed(), self.moments()[0], 0)

    def call(self, inputs, training=False):
        if not training:
            return inputs * tf.cast(self.gates(), inputs.dtype)
        (mean, variance), needed = self.moments(), self.needed()
        signal = tf.where(needed, tf.math.log1p(mean**2 / variance), 0)
        self.add_loss(self.penalty * tf.reduce_sum(signal))
        noise = tf.random.stateless_normal(
            tf.shape(inputs), self._next_seed(), dtype=mean.dtype
        )
        gates = tf.where(needed, mean + tf.sqrt(variance) * noise, 0)
        return inputs * tf.cast(gates, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "penalty": self.penalty,
            "rate": self.rate,
        }
