"""The training loop: from a configuration to checkpoints."""

from collections.abc import Callable, Mapping
import dataclasses
import logging
import os
from typing import Any
import warnings

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import checkpoint as run_checkpoint
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import callbacks
from yt8m_compact.training import class_priors
from yt8m_compact.training import data_order
from yt8m_compact.training import mixup
from yt8m_compact.training import optimizers
from yt8m_compact.training import ranking_metric

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """How a call of `train` ended.

    Attributes:
        step: steps done, by this call and those before.
        epoch: epochs done.
        checkpoint: path of the last checkpoint.
        signal_number: the signal that stopped the run, or None.
        skipped: what was left out of the data; None where damaged data stops
            the run.
    """

    step: int
    epoch: int
    checkpoint: str
    signal_number: int | None = None
    skipped: readers.SkippedData | None = None


def train(
    config: config_lib.Config,
    train_dir: str,
    *,
    start_new_model: bool = False,
) -> TrainingResult:
    """Trains a model, or continues a run that was stopped.

    A run that continues gives the weights that it would have given without
    the stop: the checkpoint holds its place in the data, and the order of
    the data follows from the seed and the epoch.

    Args:
        config: the configuration. Data and model must be those of the run in
            `train_dir`, if there is one; training settings may differ.
        train_dir: the folder of the run.
        start_new_model: whether a run that is there is moved aside first.

    Returns:
        How it ended.

    Raises:
        ValueError: if the model has a setting that is not used, the
            configuration does not fit the run in `train_dir`, or the loss stops
            being a number.
        DataError: if the data is missing or broken.
        OSError: if a checkpoint can't be written, or another process trains in
            `train_dir`.
    """
    config.model.check_options()
    reader = config.reader(training=True)
    files = readers.expand_patterns(config.training.train_data_pattern)
    skipped = None
    if config.training.on_data_error == "skip":
        skipped = readers.SkippedData()
    readers.check_format(
        files,
        reader,
        require_labels=not config.data.segment_labels,
        skipped=skipped,
    )
    lack = readers.describe_lack(
        reader,
        files,
        config.training.batch_size,
        config.training.shuffle_buffer,
    )
    if lack is not None:
        _LOGGER.warning("%s", lack)
    run = train_dir_lib.TrainDir(train_dir)
    # Nothing is read or moved that another trainer may be changing.
    with run_lock.RunLock(run.path) as lock:
        if start_new_model and (run.exists() or run.checkpoints()):
            _check_movable(run, files)
            moved = run.move_away()
            lock.follow(moved)
            _LOGGER.info("moved %s to %s", run.path, moved)
        run.remove_leftovers()
        return _train_in(run, lock, config, reader, files, skipped)


def _train_in(
    run: train_dir_lib.TrainDir,
    lock: run_lock.RunLock,
    config: config_lib.Config,
    reader: readers.Reader,
    files: list[str],
    skipped: readers.SkippedData | None,
) -> TrainingResult:
    """Trains in a folder that no one else trains in."""
    _check_resumable(config, run)
    keras.utils.set_random_seed(config.training.seed)
    priors = None
    if config.training.classifier_bias == "log_odds" and not run.checkpoints():
        priors = class_priors.count_class_priors(
            reader,
            files,
            config.training.bias_examples,
            config.training.seed,
            skipped,
        )
    trainer = _Trainer(config, run, lock, reader, files, skipped, priors)
    if run.checkpoints():
        trainer.restore()
        run.save_config(config)
    else:
        run.save_config(config)
        trainer.save()
    return trainer.run_epochs()


def _check_movable(run: train_dir_lib.TrainDir, files: list[str]) -> None:
    """Refuses to move the data away together with the run."""
    moved = [run.path] if run.can_be_renamed() else run.own_paths()
    folders = tuple(os.path.join(os.path.realpath(p), "") for p in moved)
    for file in files:
        if os.path.realpath(file).startswith(folders):
            raise ValueError(
                f"{run.path}: expected a run without the data to train on, to "
                f"move it aside. Received: {file} in it; choose another "
                "train_dir"
            )


