"""Data sets whose end is an element, for who reads several of them."""

from collections.abc import Mapping

import tensorflow as tf


def mark(dataset: tf.data.Dataset, *, repeats: bool = False) -> tf.data.Dataset:
    """Adds an element at the end.

    Args:
        dataset: of dicts of tensors.
        repeats: whether that element comes again and again.

    Returns:
        A data set of `(there, batch)`: a scalar bool, false at the end; and the
        dict, of empty tensors and zeros there.
    """
    end = tf.data.Dataset.from_tensors((False, empty(dataset.element_spec)))
    return dataset.map(lambda batch: (True, batch)).concatenate(
        end.repeat(None if repeats else 1)
    )


def empty(spec: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
    """Makes a batch without a video.

    Args:
        spec: of a batch.

    Returns:
        Tensors of these names, without a row where the number of rows is free.
    """
    return {
        name: tf.zeros([size or 0 for size in one.shape], one.dtype)
        if one.dtype != tf.string
        else tf.fill([size or 0 for size in one.shape], "")
        for name, one in spec.items()
    }
