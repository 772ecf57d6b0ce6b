"""The error that bad data raises, and how it gets out of a tf.data graph."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
import contextlib
import re

from yt8m_compact import lazy
from yt8m_compact import tensorflow_errors

with lazy.imports():
    import tensorflow as tf

    from yt8m_compact.readers import framing

# A message of ours stands between these in what TensorFlow prints.
START = "[data error] "
END = " [end]"
_MARKED = re.compile(
    re.escape(START)
    + "(?P<ours>.*?)"
    + re.escape(END)
    # What TensorFlow's parser says of a record that it names with our message.
    + r"(?:, (?P<parser>(?:Context feature|Feature list): .*))?",
    re.DOTALL,
)
_RECORD = re.compile(
    r"(?P<file>.+): record (?P<index>\d+)"
    r"(?P<damage> \(byte \d+ of (?P<size>\d+)\))?",
    re.DOTALL,
)


class DataError(ValueError):
    """A file or a record that is not what the reader expects.

    The message names the file and the record, says what was expected and what
    was received, and what to do.

    Example:
        >>> try:
        ...     yt8m.readers.expand_patterns("data/*.tfrecord")
        ... except yt8m.readers.DataError as error:
        ...     print(error)
        no file matches the pattern 'data/*.tfrecord': expected at least one
        TFRecord file. The folder 'data' does not exist: check the path.
    """


def raise_in_graph(
    message: tf.Tensor, good: tf.Tensor | bool = False
) -> tf.Operation | None:
    """Adds the operation that stops a graph with a message of ours.

    Args:
        message: Scalar string. Where it starts with "FILE: record N",
            `readable_errors` looks again and adds what the record holds; with
            "FILE: record N (byte B of S)", where the file is damaged.
        good: Scalar bool, with which it does not stop.

    Returns:
        The operation, to be used as a control dependency.
    """
    marked = tf.strings.join([START, message, END])
    return tf.raw_ops.Assert(condition=good, data=[marked], summarize=1)


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Turns the TensorFlow errors that bad data causes into `DataError`.

    An error raised while a dataset is iterated, also inside `model.fit`, comes
    as a `tf.errors.OpError` in which the reader's message is one line among
    many. Inside this context it is raised as a `DataError` with that message
    alone. Errors of another origin pass unchanged.

    Raises:
        DataError: If a dataset made by `yt8m_compact.readers` met bad data.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"no video")
        >>> dataset = yt8m.readers.make_dataset(
        ...     yt8m.readers.VideoLevelReader(), ["a.tfrecord"], batch_size=64
        ... )
        >>> with yt8m.readers.readable_errors():
        ...     for batch in dataset:
        ...         print(batch["id"])
        Traceback (most recent call last):
            ...
        yt8m_compact.readers.errors.DataError: a.tfrecord: record 0: expected a
        tf.train.Example whose features are float lists. Write the record as in
        YouTube-8M, or leave its file out. The record (8 bytes, starting b'no
        video') is neither a tf.train.Example nor a tf.train.SequenceExample.
    """
    try:
        yield
    except tf.errors.OpError as error:
        message = find_message(error.message)
        if message is None:
            raise
        raise DataError(_add_second_look(message)) from None


def find_message(text: str) -> str | None:
    """Finds our message in what TensorFlow prints, None if there is none."""
    match = _MARKED.search(text)
    if match is None:
        return None
    # The Assert operation prints strings C-escaped, byte by byte.
    escaped = match["ours"].encode("utf-8", "replace")
    message = codecs.escape_decode(escaped)[0].decode("utf-8", "replace")
    if match["parser"]:
        detail = tensorflow_errors.first_line(match["parser"])
        message = f"{message} ({detail})"
    return message


def _add_second_look(message: str) -> str:
    record = _RECORD.match(message)
    if record is None:
        return message
    file = record["file"]
    if record["damage"]:
        size = int(record["size"])
        return f"{message} {framing.describe_damage(file, size)}"
    if not tf.io.gfile.exists(file):
        return message
    data = framing.read_record(file, int(record["index"]))
    if data is None:
        return f"{message} {framing.describe_damage(file)}"
    return f"{message} {framing.describe_data(data)}"
