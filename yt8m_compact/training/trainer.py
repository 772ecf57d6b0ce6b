"""A run in training: its model, its position, and its epochs."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import logging
import math
import os
import tempfile
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import checkpoint as run_checkpoint
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import banner
from yt8m_compact.training import batches
from yt8m_compact.training import callbacks
from yt8m_compact.training import data_order
from yt8m_compact.training import data_service
from yt8m_compact.training import divergence
from yt8m_compact.training import evaluations
from yt8m_compact.training import hyperparameters
from yt8m_compact.training import model as model_lib
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import profiler as profiler_lib
from yt8m_compact.training import pruning as pruning_lib
from yt8m_compact.training import run_page
from yt8m_compact.training import step as step_lib
from yt8m_compact.training import strategies
from yt8m_compact.training import teachers as teachers_lib
from yt8m_compact.training import user_callbacks
from yt8m_compact.training import validation as validation_lib
from yt8m_compact.training import warm_start as warm_start_lib

# A call of the step should take so long: long enough that what comes between
# two calls costs nothing, and short enough that a progress bar moves.
_SECONDS_OF_CALL = 0.1
# In a call where a step is looked for; so many, since Ctrl-C is taken between.
_STEPS_TAKEN_AGAIN = 10

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """How a call of `train` ended.

    Example:
        >>> result = yt8m.training.TrainingResult(
        ...     step=20, epoch=2, checkpoint="runs/a/checkpoints/model.ckpt-20"
        ... )
        >>> result.signal_number is None, result.stopped_early
        (True, False)

    Attributes:
        step: steps done, by this call and those before.
        epoch: epochs done.
        checkpoint: path of the last checkpoint.
        signal_number: the signal that stopped the run, or None.
        skipped: what was left out of the data; None where damaged data stops
            the run.
        warm_start: what became of the weights of `init_from`; None without, and
            where the run was continued.
        best: the evaluation of the best checkpoint, where one is kept.
        stopped_early: whether `early_stopping` ended the run.
    """

    step: int
    epoch: int
    checkpoint: str
    signal_number: int | None = None
    skipped: readers.SkippedData | None = None
    warm_start: warm_start_lib.WarmStartReport | None = None
    best: evaluations.Evaluation | None = None
    stopped_early: bool = False


@dataclasses.dataclass(frozen=True)
class Watching:
    """What is done beside the steps, by others than `training`.

    Example:
        >>> def log(config):
        ...     return keras.callbacks.CSVLogger("log.csv")
        >>> watching = yt8m.training.Watching(
        ...     make_callbacks=[log], profile=(11, 20)
        ... )
        >>> len(watching.make_callbacks), watching.profile
        (1, (11, 20))

    Attributes:
        evaluate: evaluates the checkpoint of a step on `eval_data_pattern`.
        describe: writes the weights of a model as a table, for TensorBoard.
        summarize: says in a few words how many weights a model has; their
            number alone is shown if None.
        make_callbacks: functions that make callbacks, as `fit` takes them, of
            the configuration; in each worker.
        profile: the first and the last step to profile.
    """

    evaluate: validation_lib.Evaluate | None = None
    describe: Callable[[keras.Model], str] | None = None
    summarize: Callable[[keras.Model], str] | None = None
    make_callbacks: Sequence[user_callbacks.CallbackMaker] = ()
    profile: tuple[int, int] | None = None


class Trainer:
    """The model, the optimiser and the position of a run, in one worker."""

    def __init__(
        self,
        config: config_lib.Config,
        run: train_dir_lib.TrainDir,
        workers: strategies.Workers,
        reader: readers.Reader,
        files: list[str],
        skipped: readers.SkippedData | None,
        watching: Watching,
        eval_files: Sequence[str] | None,
        teachers: teachers_lib.Teachers | None,
        lock: run_lock.RunLock | None = None,
        priors: np.ndarray | None = None,
        start: warm_start_lib.Start | None = None,
    ) -> None:
        self._skipped = skipped
        self._teachers = teachers
        self._start = start
        self._watching = watching
        self._lock = lock
        self._config = config
        self._run = run
        self._workers = workers
        self._reader = reader
        self._files = files
        self._eval_files = eval_files
        self._num_shards = data_order.num_shards(
            config.training, workers.number
        )
        self.position = position_lib.Position()
        with workers.strategy.scope():
            self.model = model_lib.make_model(config, priors, start)
            pruning = pruning_lib.make_pruning(config.training, self.model)
        self._step = step_lib.TrainingStep(
            self.model,
            self.position,
            workers.strategy,
            config.training.batch_size if self._num_shards > 1 else None,
            model_lib.make_augmentation(config.training),
            # Those who write them.
            config.training.log_steps if workers.is_chief else None,
            teachers,
            pruning,
        )
        if pruning is not None:
            _LOGGER.info(
                "pruning to a density of %g until step %d: %s",
                config.training.pruning_density,
                config.training.pruned_at_step,
                ", ".join(pruning.names),
            )
        self._validation: validation_lib.Validation | None = None
        if eval_files is not None:
            self._validation = validation_lib.Validation(
                config.training, run, eval_files, workers, watching.evaluate
            )
        # What the last evaluation of the epoch found, for callbacks.
        self._validation_logs: dict[str, float] = {}
        self._profiler: profiler_lib.Profiler | None = None
        self._step_by_step = False
        self._asked_to_stop = False
        self._call_start = 0
        self._stop = callbacks.GracefulStop()
        self._seconds: float | None = None
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
        self._best_manager = run.best_manager(self._checkpoint.checkpoint)

    def start(self) -> None:
        """Starts a run or continues it, as the worker that writes it."""
        if self._run.checkpoints():
            self.restore(self._run.find_checkpoint())
            self._run.save_config(self._config)
        else:
            self._run.save_config(self._config)
            self.save()
        self._workers.share([int(self.position.step)])

    def follow_chief(self) -> None:
        """Starts where the worker that writes the run has started."""
        step = round(self._workers.share([0])[0])
        self._workers.wait_for_checkpoint(self._run, step)
        saved = self._run.load_config()
        changed = config_lib.differences(saved, self._config)
        if changed:
            texts = ", ".join(
                f"{name}: {chief!r} -> {own!r}"
                for name, (chief, own) in changed.items()
            )
            raise ValueError(
                "expected the same settings in all workers. Received: "
                f"{texts} in worker {self._workers.index}"
            )
        self.restore(self._run.find_checkpoint(step))

    def restore(self, path: str) -> None:
        """Continues from a checkpoint."""
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
        return data_order.describe_order(
            self._config.training, self._files, self._num_shards
        )

    def save(self) -> None:
        """Saves a checkpoint; those before stay if that fails."""
        if self.position.as_tuple() == self._saved_position:
            return
        self._check_finite()
        if self._lock is None:  # The chief writes for all.
            self._saved_position = self.position.as_tuple()
            return
        # The end of an epoch may come with the step of a checkpoint: it is
        # written again, or continuing would go through the epoch's data once
        # more to find nothing left.
        self._write(self._manager)
        self._saved_position = self.position.as_tuple()

    def _write(self, manager: tf.train.CheckpointManager) -> None:
        """Writes a checkpoint of this step."""
        step = int(self.position.step)
        self._lock.check()
        try:
            manager.save(checkpoint_number=step)
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
                f"{manager.directory}: expected to write the "
                f"checkpoint of step {step}. Received: "
                f"{tensorflow_errors.first_line(str(error))}. {whole}; make "
                "room and run the same command to continue"
            ) from error

    def _check_finite(self) -> None:
        # The loss was that of the weights before the step.
        path = self._find_infinite_weight()
        if path is not None:
            step = int(self.position.step)
            raise position_lib.divergence_error(
                f"weights={path}", step, self._last_saved(), self._find_cause()
            )

    def _find_infinite_weight(self) -> str | None:
        for weight in self.model.weights:
            if not weight.value.dtype.is_floating:
                continue  # Permutations, which have no NaN to look for.
            if not tf.reduce_all(tf.math.is_finite(weight.value)):
                return weight.path
        return None

    def _find_cause(self) -> str:
        """Takes the last steps again, to what was first not finite.

        From the last checkpoint, in the same order; so the steps themselves
        need not look for anything. Not where several replicas share a batch.

        Returns:
            The step, the layer and the videos, to go on the error's first
            half; nothing where it was not found.
        """
        if self._workers.strategy.num_replicas_in_sync > 1:
            return ""
        target = int(self.position.step)
        path = self._run.find_checkpoint()
        self._checkpoint.restore(path)
        if self._saved_order.numpy().decode() != self._order():
            self.position.examples.assign(0)  # As when the run continued.
        first, epoch, examples = self.position.as_tuple()
        _LOGGER.warning(
            "the loss or a weight is not finite any more; to see since when, "
            "steps %d to %d are taken again. Ctrl-C leaves that out",
            first + 1,
            target,
        )
        call_start = max(first, self._call_start)
        data = (self._reader, self._files, self._config.training, self._workers)
        rest = {
            "epoch": epoch,
            "skip_examples": examples,
            "skipped": None if self._skipped is None else readers.SkippedData(),
            "teachers": self._teachers,
        }
        records = batches.read(*data, **rest)
        iterator = iter(batches.distribute(records, self._workers))
        with tempfile.TemporaryDirectory() as folder:
            before = os.path.join(folder, "before")
            while (step := int(self.position.step)) < call_start:
                if self._stop.signal_number is not None:
                    return ""
                limit = min(_STEPS_TAKEN_AGAIN, call_start - step)
                if not self._step.run(iterator, limit):
                    return ""
            for batch in records.skip(call_start - first).take(
                target - call_start
            ):
                if self._stop.signal_number is not None:
                    return ""
                self._checkpoint.checkpoint.write(before)
                self._step.reset_metrics()
                self._step.run(iterator, 1)
                if (
                    math.isfinite(self._step.logs()["loss"])
                    and self._find_infinite_weight() is None
                ):
                    continue
                step = int(self.position.step)
                self._checkpoint.checkpoint.read(before).expect_partial()
                cause = divergence.find_cause(
                    self.model,
                    batch,
                    self._config.training.make_label_loss(),
                )
                return f"; not finite first at step {step}: {cause}"
        return ""

    def _last_saved(self) -> int | None:
        return max(self._run.checkpoints(), default=None)

    def run_epochs(self) -> TrainingResult:
        """Trains from the current position to the end."""
        position, stop = self.position, self._stop
        self.model.stop_training = False
        with contextlib.ExitStack() as closing:
            callback_list = self._make_callbacks(closing)
            if self._workers.is_chief and self._unfinished():
                self._introduce()
            closing.enter_context(stop)
            closing.enter_context(readers.readable_errors())
            callback_list.on_train_begin()
            if self._validation is not None:
                self._validation.start(int(position.step))
                # The run may have been stopped before it evaluated.
                self._validate_if_due(callback_list)
            while self._unfinished() and not self._workers.any(
                self.model.stop_training
            ):
                self._run_epoch(callback_list)
            callback_list.on_train_end(self._step.epoch_logs())
        self._workers.wait_for_all()  # The chief has saved what it says.
        return TrainingResult(
            step=int(position.step),
            epoch=int(position.epoch),
            checkpoint=self._run.find_checkpoint(),
            signal_number=stop.signal_number,
            skipped=self._skipped,
            warm_start=self._start and self._start.report,
            best=self._validation and self._validation.best,
            stopped_early=self._stops_early(),
        )

    def _introduce(self) -> None:
        """Says what is trained on what, before the first step."""
        summarize = self._watching.summarize
        weights = (
            f"{self.model.count_params():,} parameters"
            if summarize is None
            else summarize(self.model)
        )
        text = banner.describe_run(
            self._config,
            train_dir=self._run.path,
            weights=weights,
            files=self._files,
            eval_files=self._eval_files,
            device=banner.describe_device(self._workers),
            is_compiled=self.model.jit_compile,
            position=self.position.as_tuple(),
        )
        _LOGGER.info("%s", text)

    def _make_callbacks(
        self, closing: contextlib.ExitStack
    ) -> keras.callbacks.CallbackList:
        """Makes what happens beside the steps."""
        training, describe = self._config.training, self._watching.describe
        own = [
            callbacks.DivergenceGuard(
                self.position, self._last_saved, self._find_cause
            )
        ]
        if self._workers.is_chief:
            logger = callbacks.TensorBoardLogger(
                self._run.events_path("train"),
                self._config,
                self.position,
                self._step,
                self._skipped,
                describe(self.model) if describe is not None else "",
                run_page.describe_run(
                    self._config,
                    self._files,
                    self._eval_files,
                    self._workers.strategy,
                    int(self.position.step),
                ),
            )
            closing.callback(logger.close)
            closing.enter_context(
                hyperparameters.writing(self._config, self._run)
            )
            own += [
                callbacks.ProgressBar(self.position, training, self._files),
                logger,
            ]
            if self._watching.profile is not None:
                self._profiler = profiler_lib.Profiler(
                    self._watching.profile,
                    self.position,
                    self._run.events_path("train"),
                )
                closing.callback(self._profiler.close)
                own.append(self._profiler)
        users = user_callbacks.make_callbacks(
            self._watching.make_callbacks, self._config
        )
        self._step_by_step = any(map(user_callbacks.looks_at_steps, users))
        own += users
        return keras.callbacks.CallbackList(
            own,
            add_history=True,
            model=self.model,
            epochs=training.num_epochs,
            steps=None,
            verbose=0,
        )

    def _validate_if_due(
        self, callback_list: keras.callbacks.CallbackList
    ) -> None:
        """Evaluates the checkpoint of this step, and keeps the best one."""
        if self._validation is None or not self._validation.is_due(
            self.position, not self._unfinished()
        ):
            return
        step = int(self.position.step)
        self.save()
        callback_list.on_test_begin()
        metrics = self._validation.evaluate(step)
        if self._lock is not None and self._validation.is_best(step):
            self._write(self._best_manager)
        # Last: what is not in the file is evaluated again.
        self._validation.save()
        callback_list.on_test_end(metrics)
        self._validation_logs = {
            f"val_{name}": value for name, value in metrics.items()
        }

    def _stops_early(self) -> bool:
        return self._validation is not None and self._validation.stops

    def _unfinished(self) -> bool:
        training = self._config.training
        return (
            self._steps_left() > 0
            and not self._stops_early()
            and int(self.position.epoch) < training.num_epochs
        )

    def _steps_left(self) -> float:
        most = self._config.training.max_steps
        return math.inf if most is None else most - int(self.position.step)

    def _run_epoch(
        self,
        callback_list: keras.callbacks.CallbackList,
    ) -> None:
        training = self._config.training
        step, epoch, examples = self.position.as_tuple()
        # Of the files as they are read now; they may have changed since the
        # last epoch.
        self._saved_order.assign(self._order())
        dataset = batches.read(
            self._reader,
            self._files,
            training,
            self._workers,
            epoch=epoch,
            skip_examples=examples,
            skipped=self._skipped,
            teachers=self._teachers,
        )
        self._step.start_epoch()
        self._validation_logs = {}
        callback_list.on_epoch_begin(epoch)
        iterator = iter(batches.distribute(dataset, self._workers))
        self._train_on(iterator, callback_list)
        if not self.model.stop_training:
            if not examples and int(self.position.step) == step:
                self._raise_no_batch()
            self.position.set(int(self.position.step), epoch + 1, 0)
        self.save()
        if not self._is_asked_to_stop():
            self._validate_if_due(callback_list)
        callback_list.on_epoch_end(
            epoch, {**self._step.epoch_logs(), **self._validation_logs}
        )

    def _train_on(
        self,
        iterator: Iterator[Any],
        callback_list: keras.callbacks.CallbackList,
    ) -> None:
        """Trains to the end of the data, or until someone ends it."""
        training = self._config.training
        batch = 0
        while not self.model.stop_training:
            limit = self._steps_of_call()
            callback_list.on_train_batch_begin(batch)
            self._call_start = int(self.position.step)
            start = time.perf_counter()
            try:
                done = self._step.run(iterator, limit, self._wants_to_stop())
            except tf.errors.OpError as error:
                if not data_service.is_stopped(error):
                    raise
                self.model.stop_training = True  # as the signal asks for
                return
            if not done:
                return
            self._seconds = (time.perf_counter() - start) / done
            batch += done
            callback_list.on_train_batch_end(batch - 1, self._step.logs())
            if self._workers.number > 1 and self.model.stop_training:
                # All end after the same step, the next one.
                self._asked_to_stop = True
                self.model.stop_training = False
            step = int(self.position.step)
            if step % training.checkpoint_steps == 0:
                self.save()
            if self._is_asked_to_stop():
                self.model.stop_training = True
                return
            if training.eval_steps and step % training.eval_steps == 0:
                self._validate_if_due(callback_list)
            if self._stops_early() or self._steps_left() <= 0:
                self.model.stop_training = True

    def _wants_to_stop(self) -> bool:
        """Whether someone asked this worker to stop."""
        return self._stop.signal_number is not None or self._asked_to_stop

    def _is_asked_to_stop(self) -> bool:
        """Whether someone asked any worker to stop, before the last step."""
        if self._workers.number > 1:
            return self._step.stopping
        return self._wants_to_stop()

    def _steps_of_call(self) -> int:
        """Returns how many steps to do before anyone looks."""
        if self._seconds is None or self._workers.number > 1:
            return 1
        if self._step_by_step:
            return 1
        training = self._config.training
        step = int(self.position.step)
        every = [training.log_steps, training.checkpoint_steps]
        if self._validation is not None and training.eval_steps:
            every.append(training.eval_steps)
        profiler = self._profiler and self._profiler.steps_to_edge(step)
        return int(
            min(
                max(1, _SECONDS_OF_CALL // self._seconds),
                *(number - step % number for number in every),
                profiler or math.inf,
                self._steps_left(),
            )
        )

    def _raise_no_batch(self) -> None:
        left_out = self._skipped.to_text() if self._skipped else "none"
        raise readers.DataError(
            f"{self._files[0]}: expected at least one record to train on. "
            f"Received:\n{left_out}"
        )
