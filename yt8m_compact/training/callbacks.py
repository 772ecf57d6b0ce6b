"""What happens beside the steps: progress, TensorBoard, checkpoints."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import logging
import math
import signal
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import event_tags
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import step as step_lib

_LOGGER = logging.getLogger(__name__)


class DivergenceGuard(keras.callbacks.Callback):
    """Stops a run whose loss is not a number, before it is saved.

    Args:
        position: where the run is.
        last_saved: tells the step of the last checkpoint.
        find_cause: looks for what was first not finite.
    """

    def __init__(
        self,
        position: position_lib.Position,
        last_saved: Callable[[], int | None],
        find_cause: Callable[[], str] = str,
    ) -> None:
        super().__init__()
        self._position = position
        self._last_saved = last_saved
        self._find_cause = find_cause

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            step = int(self._position.step)
            raise position_lib.divergence_error(
                f"loss={loss}", step, self._last_saved(), self._find_cause()
            )


class ProgressBar(keras.callbacks.Callback):
    """Shows each epoch as a bar; without a terminal, a line now and then.

    Args:
        position: where the run is.
        training: the settings: how many epochs and steps there will be.
        files: what is read.
    """

    def __init__(
        self,
        position: position_lib.Position,
        training: config_lib.TrainingConfig,
        files: Sequence[str],
    ) -> None:
        super().__init__()
        self._position = position
        self._training = training
        self._files = files
        self._num_examples: int | None = None
        self._done = 0
        self._name = ""
        self._bar = None
        self._text = ""
        self._clock = progress.Clock()
        self._test_start = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self._name = f"epoch {epoch + 1}/{self._training.num_epochs}"
        step, _, examples = self._position.as_tuple()
        most = self._training.max_steps
        if most is not None:
            most = examples + (most - step) * self._training.batch_size
        self._bar = progress.video_bar(
            self._name,
            self._files,
            total=self._num_examples,
            most=most,
            initial=examples,
            clock=self._clock,
            with_metrics=True,
        )

    def on_train_batch_end(self, batch, logs=None):
        self._text = progress.metrics_text(logs)
        if isinstance(self._bar, progress.Lines):
            self._text = f"step {int(self._position.step):,}, {self._text}"
        self._bar.set_postfix_str(self._text, refresh=False)
        self._done = int(self._position.examples)
        self._bar.update(self._done - self._bar.n)

    def on_test_begin(self, logs=None):
        if self._bar is not None:
            self._bar.clear()  # The evaluation has one of its own.
            self._test_start = time.monotonic()

    def on_test_end(self, logs=None):
        if self._bar is not None:
            progress.leave_out(self._bar, time.monotonic() - self._test_start)
            self._bar.refresh()

    def on_epoch_end(self, epoch, logs=None):
        is_whole = not self.model.stop_training
        if is_whole:
            self._num_examples = self._done
        if is_whole or int(self._position.step) == self._training.max_steps:
            if not isinstance(self._bar, progress.Lines):
                progress.finish(self._bar)
        self._bar.close()

    def on_train_end(self, logs=None):
        if isinstance(self._bar, progress.Lines) and self._text:
            _LOGGER.info("%s: %s", self._name, self._text)


class TensorBoardLogger(keras.callbacks.Callback):
    """Writes what a run does for TensorBoard.

    Scalars, of the tags and meaning of `run.event_tags`: metrics (means over
    the training batches since the last point), learning rate, speed, norms of
    gradients and weights by layer and, where damaged data was left out, how
    much; texts, and histograms of all weights on request.

    Args:
        path: the folder of the events.
        config: the run's configuration.
        position: where the run is.
        step: what trains.
        skipped: what is left out of the data, or None.
        weights_table: the weights of the model, as text.
        page: how the run is made, in Markdown.
    """

    def __init__(
        self,
        path: str,
        config: config_lib.Config,
        position: position_lib.Position,
        step: step_lib.TrainingStep,
        skipped: readers.SkippedData | None = None,
        weights_table: str = "",
        page: str = "",
    ) -> None:
        super().__init__()
        self._step = step
        self._skipped = skipped
        self._config = config
        self._position = position
        self._path = path
        self._writer: tf.summary.SummaryWriter | None = None
        # Of the steps since the last point whose speed counts: their videos,
        # their seconds, and how many of these they waited.
        self._speed = np.zeros(3)
        # What was done before the call of steps: steps, videos, seconds, and
        # seconds of waiting. None before the first call of an epoch.
        self._before: np.ndarray | None = None
        with self._writing():
            self._writer = tf.summary.create_file_writer(path)
        if self._writer is None:
            return
        with self._writing(int(position.step)):
            if page:
                tf.summary.text("run", page)
            if weights_table:
                tf.summary.text("run/weights", _code(weights_table))
            tf.summary.text("run/config", _code(config.to_json()))

    @contextlib.contextmanager
    def _writing(self, step: int | None = None) -> Iterator[None]:
        """Gives up TensorBoard, and not the run, where it can't be written."""
        context = contextlib.nullcontext()
        if self._writer is not None:
            context = self._writer.as_default(step)
        try:
            with context:
                yield
        except (tf.errors.OpError, OSError) as error:
            self._writer = None
            _LOGGER.warning(
                "%s: TensorBoard's events can't be written, training goes on "
                "without them: %s",
                self._path,
                tensorflow_errors.first_line(str(error)),
            )

    def on_epoch_begin(self, epoch, logs=None):
        self._before = None
        self._speed = np.zeros(3)

    def on_train_batch_end(self, batch, logs=None):
        step = int(self._position.step)
        self._count_speed(step)
        if step % self._config.training.log_steps:
            return
        if self._writer is not None:
            with self._writing(step):
                self._log(logs or {})
        self._speed = np.zeros(3)
        self._step.reset_metrics()

    def _count_speed(self, step: int) -> None:
        """Adds the last call of steps, if its speed is that of the run.

        Not the first of an epoch, which fills the shuffle buffer and may
        compile, nor the last one if its batch is a smaller one, for which the
        step is compiled anew.
        """
        now = np.array(
            [
                step,
                int(self._position.examples),
                self._step.seconds,
                self._step.waited_seconds,
            ]
        )
        before, self._before = self._before, now
        if before is None:
            return
        steps, *done = now - before
        if done[0] >= steps * self._config.training.batch_size:
            self._speed += done

    def _log(self, logs: dict[str, float], with_gradients: bool = True) -> None:
        """Writes a point of each scalar.

        Args:
            logs: the metrics.
            with_gradients: whether this step kept the norms of its gradients.
        """
        self._log_metrics(logs)
        rate = self.model.optimizer.learning_rate
        event_tags.write_scalar("optimizer/learning_rate", rate)
        if with_gradients:
            for layer, norm in self._step.gradient_norms().items():
                event_tags.write_scalar(f"norms_of_gradients/{layer}", norm)
        for layer, norm in self._step.weight_norms().items():
            event_tags.write_scalar(f"norms_of_weights/{layer}", norm)
        self._log_skipped()
        examples, seconds, waited = self._speed
        if examples:
            event_tags.write_scalar(
                "speed/examples_per_second", examples / seconds
            )
            event_tags.write_scalar("speed/input_wait", waited / seconds)

    def on_epoch_end(self, epoch, logs=None):
        if self._writer is None:
            return
        with self._writing(int(self._position.step)):
            if self._config.training.weight_histograms:
                for weight in self.model.weights:
                    tag = f"weights/{weight.path}"
                    tf.summary.histogram(
                        tag, weight.value, description=event_tags.describe(tag)
                    )
            self._log_skipped()
            self._writer.flush()

    def on_train_end(self, logs=None):
        # The last steps have a point, too: those of a short run are all it has.
        if self._writer is not None and self._step.has_logs:
            with self._writing(int(self._position.step)):
                self._log(self._step.logs(), with_gradients=False)

    def _log_metrics(self, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            event_tags.write_scalar(event_tags.metric_tag(name), value)

    def _log_skipped(self) -> None:
        if self._skipped is not None:
            event_tags.write_skipped(
                self._skipped.num_files,
                self._skipped.num_records,
                self._skipped.num_bytes,
            )

    def close(self) -> None:
        """Writes what is left and closes the file."""
        if self._writer is not None:
            with self._writing():
                self._writer.close()


def _code(text: str) -> str:
    """Makes a block of code of Markdown."""
    return "\n".join(f"    {line}" for line in text.splitlines())


class GracefulStop:
    """Takes note of a signal that asks for the end of training.

    Ctrl-C and SIGTERM stop the run between two steps, so that it can be
    saved; a second Ctrl-C stops it at once. While a step goes on, neither is
    seen: programs end by the second one then (`stuck_programs`). Use as a
    context manager.

    Attributes:
        signal_number: the signal that came, or None.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "GracefulStop":
        """Takes over the signals; off the main thread, it does nothing."""
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._previous[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, *unused: Any) -> None:
        """Gives the signals back."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: Any) -> None:
        del frame
        if self.signal_number is not None:
            raise KeyboardInterrupt
        self.signal_number = number
