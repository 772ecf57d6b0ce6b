"""The error that bad data raises, and how it gets out of a tf.data graph."""

import codecs
from collections.abc import Iterator
import contextlib
import re

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
_PLACE = re.compile(
    r"(?P<file>.+): record (?P<index>\d+)(?P<damage> \(byte)?", re.DOTALL
)


class DataError(ValueError):
    """A file or a record that is not what the reader expects.

    The message names the file and the record, says what was expected and what
    was found, and what to do.
    """


def raise_in_graph(message: tf.Tensor) -> tf.Operation | None:
    """Adds the operation that stops a graph with a message of ours.

    Args:
        message: Scalar string. Where it starts with "FILE: record N",
            `readable_errors` looks again and adds what the record holds; with
            "FILE: record N (byte", where the file is damaged.

    Returns:
        The operation, to be used as a control dependency.
    """
    marked = tf.strings.join([START, message, END])
    return tf.raw_ops.Assert(condition=False, data=[marked], summarize=1)


def first_line(text: str) -> str:
    """Returns what TensorFlow says first, without the names of its nodes."""
    line = re.sub(r"{{.*?}}|\[Op:.*|\[\[.*", "", text.splitlines()[0])
    return " ".join(line.split())


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
        detail = match["parser"].splitlines()[0]
        detail = " ".join(re.sub(r"\[Op:.*|\[\[.*", "", detail).split())
        message = f"{message} ({detail})"
    return message


def _add_second_look(message: str) -> str:
    place = _PLACE.match(message)
    if place is None or not tf.io.gfile.exists(place["file"]):
        return message
    data = None
    if not place["damage"]:
        data = framing.read_record(place["file"], int(place["index"]))
    if data is None:
        return f"{message} {framing.describe_damage(place['file'])}"
    return f"{message} {framing.describe_data(data)}"
