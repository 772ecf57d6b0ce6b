"""Random numbers of a layer that a run continues where it stopped."""

import random
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import ops

_SEEDS = 2**31  # of one replica


class RepeatableRandom(keras.layers.Layer):
    """A layer whose random numbers in training follow from what is kept.

    Keras's random state is left out of checkpoints: a run that is continued
    would not give the weights of one that never stopped. Here the numbers
    follow from the seed and from how often the layer was trained before, which
    checkpoints keep. Neither is a weight. Replicas of a `tf.distribute`
    strategy draw different ones.

    Args:
        seed: int; None draws one, which `keras.utils.set_random_seed` fixes.
        **kwargs: the arguments of `keras.layers.Layer`.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Python's generator, from which Keras draws the seeds it is not given.
        self.seed = random.randrange(2**31) if seed is None else seed
        self._num_steps = tf.Variable(
            0,
            trainable=False,
            dtype=tf.int64,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def _next_seed(self) -> tf.Tensor:
        """Counts a step of training, and returns its seed, int64 `[2]`."""
        step = self._num_steps + 1
        self._num_steps.assign(step)
        seed = tf.cast(self.seed, tf.int64) + ops.replica_index() * _SEEDS
        return tf.stack([seed, step])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
