"""Learning rates by step."""

import math

import keras
import tensorflow as tf

from yt8m_compact.run import config as config_lib


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Cosine(keras.optimizers.schedules.LearningRateSchedule):
    """Half a cosine from a learning rate down to a share of it.

    `rate * (f + (1 - f) (1 + cos(pi t / n)) / 2)` at step t from 0 to n, and
    `rate * f` after it.

    Args:
        rate: the learning rate at the start.
        steps: the number n of steps.
        final_fraction: the share f that is left, from 0 to 1.
        start: the step at which the cosine starts; before it, the rate is
            constant.

    References:
        Loshchilov and Hutter, https://arxiv.org/abs/1608.03983, equation 5.
    """

    def __init__(
        self,
        rate: float,
        steps: int,
        final_fraction: float = 0.0,
        start: int = 0,
    ) -> None:
        super().__init__()
        self.rate = rate
        self.steps = steps
        self.final_fraction = final_fraction
        self.start = start

    def __call__(self, step):
        """Computes the learning rate at a step, float32 `[]`."""
        done = tf.cast(step, tf.float32) - self.start
        part = tf.clip_by_value(done / self.steps, 0.0, 1.0)
        height = (1 + tf.cos(math.pi * part)) / 2
        left = self.final_fraction + (1 - self.final_fraction) * height
        return self.rate * left

    def get_config(self) -> dict[str, float]:
        """Returns the constructor's arguments."""
        return {
            "rate": self.rate,
            "steps": self.steps,
            "final_fraction": self.final_fraction,
            "start": self.start,
        }


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Constant(keras.optimizers.schedules.LearningRateSchedule):
    """The same learning rate at every step.

    Not a number, which Keras would keep in checkpoints: there, the learning
    rate of a run that continues could not change.

    Args:
        rate: the learning rate.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def __call__(self, step):
        """Returns the learning rate, float32 `[]`."""
        return tf.constant(self.rate, tf.float32)

    def get_config(self) -> dict[str, float]:
        """Returns the constructor's arguments."""
        return {"rate": self.rate}


@keras.saving.register_keras_serializable(package="yt8m_compact")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that grows over the first steps: `(t + 1) / n` of it.

    Args:
        schedule: the learning rate by step.
        steps: the number n of steps.

    References:
        Goyal et al., https://arxiv.org/abs/1706.02677, section 2.2.
    """

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        steps: int,
    ) -> None:
        super().__init__()
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step):
        """Computes the learning rate at a step, float32 `[]`."""
        part = (tf.cast(step, tf.float32) + 1) / self.steps
        return self.schedule(step) * tf.minimum(part, 1.0)

    def get_config(self) -> dict[str, object]:
        """Returns the constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps}

    @classmethod
    def from_config(cls, config):
        """Makes the schedule of `get_config`."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["steps"])


def make_learning_rate(
    config: config_lib.TrainingConfig,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Makes the learning rate of a run, a function of the step.

    A step is a batch, also where gradients of several are accumulated. By
    default it is that of the starter code and the paper at step t, `base *
    decay ^ floor(t * batch_size / decay_examples)`.

    Args:
        config: how the model is trained.

    Returns:
        The schedule.
    """
    base = config.base_learning_rate
    if config.learning_rate_schedule == "cosine":
        schedule = Cosine(
            base,
            config.total_steps - config.warmup_steps,
            config.final_learning_rate_fraction,
            start=config.warmup_steps,
        )
    elif config.learning_rate_schedule == "constant":
        schedule = Constant(base)
    else:
        schedule = keras.optimizers.schedules.ExponentialDecay(
            base,
            decay_steps=config.learning_rate_decay_examples / config.batch_size,
            decay_rate=config.learning_rate_decay,
            staircase=True,
        )
    if config.warmup_steps:
        schedule = WarmUp(schedule, config.warmup_steps)
    return schedule
