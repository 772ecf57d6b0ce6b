"""Tests of the names of the classes in a graph."""

import re

import pytest
import tensorflow as tf

from yt8m_compact.inference import class_table

NAMES = ("Game", "Véhicule", "Food & drink")


def test_lookup():
    table = class_table.ClassTable(NAMES, 3)
    found = table.lookup(tf.constant([[2, 0], [1, 1]]))
    expected = [["Food & drink", "Game"], ["Véhicule", "Véhicule"]]
    assert found.numpy().tolist() == [
        [name.encode() for name in row] for row in expected
    ]


def test_the_names_travel_as_a_file(tmp_path):
    saved = tf.Module()
    saved.table = class_table.ClassTable(NAMES, 3)
    saved.look_up = tf.function(
        saved.table.lookup, input_signature=[tf.TensorSpec([None], tf.int32)]
    )
    tf.saved_model.save(saved, str(tmp_path))
    path = tmp_path / "assets" / "class_names.txt"
    assert path.read_text("utf-8") == "Game\nVéhicule\nFood & drink\n"
    del saved
    loaded = tf.saved_model.load(str(tmp_path))
    found = loaded.look_up(tf.constant([1, 2])).numpy()
    assert found.tolist() == ["Véhicule".encode(), b"Food & drink"]


def test_another_number_of_names():
    message = "expected a name for each of 4 classes. Received: 3"
    with pytest.raises(ValueError, match=message):
        class_table.ClassTable(NAMES, 4)


@pytest.mark.parametrize("name", ["", "two\nlines", "two\u2028lines"])
def test_names_that_are_no_line(name):
    message = f"expected names of one line. Received: class_names[1]={name!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        class_table.ClassTable(["Game", name], 2)
