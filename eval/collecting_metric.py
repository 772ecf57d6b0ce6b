"""What metrics of Keras have in common that keep something of each video."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.eval import exact_metric

# A mark is 0 where there is no video, 1 at what is no label, 2 at a label.
EMPTY, NO_LABEL = 0, 1


class CollectingMetric(exact_metric.ExactMetric):
    """A metric of what is kept of each video.

    Args:
        num_videos: the most videos between two resets.
        width: how many scores are kept of each.
        name: as of `exact_metric.ExactMetric`.
        dtype: likewise.
    """

    def __init__(
        self, num_videos: int, width: int, name: str, dtype: Any = None
    ) -> None:
        if num_videos < 1:
            raise ValueError(
                f"expected at least 1. Received: num_videos={num_videos}"
            )
        super().__init__(name, dtype)
        self.capacity = num_videos
        self._num_labels = self.add_state("labels")
        # One more row, for what is too much.
        shape = num_videos + 1, width
        self._scores = self.add_state("scores", shape, "float32")
        self._marks = self.add_state("marks", shape, "int8")

    def get_config(self) -> dict[str, Any]:
        """Returns the settings."""
        return {**super().get_config(), "num_videos": self.capacity}

    def _keep(
        self, scores: tf.Tensor, is_label: tf.Tensor, num_labels: tf.Tensor
    ) -> None:
        """Keeps scores of a batch.

        Args:
            scores: float32 `[batch, width]`, or fewer columns.
            is_label: bool, likewise.
            num_labels: int64, how many labels the videos have.
        """
        # The videos of replica r of R have the rows r, r + R, r + 2 R, ...
        rows = tf.range(tf.shape(scores, tf.int64)[0])
        rows += tf.convert_to_tensor(self.num_videos.value)
        rows = rows * ops.num_replicas() + ops.replica_index()
        rows = tf.minimum(rows, self.capacity)[:, tf.newaxis]
        marks = tf.cast(is_label, tf.int8) + NO_LABEL
        for variable, values in ((self._scores, scores), (self._marks, marks)):
            missing = variable.shape[1] - values.shape[1]
            values = tf.pad(values, [[0, 0], [0, missing]])
            variable.assign(
                tf.tensor_scatter_nd_update(
                    tf.convert_to_tensor(variable.value), rows, values
                )
            )
        self._num_labels.assign_add(num_labels)

    def kept(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Returns what was kept.

        Returns:
            float32 `[videos, width]`, the scores; int8 of the same shape, the
            marks; and how many labels the videos have.

        Raises:
            ValueError: if there were too many videos, or no label.
        """
        scores, marks = map(exact_metric.read, (self._scores, self._marks))
        is_video = marks[: self.capacity, 0] != EMPTY
        number = int(exact_metric.read(self.num_videos))
        # Replicas with smaller shares of the batches leave rows free.
        if number > np.count_nonzero(is_video):
            raise self._no_room(number)
        num_labels = int(exact_metric.read(self._num_labels))
        exact_metric.expect_labels(num_labels, self.name)
        rows = np.flatnonzero(is_video)
        return scores[rows], marks[rows], num_labels

    def _merge(self, other: CollectingMetric) -> None:
        number = int(exact_metric.read(self.num_videos))
        its_marks = exact_metric.read(other._marks)[: other.capacity]
        its_rows = np.flatnonzero(its_marks[:, 0] != EMPTY)
        its_number = int(exact_metric.read(other.num_videos))
        both = number + its_number
        if both > self.capacity or its_number > len(its_rows):
            raise self._no_room(both)
        for own, its in (
            (self._scores, exact_metric.read(other._scores)),
            (self._marks, its_marks),
        ):
            values = exact_metric.read(own).copy()
            values[number:both] = its[its_rows]
            own.assign(values)
        kept = (id(self._scores), id(self._marks))
        for own, its in zip(self.variables, other.variables, strict=True):
            if id(own) not in kept:
                own.assign(exact_metric.read(own) + exact_metric.read(its))

    def _no_room(self, number: int) -> ValueError:
        return ValueError(
            f"expected at most num_videos={self.capacity} of {self.name} "
            f"between two resets. Received: {number}; make it with a larger "
            "num_videos"
        )
