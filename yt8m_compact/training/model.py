"""The model of a run, compiled for `TrainingStep`."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import mixup
from yt8m_compact.training import optimizers
from yt8m_compact.training import step as step_lib

_SEEDS = 2**32  # of one replica


def make_model(
    config: config_lib.Config,
    priors: np.ndarray | None = None,
    start: Callable[[keras.Model], None] | None = None,
) -> keras.Model:
    """Makes a model for `TrainingStep`, under the strategy in scope.

    Args:
        config: the configuration of the run.
        priors: `[num_classes]`, where the classifier starts, or None.
        start: sets weights, before an optimiser starts from them; or None.

    Returns:
        The model, with the loss and the optimiser of the run, built.
    """
    training = config.training
    model = config.build_model(priors)
    if start is not None:
        start(model)
    model.compile(
        optimizer=optimizers.make_optimizer(training, model),
        loss=models.LabelLoss(training.make_label_loss()),
        jit_compile=_jit_compile(training.jit_compile, model),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def make_augmentation(
    training: config_lib.TrainingConfig,
) -> step_lib.Augmentation | None:
    """Makes what changes the batches of a run before each step, if anything.

    Args:
        training: `mixup_alpha` and `seed`.

    Returns:
        A function for `TrainingStep`, or None.
    """
    if not training.mixup_alpha:
        return None

    def augment(inputs, labels, weights, step):
        return mixup.mix(
            inputs,
            labels,
            weights,
            alpha=training.mixup_alpha,
            seed=training.seed + _SEEDS * ops.replica_index(),
            step=step,
        )

    return augment


def _jit_compile(chosen: bool | None, model: keras.Model) -> bool:
    """Decides whether XLA compiles the whole step, where nobody did.

    Not on a CPU: there the layers have compiled what gains by it, normalisation
    and pooling of frames with the product before it, mixtures, wide products.
    The whole step takes twice the memory, a minute to compile, multiplies dense
    matrices slower, and draws dropout's random numbers anew for each use of
    what was dropped (benchmarks/training_step.py). It can't compile what Keras
    leaves to cuDNN, nor sums over devices.
    """
    if ops.num_replicas() > 1:
        if chosen:
            raise ValueError(
                "expected jit_compile with one device: XLA can't compile sums "
                "over several as part of a step. Received: jit_compile=True, "
                f"{ops.num_replicas()} devices; leave jit_compile out"
            )
        return False
    if chosen is not None:
        return chosen
    if not all(layer.supports_jit for layer in model.layers):
        return False
    devices = map(tf.config.list_logical_devices, ("GPU", "TPU"))
    return any(devices)
