"""Requests in which some records are bad, and the others count."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable

import tensorflow as tf

VALID = "valid"


def parse(
    parse_all: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    serialized: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Turns records into a batch, bad ones into rows that say so.

    A batch of good records takes one pass; one with a bad record another, in
    which each record is read by itself.

    Args:
        parse_all: makes a batch of records, or fails if one is bad.
        serialized: string `[batch]`.

    Returns:
        What `parse_all` makes of the good records, and `valid`, bool
        `[batch]`. The row of a bad one has no id, and zeros.
    """

    def parse_whole(records: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse_all(records)
        return {**batch, VALID: tf.ones_like(batch["id"], tf.bool)}

    def parse_one(record: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = parse_whole(record[tf.newaxis])
        return {name: value[0] for name, value in batch.items()}

    make = tf.data.Dataset
    whole = make.from_tensors(serialized).map(parse_whole).ignore_errors()
    blank = {
        name: tf.zeros(spec.shape[1:], spec.dtype)
        for name, spec in whole.element_spec.items()
    }

    def parse_or_flag(record: tf.Tensor) -> tf.data.Dataset:
        one = make.from_tensors(record).map(parse_one).ignore_errors()
        return one.concatenate(make.from_tensors(blank)).take(1)

    size = tf.maximum(tf.size(serialized, tf.int64), 1)
    apart = make.from_tensor_slices(serialized).flat_map(parse_or_flag)
    # Nothing of the second is computed where the first one has a batch.
    return whole.concatenate(apart.batch(size)).take(1).get_single_element()
