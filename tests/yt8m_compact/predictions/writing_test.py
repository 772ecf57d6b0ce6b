"""Tests of files of predictions that are written."""

import gzip
import json
import os
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest

from yt8m_compact import files
from yt8m_compact import predictions
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import writing

IDS = [b"aaaa", b"a-_9", "é".encode()]
CLASSES = np.array([[1, 0, 2], [3, 1, 0], [2, 0, 1]])
SCORES = np.array(
    [[1.0, 0.123456789, 1e-10], [0.5, 0.25, 0.125], [0.1, 0.05, 0.01]],
    np.float32,
)
NAMES = ["Game", 'A "b"', "Vehicle", "Car"]
SUFFIXES = {"csv": "csv", "jsonl": "jsonl", "parquet": "parquet"}


def write(path, min_score=0.0, **kwargs):
    rows = rows_lib.from_arrays(IDS, CLASSES, SCORES, min_score)
    kind = predictions.format_of_suffix(str(path))
    with predictions.writing_rows(str(path), kind, **kwargs) as writer:
        writer.write(rows)
    return path


def test_csv(tmp_path):
    # %g writes scores in each of its ways.
    assert write(tmp_path / "out.csv").read_text() == (
        "VideoId,LabelConfidencePairs\n"
        "aaaa,1 1 0 0.123457 2 1e-10\n"
        "a-_9,3 0.5 1 0.25 0 0.125\n"
        "é,2 0.1 0 0.05 1 0.01\n"
    )


def test_least_score(tmp_path):
    assert write(tmp_path / "out.csv", 0.2).read_text().splitlines()[1:] == [
        "aaaa,1 1",
        "a-_9,3 0.5 1 0.25",
        "é,",
    ]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "parquet"])
def test_all_digits_are_read_again(tmp_path, suffix):
    path = write(tmp_path / f"out.{suffix}", 0.02, class_names=NAMES)
    (rows,) = predictions.read_rows(str(path), 4)
    assert rows.ids == IDS
    assert rows.counts.tolist() == [2, 3, 2]
    assert rows.classes.tolist() == [1, 0, 3, 1, 0, 2, 0]
    expected = SCORES[SCORES >= 0.02]
    np.testing.assert_array_equal(rows.scores, expected)


def test_names(tmp_path):
    lines = write(tmp_path / "out.jsonl", 0.2, class_names=NAMES)
    values = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [value["names"] for value in values] == [
        ['A "b"'],
        ["Car", 'A "b"'],
        [],
    ]
    assert list(values[0]) == ["id", "classes", "names", "scores"]
    path = write(tmp_path / "out.parquet", 0.2, class_names=NAMES)
    table = pyarrow.parquet.read_table(path)
    assert table.column_names == ["id", "classes", "names", "scores"]
    assert table["names"].to_pylist() == [value["names"] for value in values]
    assert table["id"].to_pylist() == ["aaaa", "a-_9", "é"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_embeddings(tmp_path, suffix):
    path = str(tmp_path / f"out.{suffix}")
    kind = predictions.format_of_suffix(path)
    with predictions.writing_rows(path, kind, embedding_size=3) as writer:
        writer.write_embeddings(IDS, SCORES - 0.5)
    if suffix == "jsonl":
        with open(path, encoding="utf-8") as file:
            values = [json.loads(line) for line in file]
    else:
        values = pyarrow.parquet.read_table(path).to_pylist()
    assert [value["id"] for value in values] == ["aaaa", "a-_9", "é"]
    found = np.array([value["embedding"] for value in values], np.float32)
    np.testing.assert_array_equal(found, SCORES - 0.5)


def test_segments(tmp_path):
    path = str(tmp_path / "out.csv")
    kind = predictions.Format.SEGMENTS
    with predictions.writing_rows(path, kind) as writer:
        writer.write_class(3, [b"a:0", b"b:5"])
    with open(path, encoding="utf-8") as file:
        assert file.read() == "Class,Segments\n3,a:0 b:5\n"
    assert predictions.recognise(path) is kind


def test_compressed_files_hold_no_time(tmp_path):
    first = write(tmp_path / "a.csv.gz").read_bytes()
    assert first == write(tmp_path / "b.csv.gz").read_bytes()
    plain = write(tmp_path / "c.csv").read_bytes()
    assert gzip.decompress(first) == plain


@pytest.mark.parametrize("kind", ["csv", "teacher", "segments"])
@pytest.mark.parametrize("what", ["class names", "embeddings"])
def test_what_a_format_can_not_hold(kind, what):
    with pytest.raises(ValueError, match=f"holds {what}: .*format={kind}"):
        writing.expect_holds(
            predictions.Format(kind),
            class_names=what == "class names",
            embeddings=what == "embeddings",
        )


def spoil(path, change):
    """Changes the file that is about to appear in a folder."""
    (name,) = os.listdir(path)
    with open(path / name, "r+b") as file:
        change(file)


@pytest.mark.parametrize(
    ("suffix", "change", "message"),
    [
        ("csv", lambda file: file.truncate(9), "Received: 9 of 106 bytes"),
        ("csv", lambda file: file.write(b"x"), "Received: other bytes"),
        ("jsonl.gz", lambda file: file.write(b"x"), "Received: other bytes"),
        ("parquet", lambda file: file.write(b"x"), "Received: other bytes"),
    ],
)
def test_a_disk_that_changes_bytes(
    tmp_path, monkeypatch, suffix, change, message
):
    compare = writing._compare

    def compare_spoilt(path, *args):
        spoil(tmp_path, change)
        return compare(path, *args)

    monkeypatch.setattr(writing, "_compare", compare_spoilt)
    with pytest.raises(OSError, match=f"expected to read what.*{message}"):
        write(tmp_path / f"out.{suffix}")
    assert not os.listdir(tmp_path)


def test_rows_that_parquet_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(writing.parquet, "count_rows", lambda path: 2)
    with pytest.raises(OSError, match="Received: 2 of 3 rows"):
        write(tmp_path / "out.parquet")
    assert not os.listdir(tmp_path)


def test_nothing_is_left_of_what_failed(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("before")
    with (
        pytest.raises(RuntimeError),
        predictions.writing_rows(str(path), predictions.Format.CSV) as writer,
    ):
        writer.write(rows_lib.from_arrays(IDS, CLASSES, SCORES))
        raise RuntimeError
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_through_an_open_file():
    code = (
        "from yt8m_compact import predictions\n"
        "kind = predictions.Format.JSONL\n"
        "with predictions.writing_rows('/dev/fd/1', kind) as writer: pass\n"
        "with predictions.writing_rows('/dev/fd/1', 'csv') as writer: pass\n"
    ).replace("'csv'", "predictions.Format.CSV")
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True
    )
    assert result.stdout == b"VideoId,LabelConfidencePairs\n"


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"yt8m-compact\[parquet\]"):
        write(tmp_path / "out.parquet")
    assert not os.listdir(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "parquet"])
def test_files_that_are_not_local(tmp_path, suffix):
    path = f"ram://{tmp_path.name}/out.{suffix}"
    files.tf.io.gfile.makedirs(f"ram://{tmp_path.name}")
    write(path)
    (rows,) = predictions.read_rows(path, 4)
    assert rows.ids == IDS
    np.testing.assert_allclose(rows.scores, SCORES.ravel(), rtol=1e-5)
    assert files.list_folder(f"ram://{tmp_path.name}") == [f"out.{suffix}"]
