"""Ragged tensors as lists of their components, which a `tf.cond` can return."""

from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf


def to_tensors(
    tensors: Mapping[str, tf.RaggedTensor], keys: Iterable[str]
) -> list[tf.Tensor]:
    """Lists the values and row splits of ragged tensors.

    Args:
        tensors: `[batch, (values)]` each.
        keys: Which of them, in this order.
    """
    return [
        part
        for key in keys
        for part in (tensors[key].values, tensors[key].row_splits)
    ]


def from_tensors(
    components: Sequence[tf.Tensor], keys: Iterable[str]
) -> dict[str, tf.RaggedTensor]:
    """Returns the ragged tensors whose components `to_tensors` listed."""
    return {
        key: tf.RaggedTensor.from_row_splits(
            components[2 * number], components[2 * number + 1], validate=False
        )
        for number, key in enumerate(keys)
    }
