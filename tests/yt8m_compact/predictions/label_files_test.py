"""Tests of files of labels and of ratings."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from yt8m_compact import predictions
from yt8m_compact import readers
from yt8m_compact.predictions import label_files

CSV = "VideoId,Labels\nbb,4 0\naa,\na-much-longer-id-than-16-bytes,2 3 2\n"
LONG = "a-much-longer-id-than-16-bytes"


def write_json(path):
    path.write_text(
        "".join(
            json.dumps({"id": name, "labels": labels}) + "\n"
            for name, labels in [("bb", [4, 0]), ("aa", []), (LONG, [2, 3, 2])]
        )
    )


def write_parquet(path):
    values = {"id": ["bb", "aa", LONG], "labels": [[4, 0], [], [2, 3, 2]]}
    pyarrow.parquet.write_table(pyarrow.table(values), path)


@pytest.mark.parametrize(
    "write",
    [lambda path: path.write_text(CSV), write_json, write_parquet],
    ids=["csv", "json", "parquet"],
)
def test_labels(tmp_path, write):
    path = tmp_path / "labels"
    write(path)
    assert label_files.is_label_file(str(path))
    counted = []
    table = predictions.read_label_file(str(path), 5, counted.append)
    assert sum(counted) == len(table) == 3
    # A label that is repeated counts once.
    assert table.num_labels == 4
    videos, found = table.find([LONG.encode(), b"aa", b"x", b"bb"])
    assert found.tolist() == [True, True, False, True]
    counts, labels = table.labels_of(videos[found])
    assert counts.tolist() == [2, 0, 2]
    assert labels.tolist() == [2, 3, 0, 4]
    assert table.name(videos[[1, 3]]) == "aa, bb"
    assert table.name(np.array([0] * 4)).endswith(", ...")


@pytest.mark.parametrize(
    "text",
    [
        f"id,labels\nbb,4 0\naa,1\n{LONG},2;3",
        f"bb,emu;0\naa,bee\n{LONG},3,2\n",
        f"id,0,bee,2,3,emu\nbb,1,0,0,0,1\naa,0,1,0,0,0\n{LONG},0,0,1,1,0\n",
    ],
)
def test_labels_as_conversion_reads_them(tmp_path, text):
    path = tmp_path / "labels"
    path.write_text(text)
    assert label_files.is_label_file(str(path))
    table = predictions.read_label_file(
        str(path), 5, vocabulary={"bee": 1, "emu": 4}
    )
    videos, found = table.find([LONG.encode(), b"aa", b"bb"])
    assert found.all()
    counts, labels = table.labels_of(videos)
    assert counts.tolist() == [2, 1, 2]
    assert labels.tolist() == [2, 3, 1, 0, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Class,Segments\n", "line 1: expected the header VideoId,Labels"),
        ("SegmentId,Class,Score\n", "line 1: expected the header VideoId,L"),
        (
            "id,labels\na,bee\n",
            r"line 2: expected .*\(0 names\).*'bee', neither; set vocabulary_"
            "file, which has the names of all classes",
        ),
        ("id,labels\na,1\nb,5\n", "line 3: expected one or more labels from 0"),
        ("id,labels\na,1\na,2\n", "expected the labels of each video once"),
        ("id,labels\na,\n", "line 2: expected one or more labels from 0 to 4"),
        ("id,labels\n", "expected the labels of a video or more. Received: n"),
        ("id,0,1\na,0,7\n", r"line 2, column 3 \(1\): expected 0 or 1"),
        ("VideoId,LabelConfidencePairs\n", "line 1: expected the header Video"),
        ("VideoId,Labels\n", "expected the labels of a video or more. Receive"),
        (
            "VideoId,Labels\na,1\nb,5\n",
            "line 3: expected labels from 0 to 4. R",
        ),
        (
            "VideoId,Labels\na,1\nb,1 -1\n",
            "line 3: expected classes, whole num",
        ),
        ("VideoId,Labels\na,1\nb,0.5\n", "line 3: .*Received: '0.5', of b"),
        (
            "VideoId,Labels\na,1\nb,1\na,1\n",
            ".*'a' twice, on line 2 and line 4",
        ),
        ("VideoId,Labels\na,1\nb,1", "line 3: expected the end of a line"),
        (
            '{"id": "a", "labels": [-1]}\n',
            "line 1: expected labels from 0 to 4",
        ),
        ('{"id": "a", "labels": 1}\n', 'line 1: expected "labels", a list'),
        ('{"id": "a"}\n', 'line 1: expected "labels", a list'),
    ],
)
def test_labels_that_are_refused(tmp_path, content, message):
    path = tmp_path / "labels"
    path.write_text(content)
    with pytest.raises(readers.DataError, match=f"{path}: {message}"):
        predictions.read_label_file(str(path), 5)


RATINGS = "SegmentId,Class,Score\na:0,3,1\na:0,2,0\nb:5,3,0.0\nb:5,3,0\n"


def test_ratings(tmp_path):
    path = tmp_path / "ratings"
    path.write_text(RATINGS)
    assert label_files.is_label_file(str(path))
    table = predictions.read_rating_file(str(path), 5)
    assert (len(table), table.num_segments) == (3, 2)
    assert table.positives() == {3: 1}
    segments = [b"b:5", b"c:0", b"a:0"]
    assert table.ratings_of(3, segments)[1].tolist() == [False, True]
    assert table.ratings_of(2, segments)[1].tolist() == [False]
    assert table.ratings_of(4, segments)[1].tolist() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("SegmentId,Class\n", "line 1: expected the header SegmentId,Class,Sc"),
        (
            "SegmentId,Class,Score\n",
            "expected a rating or more. Received: none",
        ),
        (
            RATINGS + "a:0,5,1\n",
            "line 6: expected a segment id:start, a class f",
        ),
        (RATINGS + "a,1,1\n", "line 6: expected a segment id:start"),
        (RATINGS + "a:0,1,0.5\n", "line 6: expected a segment"),
        (RATINGS + "a:0,1\n", "line 6: expected a segment"),
        (RATINGS + "a:0,3,0\n", "two that differ, of class 3 in a:0"),
    ],
)
def test_ratings_that_are_refused(tmp_path, content, message):
    path = tmp_path / "ratings"
    path.write_text(content)
    with pytest.raises(readers.DataError, match=f"{path}: .*{message}"):
        predictions.read_rating_file(str(path), 5)


def test_other_files_are_no_labels(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(range(256)))
    assert not label_files.is_label_file(str(path))
