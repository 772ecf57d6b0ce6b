"""Labels as lists of class indices, and as multi-hot rows."""

import tensorflow as tf

from yt8m_compact.readers import checks

LABELS_KEY = "labels"


def labels_spec() -> dict[str, tf.io.RaggedFeature]:
    """Returns the parsing specification of the labels, which may be missing."""
    return {LABELS_KEY: tf.io.RaggedFeature(tf.int64)}


def check_labels(labels: tf.RaggedTensor, num_classes: int) -> checks.Check:
    """Checks that every label is the index of a class.

    Args:
        labels: int64 `[batch, (labels)]`.
        num_classes: The number of classes.

    Returns:
        The check.
    """

    def outside(values):
        return (values < 0) | (values >= num_classes)

    def describe(row):
        row_labels = checks.row_of(labels.values, labels.row_splits, row)
        first = tf.boolean_mask(row_labels, outside(row_labels))[:1]
        return tf.strings.join(
            [
                f"expected labels from 0 to {num_classes - 1}. Received: ",
                tf.strings.reduce_join(tf.strings.as_string(first)),
                f". Set the number of classes (now {num_classes}) to that of "
                "the data, or correct the labels.",
            ]
        )

    return checks.Check(
        failed=tf.reduce_any(outside(labels.values)),
        bad=lambda: checks.rows_with(outside(labels.values), labels.row_splits),
        describe=describe,
    )


def multi_hot(labels: tf.RaggedTensor, num_classes: int) -> tf.Tensor:
    """Turns lists of class indices into rows of zeros and ones.

    Args:
        labels: int64 `[batch, (labels)]`, in `[0, num_classes)`, repeated
            labels allowed.
        num_classes: The number of classes.

    Returns:
        float32 `[batch, num_classes]`.
    """
    rows = tf.cast(labels.value_rowids(), tf.int64)
    shape = tf.stack([tf.cast(labels.nrows(), tf.int64), num_classes])
    sparse = tf.SparseTensor(
        tf.stack([rows, labels.values], axis=1),
        tf.ones_like(labels.values, tf.float32),
        shape,
    )
    # Without validation repeated labels are simply set twice.
    hot = tf.sparse.to_dense(sparse, validate_indices=False)
    return tf.ensure_shape(hot, [None, num_classes])
