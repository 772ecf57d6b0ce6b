"""Tests of lists of classes."""

import pytest

from yt8m_compact import readers
from yt8m_compact.predictions import class_list


@pytest.mark.parametrize("text", ["Index\n3\n0\n", "3\n0\n"])
def test_read(tmp_path, text):
    path = tmp_path / "ids"
    path.write_text(text)
    assert class_list.read_class_list(str(path), 5) == [3, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Index\n", "expected a class or more. Received: none"),
        (
            "Index\n3\n5\n",
            "line 3: expected a class from 0 to 4. Received: '5'",
        ),
        ("Index\nx\n", "line 2: expected a class from 0 to 4. Received: 'x'"),
        ("3\n1\n3\n", "line 3: expected each class once, as on line 1. Rec"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    path = tmp_path / "ids"
    path.write_text(text)
    with pytest.raises(readers.DataError, match=f"{path}: {message}"):
        class_list.read_class_list(str(path), 5)