def _check_resumable(
    config: config_lib.Config, run: train_dir_lib.TrainDir
) -> None:
    """Compares with the run that is there, and says which settings changed."""
    if not run.exists():
        if run.checkpoints():
            raise ValueError(
                f"{run.path}: expected {train_dir_lib.CONFIG_FILE} beside the "
                "checkpoints. Received: none; choose another train_dir, or "
                "start_new_model=True to move this one aside"
            )
        return
    saved = run.load_config()
    if run.checkpoints():
        run.check_fits(saved, run.find_checkpoint())
    changed = config_lib.differences(saved, config)
    texts = {
        name: f"{name}: {old!r} -> {new!r}"
        for name, (old, new) in changed.items()
    }
    fatal = [
        text
        for name, text in texts.items()
        # A checkpoint holds what one optimiser needs, and no other.
        if not name.startswith("training.")
        or optimizers.changes_state(
            name.removeprefix("training."), *changed[name]
        )
    ]
    if fatal and run.checkpoints():
        raise ValueError(
            f"{run.config_path}: expected the data, the model and the "
            f"optimiser of the run that is there. Received: {'; '.join(fatal)}"
            ". Use the same settings to continue it, another train_dir, or "
            "start_new_model=True"
        )
    for text in texts.values():
        _LOGGER.info("changed since the last start: %s", text)


