"""Moments of the inputs of a model's layers, over a sample of data."""

from collections.abc import Iterable, Sequence
import contextlib
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Rows of data that are given all at once go through the model so many at once.
_BATCH_SIZE = 256


@dataclasses.dataclass(frozen=True, eq=False)
class InputMoments:
    """Mean and second moments of rows x that go into a layer.

    Example:
        >>> rows = np.array([[1.0, 2.0], [3.0, 2.0]])
        >>> moments = yt8m.layers.InputMoments(
        ...     rows.mean(axis=0), rows.T @ rows / 2, num_rows=2
        ... )
        >>> moments.covariance
        array([[1., 0.],
               [0., 0.]])

    Attributes:
        mean: `E[x]`, `[input_dim]`.
        second: `E[x^T x]`, `[input_dim, input_dim]`.
        num_rows: the number of rows that they are the means of.

    Raises:
        ValueError: if the shapes are not these, or there are no rows.
    """

    mean: np.ndarray
    second: np.ndarray
    num_rows: int

    def __post_init__(self) -> None:
        """Checks shapes."""
        size = np.size(self.mean)
        shapes = np.shape(self.mean), np.shape(self.second)
        if shapes != ((size,), (size, size)) or self.num_rows < 1:
            raise ValueError(
                "expected a mean [input_dim], second moments [input_dim, "
                f"input_dim] and some rows. Received: mean.shape={shapes[0]}, "
                f"second.shape={shapes[1]}, num_rows={self.num_rows}"
            )

    @property
    def covariance(self) -> np.ndarray:
        """The second moments about the mean."""
        return self.second - np.outer(self.mean, self.mean)

    def error_weights(self, *, centered: bool) -> np.ndarray:
        """Estimates what weights the error of a layer's kernel.

        Few rows say little of many inputs: moments are shrunk to white ones, as
        if `input_dim` rows of white inputs had been seen too.

        Args:
            centered: whether the layer's bias makes up for the error's mean,
                so that the covariance counts, and not the second moments.

        Returns:
            `[input_dim, input_dim]`, for `Structure.nearest`.
        """
        moments = self.covariance if centered else self.second
        size = len(moments)
        white = np.eye(size) * np.trace(moments) / size
        return (self.num_rows * moments + size * white) / (self.num_rows + size)

    def share_kept(
        self, kernel: np.ndarray, other: np.ndarray, *, centered: bool
    ) -> float:
        """Computes the share of a kernel's output that another one keeps.

        Args:
            kernel: W, `[input_dim, units]`.
            other: W', of the same shape.
            centered: whether a bias makes up for the error's mean: then the
                share is of the outputs' variance, else of their squares.

        Returns:
            `1 - E |x (W - W')|^2 / E |x W|^2`, of centred x if so.
        """
        moments = self.covariance if centered else self.second
        error = kernel - other
        lost = float(np.sum(error * (moments @ error)))
        total = float(np.sum(kernel * (moments @ kernel)))
        return 1 - lost / total if total > 0 else 1.0


def collect_input_moments(
    model: keras.Model,
    layers: Sequence[keras.Layer],
    data: Any,
    *,
    max_rows: int = 100_000,
) -> list[InputMoments]:
    """Collects moments of what goes into layers while a model runs on data.

    The model runs as at inference. All axes of an input but the last are rows,
    without those that a Keras mask takes out; a layer that is called several
    times has the rows of all calls. Sums are float64, in one pass; a layer's
    sums take `8 input_dim^2` bytes.

    Example:
        >>> model = keras.Sequential([keras.Input([2]), keras.layers.Dense(3)])
        >>> rows = np.array([[1.0, 2.0], [3.0, 2.0]])
        >>> (moments,) = yt8m.layers.collect_input_moments(
        ...     model, model.layers, rows
        ... )
        >>> moments.mean, moments.num_rows
        (array([2., 2.]), 2)

    Args:
        model: the model.
        layers: layers somewhere in it, each with one input, built.
        data: what the model is called with: batches of it (such as a
            `tf.data.Dataset` or a list), or an array, tensor, tuple or dict of
            all rows.
        max_rows: rows of a layer that are looked at, the first; when all layers
            have seen so many, no more data are read.

    Returns:
        Moments of each layer's inputs, in the order of `layers`.

    Raises:
        ValueError: if `max_rows` is not positive, or no row reached a layer,
            or one with a value that is not finite.
    """
    if max_rows < 1:
        raise ValueError(f"expected rows. Received: max_rows={max_rows}")
    sums = [_Sums(layer, max_rows) for layer in layers]
    with contextlib.ExitStack() as stack:
        for each in sums:
            stack.enter_context(each.watching())
        for batch in _batches_of(data):
            model(batch, training=False)
            if all(each.num_rows == max_rows for each in sums):
                break
    return [each.moments() for each in sums]


def _batches_of(data: Any) -> Iterable[Any]:
    if isinstance(data, np.ndarray | tf.Tensor | tuple | dict):
        return tf.data.Dataset.from_tensor_slices(data).batch(_BATCH_SIZE)
    return data


class _Sums:
    """Sums over the inputs of a layer.

    Variables, since a layer may be called within a graph.
    """

    def __init__(self, layer: keras.Layer, max_rows: int) -> None:
        self._layer = layer
        self._max_rows = max_rows
        self._count = tf.Variable(0, dtype=tf.int64)
        self._first: tf.Variable | None = None
        self._second: tf.Variable | None = None

    @property
    def num_rows(self) -> int:
        return int(self._count)

    @contextlib.contextmanager
    def watching(self):
        """Makes the layer add what it is called with."""
        call = self._layer.call

        def watched(inputs, *arguments, **named):
            self._add(inputs)
            return call(inputs, *arguments, **named)

        # Beside Keras, which would take a note of a new attribute.
        before = vars(self._layer).get("call")
        vars(self._layer)["call"] = watched
        try:
            yield
        finally:
            if before is None:
                del vars(self._layer)["call"]
            else:
                vars(self._layer)["call"] = before

    def _add(self, inputs: tf.Tensor) -> None:
        size = inputs.shape[-1]
        if self._first is None:
            with tf.init_scope():
                self._first = tf.Variable(tf.zeros([size], tf.float64))
                self._second = tf.Variable(tf.zeros([size, size], tf.float64))
        rows = tf.reshape(inputs, [-1, size])
        mask = getattr(inputs, "_keras_mask", None)
        if mask is not None:
            rows = tf.boolean_mask(rows, tf.reshape(mask, [-1]))
        rows = tf.cast(rows[: self._max_rows - self._count], tf.float64)
        self._count.assign_add(tf.shape(rows, tf.int64)[0])
        self._first.assign_add(tf.reduce_sum(rows, axis=0))
        self._second.assign_add(tf.matmul(rows, rows, transpose_a=True))

    def moments(self) -> InputMoments:
        name = self._layer.name
        if not self.num_rows:
            raise ValueError(
                "expected data that reach every layer, in a model that has "
                f"them. Received: no input of layer={name}"
            )
        second = self._second.numpy() / self.num_rows
        if not np.isfinite(second).all():
            raise ValueError(
                "expected data that make finite inputs of every layer. "
                f"Received: inputs that are not finite of layer={name}"
            )
        mean = self._first.numpy() / self.num_rows
        return InputMoments(mean, second, self.num_rows)
