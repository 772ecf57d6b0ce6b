"""Tests of what is shown of TensorFlow's errors."""

import pytest
import tensorflow as tf

from yt8m_compact import tensorflow_errors


@tf.function
def _reshape(x):
    return tf.reshape(tf.range(x), [7, 7])


@tf.function
def _assert(x):
    tf.debugging.Assert(x > 3, ["at least 3", x])


@tf.function
def _read():
    return tf.io.read_file("/missing")


@pytest.mark.parametrize(
    ("fail", "line"),
    [
        (
            lambda: tf.reshape(tf.range(4), [3]),
            "Input to reshape is a tensor with 4 values, but the requested "
            "shape has 3",
        ),
        (
            lambda: _reshape(tf.constant(5)),
            "Input to reshape is a tensor with 5 values, but the requested "
            "shape has 49",
        ),
        (
            lambda: _assert(tf.constant(1)),
            "assertion failed: [at least 3] [1]",
        ),
        (_read, "/missing; No such file or directory"),
        (
            lambda: list(tf.data.TFRecordDataset(["/missing"])),
            "/missing; No such file or directory",
        ),
        (
            lambda: tf.io.gfile.listdir("/missing"),
            "Could not find directory /missing",
        ),
    ],
)
def test_first_line_of_an_error(fail, line):
    with pytest.raises(tf.errors.OpError) as caught:
        fail()
    assert tensorflow_errors.first_line(caught.value.message) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("  indented \n more", "indented"),
        ("", ""),
        ("\nsecond", "second"),
        ("x" * 400, "x" * 300),
        (
            "Graph execution error:\n\nDetected at node a/b defined at (most "
            "recent call last):\n<stack traces unavailable>\nNode: 'a/b'\n"
            "2 root error(s) found.\n  (0) RESOURCE_EXHAUSTED:  OOM when "
            "allocating tensor\n\t [[{{node a/b}}]]\nHint: none.\n",
            "OOM when allocating tensor",
        ),
        ("Graph execution error:\n\n", "Graph execution error:"),
        (
            "{{function_node __wrapped__SaveV2_dtypes_3_device_CPU:0}} "
            "run/.e.0123456789ab.partial/v; No space left on device "
            "[Op:SaveV2] name: ",
            "run/e/v; No space left on device",
        ),
        (
            "values [[1 2] [3 4]] {of} [Opera]",
            "values [[1 2] [3 4]] {of} [Opera]",
        ),
    ],
)
def test_first_line(text, line):
    assert tensorflow_errors.first_line(text) == line


def test_without_nodes_keeps_what_follows():
    text = "a.csv: expected b. Received: c\n\t [[{{node d}}]] [Op:E]. Do f\ng"
    shown = "a.csv: expected b. Received: c. Do f\ng"
    assert tensorflow_errors.without_nodes(text) == shown
