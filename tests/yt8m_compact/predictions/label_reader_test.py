"""Tests of the labels of a video, as files say them."""

import numpy as np
import pytest

from yt8m_compact import readers
from yt8m_compact.predictions import label_reader

_CLASSES = {"cat": 0, "dog": 2, "rock; jazz": 1, "twin": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ([], ()),
        (2, (2,)),
        (np.int64(1), (1,)),
        (np.array([2, 0], np.int16), (0, 2)),
        ("dog", (2,)),
        (b"Dog", (2,)),
        ("dog; 0", (0, 2)),
        ("2 1", (1, 2)),
        (["rock; jazz", "cat"], (0, 1)),
        (np.array(["cat", "dog"]), (0, 2)),
        (np.array([b"cat"], object), (0,)),
        ([True, False, True], (0, 2)),
        (np.array([0.0, 1.0, 0.0], np.float16), (1,)),
        (np.zeros([3], bool), ()),
    ],
)
def test_labels(value, expected):
    reader = label_reader.LabelReader(None, _CLASSES)
    assert reader.read(value, "a") == expected
    assert reader.num_classes == 3


def test_the_number_of_classes_is_found():
    reader = label_reader.LabelReader()
    assert reader.num_classes is None
    reader.read([4, 1], "a")
    assert reader.num_classes == 5
    reader.read([False] * 7, "b")
    assert reader.num_classes == 7
    assert label_reader.LabelReader(9).num_classes == 9


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 3], "expected one or more labels from 0 to 2. Received: '1,3'"),
        (["cat", "cot"], r"\(4 names\). Received: 'cot', neither; did you me"),
        ("twin", "'twin', a name of several classes"),
        ([0.0, 0.5, 1.0], "or 0 or 1 for each class. Received: 0.5 of class 1"),
        ([0.0, 1.0], "expected 0 or 1 for each of 3 classes. Received: 2 val"),
        ([0, 0, 1], "expected numbers of classes, each once; write 0 and 1"),
        ([1, None], "expected numbers or names of classes as labels, or 0"),
        (1.5, "expected numbers or names of classes as labels, or 0 or 1"),
        ({"a": 1}, "expected numbers or names of classes as labels, or 0 or"),
    ],
)
def test_what_are_no_labels(value, message):
    reader = label_reader.LabelReader(None, _CLASSES)
    with pytest.raises(readers.DataError, match=f"row 3: .*{message}"):
        reader.read(value, "row 3")


def test_labels_of_other_classes_than_those_before():
    reader = label_reader.LabelReader()
    reader.read([5], "a")
    with pytest.raises(readers.DataError, match="each of 6 or more classes"):
        reader.read([True, False], "b")
    reader.read([True] * 6, "c")
    with pytest.raises(readers.DataError, match="labels from 0 to 5. Received"):
        reader.read([6], "d")
    with pytest.raises(readers.DataError, match="neither; set vocabulary_file"):
        reader.read("cat", "e")


def test_names_are_found():
    values = [("a", ["dog", "cat; cow"]), ("b", None), ("c", "Ant;DOG")]
    found = label_reader.find_names(values)
    assert found == ("Ant", "cat; cow", "dog")
    with pytest.raises(readers.DataError, match="c: expected names of .*: '7'"):
        label_reader.find_names([("c", "7")])
    with pytest.raises(readers.DataError, match="to find them. Received: no l"):
        label_reader.find_names([("c", None)])
