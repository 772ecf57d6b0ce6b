"""Clipping of gradients without a pass over those that are not clipped."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from yt8m_compact import ops

Gradient = tf.Tensor | tf.IndexedSlices | None


def clip_each(gradients: Sequence[Gradient], max_norm: float) -> list[Gradient]:
    """Clips each gradient by its own norm, as `tf.clip_by_norm` does.

    One whose norm is not above `max_norm` is returned as it is; if there is a
    NaN in it, all of it becomes NaN, and where the norm is infinite, what is
    infinite becomes NaN and all else 0.

    Args:
        gradients: of any shapes; where None, there is none.
        max_norm: the largest norm, above 0.

    Returns:
        The gradients, in their order.
    """
    return [
        gradient
        if gradient is None
        else _scale([gradient], tf.sqrt(_squared_norm(gradient)), max_norm)[0]
        for gradient in gradients
    ]


def clip_together(
    gradients: Sequence[Gradient], max_norm: float
) -> list[Gradient]:
    """Clips gradients by the norm of all, as `tf.clip_by_global_norm` does.

    They are returned as they are if that is not above `max_norm`; if it is
    infinite or NaN, all become NaN.

    Args:
        gradients: of any shapes; where None, there is none.
        max_norm: the largest norm, above 0.

    Returns:
        The gradients, in their order.
    """
    given = [gradient for gradient in gradients if gradient is not None]
    squares = [_squared_norm(gradient) for gradient in given]
    dtype = keras.backend.result_type(*(one.dtype.name for one in squares))
    norm = tf.sqrt(tf.add_n([tf.cast(one, dtype) for one in squares]))
    norm += norm - norm  # An infinite norm becomes NaN.
    clipped = iter(_scale(given, norm, max_norm))
    return [
        gradient if gradient is None else next(clipped)
        for gradient in gradients
    ]


def _squared_norm(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    """Computes the squared norm in one pass that writes nothing."""
    return 2 * tf.nn.l2_loss(_values(gradient))


def _values(gradient: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        return gradient.values
    return tf.convert_to_tensor(gradient)


def _scale(
    gradients: list[tf.Tensor | tf.IndexedSlices],
    norm: tf.Tensor,
    max_norm: float,
) -> list[tf.Tensor | tf.IndexedSlices]:
    """Scales gradients from `norm` to `max_norm`, if it is above."""
    values = [_values(gradient) for gradient in gradients]
    fits = norm <= tf.cast(max_norm, norm.dtype)  # not if it is NaN

    def scaled(factor: tf.Tensor) -> list[tf.Tensor]:
        return [value * tf.cast(factor, value.dtype) for value in values]

    def clipped() -> list[tf.Tensor]:
        return scaled(max_norm / norm)

    if _branches_are_cheap():
        values = _cond(fits, lambda: values, clipped)
    else:
        values = scaled(tf.where(fits, tf.ones_like(norm), max_norm / norm))
    return [
        tf.IndexedSlices(value, gradient.indices, gradient.dense_shape)
        if isinstance(gradient, tf.IndexedSlices)
        else value
        for gradient, value in zip(gradients, values, strict=True)
    ]


def _cond(
    condition: tf.Tensor,
    if_true: Callable[[], list[tf.Tensor]],
    if_false: Callable[[], list[tf.Tensor]],
) -> list[tf.Tensor]:
    result = tf.cond(condition, if_true, if_false)
    # Of a list of one, it is that one.
    return list(result) if isinstance(result, (list, tuple)) else [result]


def _branches_are_cheap() -> bool:
    """Says whether a condition costs less than a pass over a gradient.

    XLA multiplies within the update that follows, and copies what a branch
    returns. A GPU waits until the condition is known to the processor.
    """
    if ops.is_compiling():
        return False
    return all(
        device.device_type == "CPU"
        for device in tf.config.list_logical_devices()
    )
