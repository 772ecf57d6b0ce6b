"""Tests of the CSV of the challenge of 2019."""

import re

import pytest

from yt8m_compact import readers
from yt8m_compact.predictions import segment_csv

HEADER = "Class,Segments\n"


def read(path, content):
    path.write_text(content)
    return list(segment_csv.read(str(path), 10))


def test_read(tmp_path):
    content = HEADER + "7,aaaa:0 b:c:15\n3,\n"
    assert read(tmp_path / "file", content) == [
        (2, 7, [b"aaaa:0", b"b:c:15"]),
        (3, 3, []),
    ]


def test_format():
    assert segment_csv.format_line(7, [b"a:0", b"b:5"]) == "7,a:0 b:5\n"
    assert segment_csv.format_line(3, []) == "3,\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: expected the header Class,Segments. Received: ''"),
        ("Class,Segment\n", "line 1: expected the header Class,Segments"),
        (HEADER + "7 a:0\n", "line 2: expected two columns"),
        (HEADER + "x,a:0\n", "line 2: expected a class from 0 to 9. Received"),
        (HEADER + "10,a:0\n", "line 2: expected a class from 0 to 9.*'10'"),
        (HEADER + "-1,a:0\n", "line 2: expected a class from 0 to 9.*'-1'"),
        (
            HEADER + "1,a:0\n2,\n1,b:0\n",
            "line 4: .*class 1, which is on line 2",
        ),
        (HEADER + "1,a:0 b:0 a:0\n", "line 2: expected each segment once.*a:0"),
        (HEADER + "1,a:0 b\n", "line 2: expected segments, id:start.*'b'"),
        (HEADER + "1,a:0 b:x\n", "line 2: expected segments, id:start.*'b:x'"),
        (HEADER + "1,a:0 :5\n", "line 2: expected segments, id:start.*':5'"),
        (HEADER + "1,a:0 b:٣\n", "line 2: expected segments, id:start.*'b:٣'"),
        (HEADER + "1,a:0", "line 2: expected the end of a line"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    path = tmp_path / "file"
    with pytest.raises(readers.DataError, match=f"{path}: {message}"):
        read(path, content)


def test_classes_are_not_limited_where_their_number_is_not_known(tmp_path):
    path = tmp_path / "file"
    path.write_text(HEADER + "4000,a:0\n")
    assert [row[1] for row in segment_csv.read(str(path))] == [4000]
    path.write_text(HEADER + "x,a:0\n")
    with pytest.raises(readers.DataError, match=re.escape("from 0 or more")):
        list(segment_csv.read(str(path)))