class _Trainer:
    """The model, the optimiser and the place of a run."""

    def __init__(
        self,
        config: config_lib.Config,
        run: train_dir_lib.TrainDir,
        lock: run_lock.RunLock,
        reader: readers.Reader,
        files: list[str],
        skipped: readers.SkippedData | None,
        priors: np.ndarray | None,
    ) -> None:
        self._skipped = skipped
        self._lock = lock
        self._config = config
        self._run = run
        self._reader = reader
        self._files = files
        self.position = callbacks.Position()
        self.model = make_model(config, self.position, priors)
        self._saved_position: tuple[int, int, int] | None = None
        with tf.device("CPU:0"):  # where strings can be
            self._saved_config = tf.Variable(config.to_json())
            self._saved_order = tf.Variable(self._order())
        self._checkpoint = run_checkpoint.RunCheckpoint(
            self.model,
            {
                "step": self.position.step,
                "epoch": self.position.epoch,
                "examples": self.position.examples,
                "config": self._saved_config,
                "order": self._saved_order,
            },
            self.model.optimizer,
        )
        self._manager = run.checkpoint_manager(
            self._checkpoint.checkpoint, config.training.keep_checkpoints
        )

    def restore(self) -> None:
        """Continues from the newest checkpoint."""
        path = self._run.find_checkpoint()
        order = self._order()
        self._checkpoint.restore(path)
        _LOGGER.info(
            "continue from step %d (epoch %d, video %d of it): %s",
            int(self.position.step),
            int(self.position.epoch) + 1,
            int(self.position.examples),
            path,
        )
        self._saved_position = self.position.as_tuple()
        self._saved_config.assign(self._config.to_json())
        changes = data_order.order_changes(
            self._saved_order.numpy().decode(), order
        )
        self._saved_order.assign(order)
        if not changes:
            return
        text = "; ".join(changes)
        if int(self.position.examples):
            _LOGGER.info(
                "the data's order changed: the epoch starts again (%s)", text
            )
            self.position.examples.assign(0)
        else:
            _LOGGER.info("the data's order changed (%s)", text)

    def _order(self) -> str:
        """Describes the order of the records.

        It is in the checkpoints: with another order, an epoch that was
        stopped can't go on where it was.
        """
        return data_order.describe_order(self._config.training, self._files)

    def save(self) -> None:
        """Saves a checkpoint; those before stay if that fails."""
        step = int(self.position.step)
        if self.position.as_tuple() == self._saved_position:
            return
        self._check_finite()
        self._lock.check()
        try:
            # The end of an epoch may come with the step of a checkpoint: it
            # is written again, or continuing would go through the epoch's
            # data once more to find nothing left.
            self._manager.save(checkpoint_number=step)
        except (tf.errors.OpError, OSError) as error:
            # This step may have had one, which is not whole any more.
            steps = set(self._run.checkpoints()) - {step}
            last = max(steps, default=None)
            whole = (
                "There is none yet"
                if last is None
                else f"The checkpoint of step {last} is whole"
            )
            raise OSError(
                f"{self._run.checkpoints_path}: expected to write the "
                f"checkpoint of step {step}. Received: "
                f"{tensorflow_errors.first_line(str(error))}. {whole}; make "
                "room and run the same command to continue"
            ) from error
        self._saved_position = self.position.as_tuple()

    def _check_finite(self) -> None:
        # The loss was that of the weights before the step.
        for weight in self.model.weights:
            if not weight.value.dtype.is_floating:
                continue  # Permutations, which have no NaN to look for.
            if not tf.reduce_all(tf.math.is_finite(weight.value)):
                raise callbacks.divergence_error(
                    f"weights={weight.path}",
                    self.position,
                    self._last_saved(),
                )

    def _last_saved(self) -> int | None:
        return max(self._run.checkpoints(), default=None)

    def run_epochs(self) -> TrainingResult:
        """Trains from the current position to the end."""
        training = self._config.training
        position = self.position
        logger = callbacks.TensorBoardLogger(
            self._run.events_path("train"),
            self._config,
            position,
            self._skipped,
        )
        stop = callbacks.GracefulStop()
        steps = [
            callbacks.PositionKeeper(position, training.max_steps),
            callbacks.DivergenceGuard(position, self._last_saved),
            callbacks.ProgressBar(position, training.num_epochs, self._files),
            logger,
            callbacks.Checkpointer(
                self.save, position, training.checkpoint_steps
            ),
            stop,
        ]
        try:
            with stop, readers.readable_errors():
                while self._unfinished(stop):
                    self._run_epoch(steps)
        finally:
            logger.close()
        return TrainingResult(
            step=int(position.step),
            epoch=int(position.epoch),
            checkpoint=self._run.find_checkpoint(),
            signal_number=stop.signal_number,
            skipped=self._skipped,
        )

    def _unfinished(self, stop: callbacks.GracefulStop) -> bool:
        training = self._config.training
        steps_left = (
            training.max_steps is None
            or int(self.position.step) < training.max_steps
        )
        return (
            steps_left
            and int(self.position.epoch) < training.num_epochs
            and stop.signal_number is None
        )

    def _run_epoch(self, steps: list[keras.callbacks.Callback]) -> None:
        training = self._config.training
        step, epoch, examples = self.position.as_tuple()
        # Of the files as they are read now; they may have changed since the
        # last epoch.
        self._saved_order.assign(self._order())
        dataset = readers.make_dataset(
            self._reader,
            self._files,
            batch_size=training.batch_size,
            shuffle_buffer=training.shuffle_buffer,
            seed=training.seed,
            epoch=epoch,
            skip_examples=examples,
            num_readers=training.num_readers,
            skipped=self._skipped,
            count_records=True,
        ).map(_to_keras_and_place)
        fit_epoch(self.model, dataset, epoch, steps)
        if not self.model.stop_training:
            if not examples and int(self.position.step) == step:
                self._raise_no_batch()
            self.position.set(int(self.position.step), epoch + 1, 0)
        self.save()

    def _raise_no_batch(self) -> None:
        left_out = self._skipped.to_text() if self._skipped else "none"
        raise readers.DataError(
            f"{self._files[0]}: expected at least one record to train on. "
            f"Received:\n{left_out}"
        )


