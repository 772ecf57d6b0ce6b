"""Tests of CSV of labels, as people write them."""

import gzip

import pytest

from yt8m_compact import readers
from yt8m_compact.predictions import label_csv
from yt8m_compact.predictions import label_reader

_CLASSES = {"cat": 2, "dog": 0, "emu": 1, "twin": None}


def _read(path, text, vocabulary=None, num_classes=None):
    """Reads what a file of the text says, and how many classes there are."""
    path.write_text(text)
    table = label_csv.read(str(path))
    reader = label_reader.LabelReader(num_classes, vocabulary)
    table.expect_columns(reader)
    found = {
        name: reader.read(labels, f"line {line}")
        for line, name, labels in table.rows()
    }
    return found, reader.num_classes


@pytest.mark.parametrize(
    ("text", "expected", "num_classes"),
    [
        # By number; nothing is of the last class.
        (
            "id,0,3,1,4\na,1,0,1,0\nb,0,1,0,0\nc,0,0,0,0\n",
            {"a": (0, 1), "b": (3,), "c": ()},
            5,
        ),
        # By name, as pandas writes bool and floats, and an index.
        (
            ",cat,Dog\na,True,False\nb,False,TRUE\n",
            {"a": (2,), "b": (0,)},
            3,
        ),
        (
            "VideoId, dog , emu\na,1.0,0.0\nb, 1 ,1",
            {"a": (0,), "b": (0, 1)},
            3,
        ),
        # Lists.
        ("id,labels\na,cat;0\nb,1\n", {"a": (0, 2), "b": (1,)}, 3),
        ("id,labels,,\na,cat,dog,\nb,1,,\n", {"a": (0, 2), "b": (1,)}, 3),
        ("id,cat\na,1\nb,0\n", {"a": (1,), "b": (0,)}, 3),
        ("a,0,1\nb,1,2 1\n", {"a": (0, 1), "b": (1, 2)}, 3),
    ],
)
def test_lists_and_columns(tmp_path, text, expected, num_classes):
    vocabulary = None if num_classes == 5 else _CLASSES
    found = _read(tmp_path / "a.csv", text, vocabulary)
    assert found == (expected, num_classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,cat,dog\na,1,0\nb,0,2\n",
            r"line 3, column 3 \(dog\): expected 0 or 1, .* line 1 is to be "
            "'id,labels'. Received: '2'",
        ),
        ("id,cat,dog\na,,0\n", r"line 2, column 2 \(cat\): .*Received: ''"),
        ("id,cat,dog\na,1\n", "line 2: expected 0 or 1 for each of the 2 c"),
        ("id,cat,dog\na,1,0,1\n", "line 2: expected 0 or 1 .*: 3 cells"),
        ("id,cat,dog\n,1,0\n", "line 2: expected an id and labels"),
        ("id,cat,2\na,1,0\n", "line 1, column 3: .*'2', the class of column 2"),
        ("id,cat,ox\na,1,0\n", "line 1, column 3: .* Received: 'ox', neither"),
        ("id,cat,twin\na,1,0\n", "line 1, column 3: .*a name of several"),
        ("id,cat,0;1\na,1,0\n", "line 1, column 3: .* of each class once"),
        ("id,cat,\na,1,0\n", "line 1, column 3: .* of each class once"),
        ("id,0,3\na,1,0\n", "line 1, column 3: .* labels from 0 to 2"),
        (
            "a,0,1,0\n",
            "line 1: expected numbers of classes, each once; where there is 0 "
            "or 1 for each class, line 1 is to be 'id' and the names",
        ),
    ],
)
def test_what_is_neither(tmp_path, text, message):
    with pytest.raises(readers.DataError, match=f"a.csv: {message}"):
        _read(tmp_path / "a.csv", text, _CLASSES, 3)


def test_compressed(tmp_path):
    path = tmp_path / "a.csv.gz"
    content = gzip.compress(b"\xef\xbb\xbfid,0,1\nabcd,0,1\n")
    path.write_bytes(content)
    table = label_csv.read(str(path))
    assert [*table.rows()] == [(2, "abcd", ["1"])]
    path.write_bytes(content[:-9])
    with pytest.raises(ValueError, match="a CSV file that gzip compressed, wh"):
        label_csv.read(str(path))
