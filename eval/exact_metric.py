"""What the metrics of evaluation as metrics of Keras have in common.

What a replica collects lies in slots of its own, with zeros where others write,
so that their sum, which is what a metric is under a strategy of
`tf.distribute`, is what all of them have collected. Shapes are fixed: XLA
compiles the step of a compiled model, metrics and all.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

PACKAGE = "yt8m_compact"


class ExactMetric(keras.metrics.Metric, abc.ABC):
    """What the metrics have in common: checks, and what merges them.

    `result` is exact over all videos since `reset_state`, in the words of
    `EvaluationMetrics`, wherever it is called outside of a compiled step: by
    `fit` and `evaluate` at the end of each epoch, too. Predictions are compared
    in float32.

    Args:
        name: the name in logs.
        dtype: as of `keras.metrics.Metric`; what is computed does not depend
            on it.
    """

    def __init__(self, name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.num_videos = self.add_state("videos")
        self._num_infinite = self.add_state("infinite")
        self._num_wrong = self.add_state("wrong_labels")

    def add_state(
        self, name: str, shape: Sequence[int] = (), dtype: str = "int64"
    ) -> keras.Variable:
        """Adds a variable of zeros, whose replicas are summed up."""
        return self.add_variable(tuple(shape), "zeros", dtype=dtype, name=name)

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Adds a batch of videos.

        Args:
            y_true: 0 or 1, `[batch, num_classes]`.
            y_pred: the predictions, float `[batch, num_classes]`.
            sample_weight: None: each video counts once.

        Raises:
            ValueError: if there are weights, or a shape is wrong.
        """
        if sample_weight is not None:
            raise ValueError(
                f"expected no sample_weight of {self.name}: each video counts "
                "once; name it in metrics, not in weighted_metrics. Received: "
                "sample_weight"
            )
        labels, predictions = map(tf.convert_to_tensor, (y_true, y_pred))
        if not predictions.dtype.is_floating:
            raise ValueError(
                f"expected floating-point y_pred of {self.name}. Received: "
                f"y_pred.dtype={predictions.dtype.name}"
            )
        if predictions.shape.rank != 2 or not labels.shape.is_compatible_with(
            predictions.shape
        ):
            raise ValueError(
                f"expected y_true and y_pred of {self.name} to be of shape "
                "[batch, num_classes]. Received: y_true.shape="
                f"{labels.shape}, y_pred.shape={predictions.shape}"
            )
        predictions = tf.cast(predictions, tf.float32)
        self._num_infinite.assign_add(
            tf.math.count_nonzero(~tf.math.is_finite(predictions))
        )
        is_label = tf.not_equal(labels, tf.cast(0, labels.dtype))
        self._num_wrong.assign_add(
            tf.math.count_nonzero(
                is_label & tf.not_equal(labels, tf.cast(1, labels.dtype))
            )
        )
        self._collect(is_label, predictions)
        self.num_videos.assign_add(tf.shape(predictions, tf.int64)[0])

    @abc.abstractmethod
    def _collect(self, is_label: tf.Tensor, predictions: tf.Tensor) -> None:
        """Adds a batch that has been checked."""

    @abc.abstractmethod
    def _compute(self) -> float:
        """Computes the value of at least one video."""

    @abc.abstractmethod
    def _in_step(self) -> tf.Tensor:
        """The value in a compiled step, where the exact one would cost more."""

    def result(self) -> tf.Tensor:
        """Computes the metric.

        Returns:
            A float64 scalar; 0 without a video.

        Raises:
            ValueError: if a prediction was not finite, a label neither 0 nor
                1, there was no label, or there were too many videos.
        """
        if tf.inside_function():
            return self._in_step()
        for variable, expected in (
            (
                self._num_infinite,
                "finite predictions: has the training diverged",
            ),
            (self._num_wrong, "labels that are 0 or 1: are they classes"),
        ):
            if count := int(read(variable)):
                raise ValueError(
                    f"expected {expected}? Received: {count} others in "
                    f"{self.name}"
                )
        if not int(read(self.num_videos)):
            return tf.constant(0.0, tf.float64)
        return tf.constant(self._compute(), tf.float64)

    def merge_state(self, metrics: Iterable[ExactMetric]) -> None:
        """Adds what other metrics have collected, of other replicas say.

        Args:
            metrics: of the same kind and settings; they are not changed.

        Raises:
            ValueError: if one is another metric, or there are too many videos.
        """
        for variable in self.variables:
            if isinstance(variable.value, tf.distribute.DistributedValues):
                raise ValueError(
                    "expected a metric that was made outside of a strategy to "
                    "merge others into: the state of a strategy's is merged as "
                    f"it is read. Received: {self.name} of several replicas"
                )
        for other in metrics:
            own, its = self.get_config(), other.get_config()
            for config in (own, its):
                for ignored in ("name", "dtype", "num_videos"):
                    config.pop(ignored, None)
            if type(other) is not type(self) or own != its:
                raise ValueError(
                    f"expected metrics like {type(self).__name__}({own}) to "
                    f"merge. Received: {type(other).__name__}({its})"
                )
            self._merge(other)

    def _merge(self, other: Any) -> None:
        for own, its in zip(self.variables, other.variables, strict=True):
            own.assign(read(own) + read(its))


def read(variable: keras.Variable) -> np.ndarray:
    """Reads a variable, of several replicas their sum."""
    return tf.convert_to_tensor(variable.value).numpy()


def expect_labels(number: int, name: str) -> None:
    """Checks that a metric is defined.

    Args:
        number: how many labels there are.
        name: the name of the metric.

    Raises:
        ValueError: if there is none.
    """
    if not number:
        raise ValueError(
            f"expected at least one label: {name} is not defined without. "
            "Received: 0 labels"
        )
