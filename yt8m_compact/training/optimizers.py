"""The optimiser of a run, with the levers of its training."""

import keras

from yt8m_compact import layers
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import learning_rates
from yt8m_compact.training import lion
from yt8m_compact.training import muon
from yt8m_compact.training import one_pass_optimizers
from yt8m_compact.training import schedule_free
from yt8m_compact.training import weight_kinds

_OPTIMIZERS = {
    "Adam": one_pass_optimizers.Adam,
    # Keras's AdamW is its Adam with another default.
    "AdamW": one_pass_optimizers.Adam,
    "Lion": lion.Lion,
    "Muon": muon.Muon,
    "ScheduleFreeAdamW": schedule_free.ScheduleFreeAdamW,
    "SGD": one_pass_optimizers.SGD,
    "Momentum": lambda rate, **kwargs: one_pass_optimizers.SGD(
        rate, momentum=0.9, **kwargs
    ),
    "Adagrad": one_pass_optimizers.Adagrad,
    "RMSprop": one_pass_optimizers.RMSprop,
}
# Keras's defaults.
_WEIGHT_DECAY = {"AdamW": 0.004, "Muon": 0.004}


def make_optimizer(
    config: config_lib.TrainingConfig, model: keras.Model | None = None
) -> keras.optimizers.Optimizer:
    """Makes the optimiser of a run.

    Args:
        config: how the model is trained.
        model: the functional model, which says what its weights are: weight
            decay is for kernels, Muon for hidden matrices. None leaves that to
            Keras: all weights decay, and all of two axes are matrices.

    Returns:
        A Keras optimiser, not built yet; for float16, one that scales the loss.

    Raises:
        ValueError: if the optimiser is Muon, and the model has no hidden
            matrices.
    """
    clip_norm = config.clip_gradient_norm or None
    each = config.clip_gradients == "each"
    accumulated = config.gradient_accumulation_steps
    weight_decay = config.weight_decay
    if weight_decay is None:
        weight_decay = _WEIGHT_DECAY.get(config.optimizer)
    optimizer = _OPTIMIZERS[config.optimizer](
        learning_rates.make_learning_rate(config),
        clipnorm=clip_norm if each else None,
        global_clipnorm=None if each else clip_norm,
        weight_decay=weight_decay or None,
        use_ema=config.ema_momentum is not None,
        # Keras's default, which is not used then.
        ema_momentum=0.99
        if config.ema_momentum is None
        else config.ema_momentum,
        gradient_accumulation_steps=accumulated if accumulated > 1 else None,
    )
    if model is not None:
        optimizer.average_too(layers.moving_statistics(model))
        decaying = set(map(id, weight_kinds.kernels(model)))
        optimizer.exclude_from_weight_decay(
            var_list=[
                variable
                for variable in model.trainable_variables
                if id(variable) not in decaying
            ]
        )
        if isinstance(optimizer, muon.Muon):
            matrices = weight_kinds.hidden_matrices(model)
            if not matrices:
                raise ValueError(
                    "expected a model with matrices before its classifier with "
                    "optimizer=Muon, which has steps for these alone. "
                    "Received: optimizer=Muon, a model without; use "
                    "optimizer=AdamW"
                )
            optimizer.use_for(matrices)
    if config.dtype_policy == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def changes_state(name: str, old: object, new: object) -> bool:
    """Says whether a checkpoint has other variables after a change.

    Args:
        name: a setting of `TrainingConfig`.
        old: its value when the checkpoint was saved.
        new: its value now, another one.

    Returns:
        Whether the run can't continue with it.
    """
    if name in ("optimizer", "dtype_policy"):
        return True
    if name == "ema_momentum":
        return old is None or new is None
    # Sums of gradients would be of other numbers of steps.
    return name == "gradient_accumulation_steps"
