"""Tests of the formats of predictions: what is read, and what is refused."""

import gzip
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from yt8m_compact import predictions
from yt8m_compact import readers

HEADER = "VideoId,LabelConfidencePairs\n"
CSV = HEADER + "aaaa,3 0.5 0 0.25\nb-_9,\nccc:5,1 1\n"


def read(path, num_classes=5):
    rows = list(predictions.read_rows(str(path), num_classes))
    return [
        (row_id, classes.tolist(), scores.tolist(), line)
        for block in rows
        for row_id, classes, scores, line in zip(
            block.ids,
            np.split(block.classes, block.starts[1:-1]),
            np.split(block.scores, block.starts[1:-1]),
            block.lines.tolist(),
            strict=True,
        )
    ]


def rows_of(first_line):
    return [
        (b"aaaa", [3, 0], [0.5, 0.25], first_line),
        (b"b-_9", [], [], first_line + 1),
        (b"ccc:5", [1], [1.0], first_line + 2),
    ]


def write_parquet(path, **columns):
    values = {
        "id": ["aaaa", "b-_9", "ccc:5"],
        "classes": [[3, 0], [], [1]],
        "scores": [[0.5, 0.25], [], [1.0]],
        **columns,
    }
    values = {name: value for name, value in values.items() if value}
    pyarrow.parquet.write_table(pyarrow.table(values), path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_csv(tmp_path, end, mark):
    path = tmp_path / "any.name"
    path.write_bytes((mark + CSV).replace("\n", end).encode())
    assert predictions.recognise(str(path)) is predictions.Format.CSV
    assert read(path) == rows_of(2)


def test_compressed_csv(tmp_path):
    path = tmp_path / "out.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    assert read(path) == rows_of(2)


def test_json_lines(tmp_path):
    path = tmp_path / "out.jsonl"
    values = [
        {"id": "aaaa", "classes": [3, 0], "scores": [0.5, 0.25], "more": 1},
        {"id": "b-_9", "classes": [], "scores": []},
        {"scores": [1], "classes": [1], "id": "ccc:5"},
    ]
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    assert predictions.recognise(str(path)) is predictions.Format.JSONL
    assert read(path) == rows_of(1)


def test_parquet(tmp_path):
    path = tmp_path / "out.parquet"
    write_parquet(path)
    assert predictions.recognise(str(path)) is predictions.Format.PARQUET
    assert read(path) == rows_of(1)


def test_blocks_of_rows(tmp_path):
    # More lines than are parsed at once: ids, numbers of lines and the place
    # of what is wrong go on.
    path = tmp_path / "out.csv"
    lines = [f"v{i},{i % 5} {i / 5000}\n" for i in range(2500)]
    path.write_text(HEADER + "".join(lines))
    rows = read(path)
    assert [row[0] for row in rows] == [b"v%d" % i for i in range(2500)]
    assert [row[3] for row in rows] == list(range(2, 2502))
    path.write_text(HEADER + "".join(lines) + "w,1 2\n")
    with pytest.raises(readers.DataError, match="line 2502: expected scores"):
        read(path)


def csv(text):
    return (HEADER + "aaaa,1 0.5\n" + text).encode()


def json_line(**values):
    first = {"id": "aaaa", "classes": [1], "scores": [0.5]}
    return "".join(
        json.dumps(value) + "\n"
        for value in (first, {"id": "b", "classes": [], "scores": [], **values})
    ).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: expected the header VideoId,LabelConfidencePairs or"),
        (b"id,labels\n", r"Received: b'id,labels'"),
        (
            b"VideoId,Labels\naaaa,1\n",
            "line 1: expected the header VideoId,LabelConfidencePairs. "
            "Received: 'VideoId,Labels'",
        ),
        (b"Class,Segments\n", "expected predictions by video. Received: the"),
        (csv("b 1 0.5\n"), "line 3: expected two columns. Received: 'b 1 0.5'"),
        (csv(",1 0.5\n"), "line 3: expected two columns"),
        (csv("b,1,0.5\n"), "line 3: expected two columns"),
        (csv("b,1 0.5 2\n"), "line 3: .* Received: 3 values, the last without"),
        (csv("b,1 0,5\n"), "line 3: expected two columns"),
        (csv("b,1 x\n"), "line 3: expected pairs .* Received: score='x', of b"),
        (csv("b,1.0 .5\n"), "line 3: .* Received: class='1.0', of b"),
        (csv("b,1_0 .5\n"), "line 3: .* Received: class='1_0', of b"),
        (csv("b,1 nan\n"), "line 3: expected scores from 0 to 1. Received: sc"),
        (csv("b,1 inf\n"), "line 3: .* Received: score inf, of b"),
        (csv("b,1 -0.1\n"), "line 3: .* Received: score -0.1"),
        (csv("b,1 1.5\n"), "line 3: expected scores from 0 to 1.*score 1.5"),
        (
            csv("b,5 .5\n"),
            "line 3: expected classes from 0 to 4.*class 5, of b",
        ),
        (csv("b,-1 .5\n"), "line 3: expected classes from 0 to 4.*class -1"),
        (csv("b,99999999999 .5\n"), "line 3: expected classes from 0 to 4"),
        (
            csv("b,2 .5 1 .4 2 .3\n"),
            "line 3: expected each class once.*class 2",
        ),
        (csv("b,2 0.5"), "line 3: expected the end of a line.*file, which was"),
        (csv("").replace(b"aaaa", b"\xff"), "line 2: expected text in UTF-8"),
        (gzip.compress(csv("b,2 0.5\n"))[:-9], "expected what gzip compressed"),
        (
            # Of a file that is longer than what is looked at first.
            gzip.compress(csv("".join(f"{i},1 .5\n" for i in range(9000))))[
                :-9
            ],
            "line [89][0-9]{3}: expected what gzip compressed, whole",
        ),
        (json_line() + b"{\n", "line 3: expected a JSON object. Received: '{'"),
        (json_line() + b"[]\n", "line 3: expected a JSON object. Received"),
        (json_line(id=7), 'line 2: expected an "id" that is a text.*id=7'),
        (json_line(id=""), 'line 2: expected an "id"'),
        (json_line(classes=3), 'line 2: expected "classes", a list.*classes=3'),
        (
            json_line(classes=[1.5]),
            'line 2: expected whole numbers in "cl.*1.5',
        ),
        (json_line(classes=[True]), "line 2: expected whole numbers.*True"),
        (json_line(scores=["1"]), 'line 2: expected numbers in "scores".*'),
        (
            json_line(scores=[0.5]),
            "line 2: expected a score of each class.*: 0",
        ),
        (json_line(classes=[9], scores=[0.5]), "line 2: expected classes from"),
        (json_line(classes=[1], scores=[float("nan")]), "line 2: .*score nan"),
        (b"PAR1 and no more of it", "expected a Parquet file, whole, after 0"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(readers.DataError, match=f"{path}.*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"scores": None}, "expected a column scores of lists of floats. Rec"),
        ({"id": [1, 2, 3]}, "expected a column id of text. Received: id int64"),
        ({"classes": [[0.5], [], []]}, "column classes of lists of integers"),
        ({"id": ["a", None, "c"]}, "line 2: expected a value in the column id"),
        ({"id": ["a", "", "c"]}, "line 2: expected a value in the column id"),
        ({"scores": [[0.5, 0.1], None, [1.0]]}, "line 2: .* column scores"),
        ({"classes": [[3, 0], [], [None]]}, "line 3: .* in the column classes"),
        ({"scores": [[0.5], [], [1.0]]}, "line 1: expected a score of each cl"),
        ({"scores": [[0.5, 2.0], [], [1.0]]}, "line 1: .*score 2.0, of aaaa"),
        ({"classes": [[3, 0], [], [1 << 40]]}, "line 3: expected classes from"),
    ],
)
def test_what_is_refused_of_parquet(tmp_path, columns, message):
    path = tmp_path / "file"
    write_parquet(path, **columns)
    with pytest.raises(readers.DataError, match=f"{path}.*{message}"):
        read(path)


def test_parquet_that_was_cut(tmp_path):
    path = tmp_path / "file"
    write_parquet(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(readers.DataError, match="expected a Parquet file, wh"):
        read(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("out.csv", "csv"),
        ("out.CSV.gz", "csv"),
        ("out.jsonl", "jsonl"),
        ("out.jsonl.gz", "jsonl"),
        ("out.ndjson", "jsonl"),
        ("a/out.parquet", "parquet"),
        ("out.tfrecord", "teacher"),
        ("/dev/stdout", "csv"),
        ("jsonl", "csv"),
    ],
)
def test_format_of_suffix(path, kind):
    assert predictions.format_of_suffix(path) == kind
