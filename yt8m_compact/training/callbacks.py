"""What happens beside the steps: progress, TensorBoard, checkpoints."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import logging
import math
import signal
import time
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import config as config_lib
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
    """Shows each epoch as a bar; where nobody looks, logs a line at its end.

    Args:
        position: where the run is.
        num_epochs: how many epochs there will be.
        files: what is read.
    """

    def __init__(
        self,
        position: position_lib.Position,
        num_epochs: int,
        files: Sequence[str],
    ) -> None:
        super().__init__()
        self._position = position
        self._num_epochs = num_epochs
        self._files = files
        self._num_examples: int | None = None
        self._done = 0
        self._name = ""
        self._bar = None
        self._text = ""

    def on_epoch_begin(self, epoch, logs=None):
        self._text = ""
        self._name = f"epoch {epoch + 1}/{self._num_epochs}"
        self._bar = progress.video_bar(
            self._name,
            self._files,
            total=self._num_examples,
            initial=int(self._position.examples),
        )

    def on_train_batch_end(self, batch, logs=None):
        self._text = ", ".join(
            f"{key} {value:.4g}" for key, value in sorted(logs.items())
        )
        self._bar.set_postfix_str(self._text, refresh=False)
        self._done = int(self._position.examples)
        self._bar.update(self._done - self._bar.n)

    def on_test_begin(self, logs=None):
        if self._bar is not None:
            self._bar.clear()  # The evaluation has one of its own.

    def on_test_end(self, logs=None):
        if self._bar is not None:
            self._bar.refresh()

    def on_epoch_end(self, epoch, logs=None):
        if not self.model.stop_training:
            self._num_examples = self._done
            progress.finish(self._bar)
        self._bar.close()
        if self._bar.disable and self._text:
            step = int(self._position.step)
            _LOGGER.info("%s step %d: %s", self._name, step, self._text)


class TensorBoardLogger(keras.callbacks.Callback):
    """Writes what a run does for TensorBoard.

    Scalars `loss`, `gap`, `hit_at_1` (means over the training batches since
    the last point), `learning_rate`, `examples_per_second`, `input_wait`, the
    share of the time in which the steps waited for their batches,
    `gradient_norm/LAYER` of the last batch before it is clipped,
    `weight_norm/LAYER` and, where damaged data is left out, `skipped_files` (of
    which something is), `skipped_records` and `skipped_bytes`; the
    configuration and the weights as text, and histograms of all weights on
    request.

    Args:
        path: the folder of the events.
        config: the run's configuration.
        position: where the run is.
        step: what trains.
        skipped: what is left out of the data, or None.
        weights_table: the weights of the model, as text.
    """

    def __init__(
        self,
        path: str,
        config: config_lib.Config,
        position: position_lib.Position,
        step: step_lib.TrainingStep,
        skipped: readers.SkippedData | None = None,
        weights_table: str = "",
    ) -> None:
        super().__init__()
        self._step = step
        self._skipped = skipped
        self._config = config
        self._position = position
        self._path = path
        self._writer: tf.summary.SummaryWriter | None = None
        self._since: tuple[int, float, float] | None = None
        self._test_start = 0.0
        with self._writing():
            self._writer = tf.summary.create_file_writer(path)
        if self._writer is None:
            return
        with self._writing(int(position.step)):
            tf.summary.text("config", _code(config.to_json()))
            if weights_table:
                tf.summary.text("weights", _code(weights_table))

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
        # Compilation and the filling of the shuffle buffer are no steps.
        self._since = None

    def on_train_batch_end(self, batch, logs=None):
        step = int(self._position.step)
        now = time.perf_counter()
        if self._since is None:
            self._since = step, now, self._step.waited_seconds
        if step % self._config.training.log_steps:
            return
        if self._writer is not None:
            with self._writing(step):
                self._log(step, now, logs or {})
        self._since = step, now, self._step.waited_seconds
        self._step.reset_metrics()

    def on_test_begin(self, logs=None):
        self._test_start = time.perf_counter()

    def on_test_end(self, logs=None):
        if self._since is not None:  # An evaluation is no step either.
            step, start, waited = self._since
            start += time.perf_counter() - self._test_start
            self._since = step, start, waited

    def _log(self, step: int, now: float, logs: dict[str, float]) -> None:
        for name, value in logs.items():
            tf.summary.scalar(name, value)
        rate = self.model.optimizer.learning_rate
        tf.summary.scalar("learning_rate", rate)
        if self._skipped is not None:
            self._log_skipped()
        for layer, norm in self._step.gradient_norms().items():
            tf.summary.scalar(f"gradient_norm/{layer}", norm)
        for layer, norm in self._step.weight_norms().items():
            tf.summary.scalar(f"weight_norm/{layer}", norm)
        first, start, waited = self._since
        if step > first:
            speed = (step - first) / (now - start)
            tf.summary.scalar(
                "examples_per_second",
                speed * self._config.training.batch_size,
            )
            waited = self._step.waited_seconds - waited
            tf.summary.scalar("input_wait", waited / (now - start))

    def on_epoch_end(self, epoch, logs=None):
        if self._writer is None:
            return
        with self._writing(int(self._position.step)):
            if self._config.training.weight_histograms:
                for weight in self.model.weights:
                    tf.summary.histogram(weight.path, weight.value)
            if self._skipped is not None:
                self._log_skipped()
            self._writer.flush()

    def on_train_end(self, logs=None):
        # The last steps have a point, too: those of a short run are all it has.
        if self._writer is not None and self._step.has_logs:
            with self._writing(int(self._position.step)):
                for name, value in self._step.logs().items():
                    tf.summary.scalar(name, value)

    def _log_skipped(self) -> None:
        tf.summary.scalar("skipped_files", self._skipped.num_files)
        tf.summary.scalar("skipped_records", self._skipped.num_records)
        tf.summary.scalar("skipped_bytes", self._skipped.num_bytes)

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
    saved; a second Ctrl-C stops it at once. Use as a context manager.

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
