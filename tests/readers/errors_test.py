"""Tests of the way errors take out of a graph."""

import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import errors


@tf.function
def _fail(message):
    with tf.control_dependencies([errors.raise_in_graph(message)]):
        return tf.identity(message)


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two\nlines\tand a tab",
        "'single', \"double\", back\\slash, \\n, [brackets]",
        "日本, é",
        "x" * 5000,
    ],
)
def test_message_arrives_as_it_was(text):
    with pytest.raises(readers.DataError) as raised:
        with readers.readable_errors():
            _fail(tf.constant(text))
    assert str(raised.value) == text
    assert isinstance(raised.value, ValueError)
    # The trace of the graph is not shown below the message.
    assert raised.value.__suppress_context__


def test_message_is_readable_without_the_context():
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected this"):
        _fail(tf.constant("expected this"))


def test_message_of_eager_code_arrives():
    with pytest.raises(readers.DataError, match="^eager$"):
        with readers.readable_errors():
            errors.raise_in_graph(tf.constant("eager"))


def test_file_that_does_not_exist_gets_no_second_look(tmp_path):
    text = f"{tmp_path}/gone: record 3: expected something"
    with pytest.raises(readers.DataError) as raised:
        with readers.readable_errors():
            _fail(tf.constant(text))
    assert str(raised.value) == text


def test_file_that_is_whole_when_looked_at_again(tmp_path):
    file = record_makers.write_tfrecord(tmp_path / "a", [b"abc"])
    with pytest.raises(readers.DataError, match="A second reading found no"):
        with readers.readable_errors():
            # 16 bytes around the record's 3.
            _fail(tf.constant(f"{file}: record 0 (byte 0 of 19) can't be read"))


def test_other_errors_pass():
    with pytest.raises(tf.errors.OutOfRangeError, match="of another origin"):
        with readers.readable_errors():
            raise tf.errors.OutOfRangeError(None, None, "of another origin")
    with pytest.raises(KeyError):
        with readers.readable_errors():
            raise KeyError("key")
    with readers.readable_errors():
        pass
