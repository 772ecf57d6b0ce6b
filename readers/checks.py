"""Checks of a batch of records inside a graph, free while the data is good."""

from collections.abc import Callable, Sequence
import dataclasses
from typing import Any

import tensorflow as tf

from yt8m_compact.readers import errors


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that must hold for every record of a batch.

    Attributes:
        failed: Scalar bool, whether some record fails. The only part that is
            computed while the data is good.
        bad: Returns bool `[batch]`, the records that fail.
        describe: Takes the index of a record in the batch, scalar int64, and
            returns a scalar string: what was expected and received, and what to
            do.
    """

    failed: tf.Tensor
    bad: Callable[[], tf.Tensor]
    describe: Callable[[tf.Tensor], tf.Tensor]


def require(
    checks: Sequence[Check],
    files: tf.Tensor | None,
    indices: tf.Tensor | None,
) -> tf.Tensor:
    """Raises the message of the first record that fails a check.

    Args:
        checks: The checks; of those that a record fails, the first one speaks.
        files: String `[batch]`, the records' files, or None in a request.
        indices: int64 `[batch]`, the records' numbers in their files, or None.

    Returns:
        A tensor on which everything that relies on the checks must depend.
    """

    def fail():
        bad = tf.stack([check.bad() for check in checks])  # [checks, batch]
        row = tf.argmax(tf.reduce_any(bad, axis=0))
        texts = tf.stack([check.describe(row) for check in checks])
        text = texts[tf.argmax(bad[:, row])]
        message = tf.strings.join(
            [_record_name(files, indices, row), ": ", text]
        )
        with tf.control_dependencies([errors.raise_in_graph(message)]):
            return tf.constant(False)

    failed = tf.reduce_any(tf.stack([check.failed for check in checks]))
    return tf.cond(failed, rarely(fail), lambda: tf.constant(True))


def rarely(function: Callable[[], Any]) -> Callable[[], Any]:
    """Makes a branch of `tf.cond` that costs nothing while it is not taken.

    TensorFlow dissolves both branches into the graph around them and, in every
    batch, visits each operation of the one not taken: hundreds of them, which
    took a fifth of the time of a batch. What this returns is one operation.

    Args:
        function: The branch, without arguments.

    Returns:
        A function that returns the same.
    """
    return tf.function(
        function,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def rows_with(flags: tf.Tensor, row_splits: tf.Tensor) -> tf.Tensor:
    """Says which rows of a ragged tensor hold a flagged value.

    A tenth of the operations of `tf.reduce_any` of a ragged tensor, which takes
    longer to trace than all the rest of a reader.

    Args:
        flags: Bool `[values]`.
        row_splits: `[rows + 1]`.

    Returns:
        Bool `[rows]`.
    """
    counts = tf.cumsum(tf.cast(flags, tf.int32))
    counts = tf.gather(tf.concat([[0], counts], axis=0), row_splits)
    return counts[1:] > counts[:-1]


def row_of(
    values: tf.Tensor, row_splits: tf.Tensor, row: tf.Tensor
) -> tf.Tensor:
    """Returns one row of a ragged tensor, `values[row_splits[row]:...]`."""
    limits = tf.gather(row_splits, [row, row + 1])
    return values[limits[0] : limits[1]]


def example_names(
    serialized: tf.Tensor,
    files: tf.Tensor | None,
    indices: tf.Tensor | None,
    expected: str,
) -> tf.Tensor:
    """Names the records for the errors of TensorFlow's own parser.

    The parser stops at a record that is not the proto it should be, or whose
    feature has another type, before any check of ours; it then prints the
    record's name, which is our message here.

    Args:
        serialized: String `[batch]`.
        files: String `[batch]`, the records' files, or None in a request.
        indices: int64 `[batch]`, the records' numbers in their files, or None.
        expected: What the record should be, and what to do.

    Returns:
        String `[batch]`.
    """
    rows = tf.range(tf.size(serialized))
    if files is None or indices is None:
        files, indices = tf.constant("the request"), rows
    return tf.strings.join(
        [
            errors.START,
            files,
            ": record ",
            tf.strings.as_string(indices),
            ": " + expected + errors.END,
        ]
    )


def _record_name(
    files: tf.Tensor | None, indices: tf.Tensor | None, row: tf.Tensor
) -> tf.Tensor:
    if files is None or indices is None:
        file, index = tf.constant("the request"), row
    else:
        file, index = files[row], indices[row]
    return tf.strings.join([file, ": record ", tf.strings.as_string(index)])
