"""Labels and ratings of TFRecord files, without what else is in the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from yt8m_compact import lazy
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import readers
from yt8m_compact.readers import ids as ids_lib

with lazy.imports():
    import tensorflow as tf

    from yt8m_compact.readers import labels as labels_lib
    from yt8m_compact.readers import windows

_BATCH = 256


def read_record_labels(
    files: Sequence[str],
    num_classes: int,
    advance: Callable[[int], Any] = lambda number: None,
) -> predictions_lib.LabelTable:
    """Reads the labels of videos, of records of any kind.

    Args:
        files: Names of TFRecord files.
        num_classes: The number of classes.
        advance: Gets the number of videos that were read, again and again.

    Returns:
        The labels.

    Raises:
        DataError: If a file or a record is not what it is to be.
    """
    ids, counts, blocks = [], [], []
    for names, batch in _batches(files, labels_lib.labels_spec()):
        ids += batch["id"]
        labels = batch[labels_lib.LABELS_KEY]
        _check_classes(labels, names, num_classes, "labels")
        rows = np.repeat(np.arange(len(names)), labels.row_lengths())
        # A label that is repeated counts once.
        codes = np.unique(rows * num_classes + labels.values.numpy())
        counts.append(np.bincount(codes // num_classes, minlength=len(names)))
        blocks.append((codes % num_classes).astype(np.int32))
        advance(len(names))
    where = _name(files)
    table = predictions_lib.LabelTable(
        ids, np.concatenate(counts), np.concatenate(blocks), where=where
    )
    if not table.num_labels:
        raise readers.DataError(
            f"{where}: expected labels. Received: none in {len(table):,} "
            "videos; the test split has no labels, use the validation split"
        )
    return table


def read_record_ratings(
    files: Sequence[str],
    num_classes: int,
    advance: Callable[[int], Any] = lambda number: None,
) -> predictions_lib.RatingTable:
    """Reads the ratings of segments, of frame-level records of 2019.

    Args:
        files: Names of TFRecord files.
        num_classes: The number of classes.
        advance: Gets the number of videos that were read, again and again.

    Returns:
        The ratings.

    Raises:
        DataError: If a file or a record is not what it is to be.
    """
    segments, classes, positive = [], [], []
    for names, batch in _batches(files, windows.segments_spec()):
        lists = [batch[key] for key in windows.SEGMENT_KEYS]
        _check_lengths(lists, names)
        labels, starts, _, scores = lists
        _check_classes(labels, names, num_classes, "segment labels")
        rows = np.repeat(np.arange(len(names)), labels.row_lengths()).tolist()
        segments += [
            b"%s:%d" % (batch["id"][row], start)
            for row, start in zip(rows, starts.values.numpy(), strict=True)
        ]
        classes.append(labels.values.numpy())
        positive.append(scores.values.numpy() > 0)
        advance(len(names))
    where = _name(files)
    if not segments:
        raise readers.DataError(
            f"{where}: expected rated segments, segment_labels. Received: "
            "none; use the validation split of 2019"
        )
    return predictions_lib.RatingTable(
        segments,
        np.concatenate(classes),
        np.concatenate(positive),
        where=where,
    )


def _name(files: Sequence[str]) -> str:
    """Names files by the first of them, and how many there are."""
    more = len(files) - 1
    return files[0] + (f" and {more:,} more" if more else "")


def _batches(
    files: Sequence[str], spec: dict[str, tf.io.RaggedFeature]
) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Yields the names of some records, and what they hold."""
    spec = {**ids_lib.id_spec(), **spec}
    with readers.readable_errors():
        dataset = readers.read_records(files).batch(_BATCH)
        for names, indices, data in dataset:
            where = [
                f"{name.decode()}: record {index}"
                for name, index in zip(
                    names.numpy(), indices.numpy(), strict=True
                )
            ]
            try:
                # The context of a SequenceExample lies where an Example has
                # its features.
                parsed = tf.io.parse_example(data, spec)
            except tf.errors.InvalidArgumentError as error:
                raise readers.DataError(
                    f"{where[0]}, or one of the {len(where)} from it on: "
                    "expected ids and labels of YouTube-8M. Received: "
                    f"{' '.join(error.message.split())}"
                ) from None
            ids = ids_lib.select_ids(parsed).numpy().tolist()
            if not all(ids):
                raise readers.DataError(
                    f"{where[ids.index(b'')]}: expected an id, one bytes value "
                    "under the key 'id' or 'video_id'. Received: none"
                )
            yield where, {**parsed, "id": ids}


def _check_classes(
    labels: tf.RaggedTensor, names: list[str], num_classes: int, what: str
) -> None:
    values = labels.values.numpy()
    outside = (values < 0) | (values >= num_classes)
    if outside.any():
        index = int(np.argmax(outside))
        row = int(labels.value_rowids()[index])
        raise readers.DataError(
            f"{names[row]}: expected {what} from 0 to {num_classes - 1}. "
            f"Received: {values[index]}; set --num_classes to the number of "
            "classes of the data"
        )


def _check_lengths(lists: list[tf.RaggedTensor], names: list[str]) -> None:
    lengths = np.stack([one.row_lengths().numpy() for one in lists])
    differs = (lengths != lengths[0]).any(axis=0)
    if differs.any():
        row = int(np.argmax(differs))
        raise readers.DataError(
            f"{names[row]}: expected as many values of each of "
            f"{', '.join(windows.SEGMENT_KEYS)}. Received: "
            f"{lengths[:, row].tolist()}"
        )
