"""Reads the weights that were chosen from the checkpoints of a run."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.run import checkpoint as run_checkpoint
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import packed_weights
from yt8m_compact.run import weight_choice


def restore(
    model: keras.Model,
    config: config_lib.Config,
    paths: Sequence[str],
    choice: weight_choice.WeightChoice = weight_choice.RAW,
) -> int:
    """Reads weights into a model.

    Those of a run with `ScheduleFreeAdamW` are the average that it keeps, in
    any case: the others are where gradients are taken, and not for predicting.

    Moving statistics of batch normalisation go with what they belong to: with
    the moving average of the weights, theirs, which older checkpoints do not
    have; with the mean of checkpoints, the mean of theirs.

    Args:
        model: the model to fill.
        config: the run's configuration.
        paths: the checkpoints that the choice needs, the newest one last.
        choice: which weights.

    Returns:
        The step of the newest checkpoint.

    Raises:
        ValueError: if a checkpoint is broken or of another model, or holds no
            moving average.
    """
    if choice.ema and config.training.ema_momentum is None:
        raise ValueError(
            f"{paths[-1]}: expected a run with ema_momentum, which keeps the "
            "moving average of its weights, for weights=ema. Received: "
            "ema_momentum=None; use weights=raw or average:N, or train with "
            "--ema_momentum=0.999"
        )
    if paths[0].endswith(packed_weights.SUFFIX):
        return packed_weights.read(model, paths[0])
    if len(paths) == 1:
        return _restore_one(model, config, paths[0], choice)
    sums: list[np.ndarray] | None = None
    floats = [
        variable
        for variable in model.weights
        if variable.value.dtype.is_floating  # The others are not trained.
    ]
    for path in paths:
        step = _restore_one(model, config, path, choice)
        values = [variable.numpy().astype(np.float64) for variable in floats]
        if sums is None:
            sums = values
        else:
            for total, value in zip(sums, values, strict=True):
                total += value
    for variable, total in zip(floats, sums, strict=True):
        variable.assign(total / len(paths))
    return step


def _restore_one(
    model: keras.Model,
    config: config_lib.Config,
    path: str,
    choice: weight_choice.WeightChoice,
) -> int:
    step = tf.Variable(0, dtype=tf.int64)
    run_checkpoint.RunCheckpoint(model, {"step": step}).restore(path)
    trained = model.trainable_variables
    if choice.ema:
        averaged = [*trained]
        statistics = layers.moving_statistics(model)
        if run_checkpoint.has_slots(path, statistics, "average"):
            averaged += statistics
        averages = run_checkpoint.read_slots(path, averaged, "average")
        for variable, average in zip(averaged, averages, strict=True):
            variable.assign(average)
    elif config.training.optimizer == "ScheduleFreeAdamW":
        beta = weight_choice.SCHEDULE_FREE_BETA
        slots = run_checkpoint.read_slots(path, trained, "momentum")
        for variable, slot in zip(trained, slots, strict=True):
            variable.assign((variable.numpy() - (1 - beta) * slot) / beta)
    return int(step.numpy())  # `int` takes no mirrored variable.
