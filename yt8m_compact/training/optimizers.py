"""Optimisers and their learning rates."""

import keras

from yt8m_compact.run import config as config_lib
from yt8m_compact.training import one_pass_optimizers

_OPTIMIZERS = {
    "AdamOptimizer": one_pass_optimizers.Adam,
    "AdagradOptimizer": one_pass_optimizers.Adagrad,
    "RMSPropOptimizer": one_pass_optimizers.RMSprop,
    "MomentumOptimizer": lambda rate, **kwargs: one_pass_optimizers.SGD(
        rate, momentum=0.9, **kwargs
    ),
    "GradientDescentOptimizer": one_pass_optimizers.SGD,
}


def make_optimizer(
    config: config_lib.TrainingConfig,
) -> keras.optimizers.Optimizer:
    """Makes the optimiser of a run.

    The learning rate at step t is `base * decay ^ floor(t * batch_size /
    decay_examples)`, as in the starter code and the paper. The gradient of
    each variable is clipped by itself.

    Args:
        config: how the model is trained.

    Returns:
        A Keras optimiser.
    """
    learning_rate = keras.optimizers.schedules.ExponentialDecay(
        config.base_learning_rate,
        decay_steps=config.learning_rate_decay_examples / config.batch_size,
        decay_rate=config.learning_rate_decay,
        staircase=True,
    )
    return _OPTIMIZERS[config.optimizer](
        learning_rate, clipnorm=config.clip_gradient_norm or None
    )
