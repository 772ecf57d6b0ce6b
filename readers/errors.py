"""The error that bad data raises, and how it gets out of a tf.data graph."""

import codecs
import collections
from collections.abc import Callable, Iterator
import contextlib
import os
import re

import numpy as np
import tensorflow as tf

from yt8m_compact import tensorflow_errors
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
# TensorFlow's parser does not name the record in all of its errors: where the
# batches that it is given are from, to look again. As many as may be parsed at
# a time.
_PARSED: collections.deque = collections.deque(maxlen=(os.cpu_count() or 1) + 2)
_PARSER = "ParseSequenceExample"

_PLACE = re.compile(
    r"(?P<file>.+): record (?P<index>\d+)"
    r"(?P<damage> \(byte \d+ of (?P<size>\d+)\))?",
    re.DOTALL,
)


class DataError(ValueError):
    """A file or a record that is not what the reader expects.

    The message names the file and the record, says what was expected and what
    was found, and what to do.
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


def before_parsing(
    serialized: tf.Tensor,
    files: tf.Tensor | None,
    indices: tf.Tensor | None,
    parse: Callable[[tf.Tensor], object],
) -> tf.Tensor:
    """Notes in a graph which records are about to be parsed.

    Args:
        serialized: String `[batch]`.
        files: String `[batch]`, or None in a request: then nothing is noted.
        indices: int64 `[batch]`, their numbers in the files, or None.
        parse: Does with one record, string `[1]`, what may fail.

    Returns:
        `serialized`, to be parsed.
    """
    if files is None or indices is None:
        return serialized

    def note(files, indices):
        _PARSED.append((files, indices, parse))
        return np.bool_(True)

    noted = tf.numpy_function(note, [files, indices], tf.bool)
    with tf.control_dependencies([noted]):
        return tf.identity(serialized)


def _find_unnamed(text: str) -> str | None:
    """Finds the record that TensorFlow's parser stopped at without a name."""
    if _PARSER not in text:
        return None
    for files, indices, parse in list(_PARSED):
        for file, index, record in _read_again(files, indices):
            try:
                parse(tf.constant([record]))
            except tf.errors.OpError as error:
                detail = tensorflow_errors.first_line(error.message)
                return (
                    f"{file}: record {index}: expected a tf.train.Example or "
                    "tf.train.SequenceExample. Write the record again, or "
                    f"leave it out ({detail})."
                )
    return None


def _read_again(
    files: np.ndarray, indices: np.ndarray
) -> Iterator[tuple[str, int, bytes]]:
    """Reads the records of a batch, as far as they still can be read."""
    wanted = collections.defaultdict(set)
    for file, index in zip(files, indices, strict=True):
        wanted[file.decode()].add(int(index))
    for file, numbers in wanted.items():
        first, last = min(numbers), max(numbers)
        records = framing.read_records(file, first, last + 1 - first)
        for index, record in enumerate(records, first):
            if index in numbers:
                yield file, index, record


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
        >>> with readers.readable_errors():
        ...     model.fit(dataset)
    """
    try:
        yield
    except tf.errors.OpError as error:
        message = find_message(error.message)
        if message is None:
            message = _find_unnamed(error.message)
        # The next data set must not be blamed for the batches of this one.
        _PARSED.clear()
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
    place = _PLACE.match(message)
    if place is None:
        return message
    file = place["file"]
    if place["damage"]:
        size = int(place["size"])
        return f"{message} {framing.describe_damage(file, size)}"
    if not tf.io.gfile.exists(file):
        return message
    data = framing.read_record(file, int(place["index"]))
    if data is None:
        return f"{message} {framing.describe_damage(file)}"
    return f"{message} {framing.describe_data(data)}"
