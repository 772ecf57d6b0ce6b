"""A profile of some steps, for TensorBoard."""

import logging

import keras
import tensorflow as tf

from yt8m_compact.training import position as position_lib

_LOGGER = logging.getLogger(__name__)


class Profiler(keras.callbacks.Callback):
    """Profiles the steps from one to another, both included.

    Args:
        steps: the first and the last one, counted from 1 over the whole run.
        position: where the run is.
        path: the folder of the events; the profile is in `plugins/profile`.

    Raises:
        ValueError: if there are no such steps.
    """

    def __init__(
        self,
        steps: tuple[int, int],
        position: position_lib.Position,
        path: str,
    ) -> None:
        super().__init__()
        self._first, self._last = steps
        if not 1 <= self._first <= self._last:
            raise ValueError(
                "expected profile to be START,END: the first and the last step"
                f" to profile, from 1. Received: profile={steps!r}"
            )
        self._position = position
        self._path = path
        self._running = False
        self._step: tf.profiler.experimental.Trace | None = None

    def steps_to_edge(self, step: int) -> int | None:
        """Returns after how many steps the profile begins or ends.

        Args:
            step: steps done.

        Returns:
            How many steps a call may take; None for any number.
        """
        if self._first - 1 <= step < self._last:
            return 1  # Each step is on its own in the profile.
        return self._first - 1 - step if step < self._first else None

    def on_train_batch_begin(self, batch, logs=None):
        step = int(self._position.step)
        if not self._running and self._first <= step + 1 <= self._last:
            tf.profiler.experimental.start(self._path)
            self._running = True
        if self._running:
            # Without marks the profile knows of no steps, and so of no times.
            self._step = tf.profiler.experimental.Trace(
                "train", step_num=step + 1, _r=1
            )
            self._step.__enter__()

    def on_train_batch_end(self, batch, logs=None):
        self._end_step()
        if int(self._position.step) >= self._last:
            self.close()

    def on_train_end(self, logs=None):
        if int(self._position.step) < self._first:
            _LOGGER.warning(
                "nothing was profiled: training ended at step %d, before "
                "step %d",
                int(self._position.step),
                self._first,
            )

    def close(self) -> None:
        """Writes what was profiled."""
        self._end_step()
        if self._running:
            self._running = False
            tf.profiler.experimental.stop()
            _LOGGER.info(
                "profiled steps %d to %d: %s/plugins/profile",
                self._first,
                min(self._last, int(self._position.step)),
                self._path,
            )

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None