def make_model(
    config: config_lib.Config,
    position: callbacks.Position,
    priors: np.ndarray | None = None,
) -> keras.Model:
    """Makes a model that `fit_epoch` trains.

    Args:
        config: the configuration of the run.
        position: where a step writes how many records were read.
        priors: `[num_classes]`, where the classifier starts, or None.

    Returns:
        The model, with the loss, the optimiser and the metrics of the run.
    """
    training = config.training
    model = config.build_model(priors)
    model.compile(
        optimizer=optimizers.make_optimizer(training, model),
        loss=models.LabelLoss(training.make_label_loss()),
        weighted_metrics=[
            ranking_metric.RankingMetric(ops.batch_gap, "gap"),
            ranking_metric.RankingMetric(ops.batch_hit_at_1, "hit_at_1"),
        ],
        jit_compile=_jit_compile(training.jit_compile, model),
    )
    model.optimizer.build(model.trainable_variables)
    _build_metrics(model, config.data)
    model.train_step = _counting_step(model, position, training)
    return model


def fit_epoch(
    model: keras.Model,
    dataset: tf.data.Dataset,
    epoch: int,
    steps: list[keras.callbacks.Callback],
) -> None:
    """Trains on what is left of an epoch.

    Args:
        model: from `make_model`.
        dataset: batches, and how many records were read up to each:
            `((inputs, labels, ...), records_read)`.
        epoch: which epoch it is, from 0.
        steps: what happens beside the steps.
    """
    with warnings.catch_warnings():
        # The number of records is not known before they were read.
        warnings.filterwarnings("ignore", "Your input ran out of data")
        model.fit(
            dataset,
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=steps,
            shuffle=False,
            verbose=0,
        )


def _counting_step(
    model: keras.Model,
    position: callbacks.Position,
    training: config_lib.TrainingConfig,
) -> Callable[[tuple], dict[str, tf.Tensor]]:
    """Makes a training step that says how far in the data it was.

    Steps can't be counted for that: a batch may have lost records, and one
    that has lost all of them is not trained on.
    """
    train_step = model.train_step

    def train_and_count(data: tuple) -> dict[str, tf.Tensor]:
        batch, records_read = data
        if training.mixup_alpha:
            inputs, labels, *weights = batch
            batch = mixup.mix(
                inputs,
                labels,
                weights[0] if weights else None,
                alpha=training.mixup_alpha,
                seed=training.seed,
                step=position.step,
            )
        logs = train_step(batch)
        position.examples.assign(records_read)
        return logs

    return train_and_count


def _build_metrics(model: keras.Model, data: config_lib.DataConfig) -> None:
    """Makes the variables of metrics, for which Keras would read a batch.

    It would fill the buffer of shuffling once more, and fail where nothing but
    damaged records is left of an epoch.
    """
    labels = tf.zeros([1, data.num_classes])
    weights = tf.ones_like(labels) if data.segment_labels else None
    # In training, a model may compare with what it has just computed.
    model.compute_loss(
        y=labels, y_pred=labels, sample_weight=weights, training=False
    )
    model.compute_metrics(None, labels, labels, weights)
    model.reset_metrics()


def _jit_compile(chosen: bool | None, model: keras.Model) -> bool:
    """Decides whether XLA compiles the whole step, where nobody did.

    Not on a CPU: there the layers have compiled what gains by it, products of
    large compact projections, normalisation and pooling of frames, mixtures.
    The whole step takes twice the memory, a minute to compile, multiplies dense
    matrices slower, and draws dropout's random numbers anew for each use of
    what was dropped (benchmarks/training_step.py). It can't compile what Keras
    leaves to cuDNN.
    """
    if chosen is not None:
        return chosen
    if not all(layer.supports_jit for layer in model.layers):
        return False
    devices = map(tf.config.list_logical_devices, ("GPU", "TPU"))
    return any(devices)


def _to_keras_and_place(
    batch: Mapping[str, Any],
) -> tuple[tuple[Any, ...], tf.Tensor]:
    """Makes what Keras trains on (inputs, labels, weights), and the place."""
    inputs = {
        name: batch[name]
        for name in ("features", "frames", "num_frames")
        if name in batch
    }
    weights = [batch["label_weights"]] if "label_weights" in batch else []
    return (inputs, batch["labels"], *weights), batch["records_read"]
