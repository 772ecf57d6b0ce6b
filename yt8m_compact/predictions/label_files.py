"""Files of labels: CSV, JSON lines, Parquet."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from yt8m_compact.predictions import json_lines
from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import label_csv
from yt8m_compact.predictions import label_reader
from yt8m_compact.predictions import label_table
from yt8m_compact.predictions import parquet
from yt8m_compact.predictions import rating_table
from yt8m_compact.predictions import segment_csv
from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors

LABEL_HEADER = "VideoId,Labels"
RATING_HEADER = "SegmentId,Class,Score"
# Of what is read, or refused, by its header alone.
_HEADERS = (
    LABEL_HEADER,
    RATING_HEADER,
    kaggle_csv.HEADER,
    segment_csv.HEADER,
)
# A line or row of a file: its number, the id, and its labels.
_Row = tuple[int, bytes, list[int]]
_LOOKED_AT = 64


def is_label_file(path: str) -> bool:
    """Whether a file is of labels or ratings, by its first bytes.

    Args:
        path: the file.
    """
    with text_lines.open_bytes(path) as file:
        start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    # Records begin with their length, of which some bytes are zero.
    is_text = b"\0" not in start and b"," in start.partition(b"\n")[0]
    return is_text or start.startswith((b"PAR1", b"{"))


def is_rating_file(path: str) -> bool:
    """Whether a file is of ratings, by its first bytes.

    Args:
        path: the file.
    """
    with text_lines.open_bytes(path) as file:
        return file.read(64).removeprefix(b"\xef\xbb\xbf")[:10] == b"SegmentId,"


def read_label_file(
    path: str,
    num_classes: int,
    advance: Callable[[int], Any] = lambda number: None,
    *,
    vocabulary: Mapping[str, int | None] | None = None,
) -> label_table.LabelTable:
    r"""Reads the labels of videos.

    A CSV has the header `VideoId,Labels` and lines of an id, a comma and
    classes, separated by spaces; JSON lines have `id` and `labels`; Parquet has
    columns of these names. What `datasets.read_labels` reads of CSV is read,
    too: `id,labels`, with names of classes, or with 0 and 1 for each class.

    Args:
        path: the file.
        num_classes: the number of classes.
        advance: gets the number of videos that were read, again and again.
        vocabulary: the class by its name in lower case, None for a name of
            several; where there is none, a CSV has numbers.

    Returns:
        The labels.

    Raises:
        DataError: if it is no such file or was cut, or a row is not what it is
            to be; the error names the file and the line.
        ValueError: if it is a CSV that is damaged.
        OSError: if there is none.

    Example:
        >>> import pathlib
        >>> text = "VideoId,Labels\nabcd,7 3\nefgh,1\n"
        >>> _ = pathlib.Path("labels.csv").write_text(text)
        >>> table = yt8m.predictions.read_label_file("labels.csv", 10)
        >>> videos, known = table.find([b"abcd"])
        >>> table.labels_of(videos)[1].tolist()
        [3, 7]
    """
    with text_lines.open_bytes(path) as file:
        start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PAR1"):
        rows = _read_parquet(path)
    elif start.startswith(b"{"):
        rows = _read_json_lines(path)
    elif start.partition(b"\n")[0].strip().decode(errors="replace") in _HEADERS:
        rows = _read_csv(path)
    else:
        rows = _read_label_csv(path, num_classes, vocabulary)
    ids, counts, lines = [], array.array("q"), array.array("q")
    all_labels = array.array("i")
    for number, video_id, labels in rows:
        values = sorted({*labels})
        if values and not 0 <= values[0] <= values[-1] < num_classes:
            wrong = next(c for c in labels if not 0 <= c < num_classes)
            raise errors.DataError(
                f"{path}: line {number}: expected labels from 0 to "
                f"{num_classes - 1}. Received: {wrong}, of "
                f"{video_id.decode(errors='replace')}; set --num_classes to "
                "the number of classes, or correct the file"
            )
        ids.append(video_id)
        counts.append(len(values))
        lines.append(number)
        all_labels.extend(values)
        advance(1)
    if not ids:
        raise errors.DataError(
            f"{path}: expected the labels of a video or more. Received: none"
        )
    return label_table.LabelTable(
        ids,
        np.array(counts, np.int64),
        np.array(all_labels, np.int32),
        where=path,
        places=lines,
    )


def read_rating_file(path: str, num_classes: int) -> rating_table.RatingTable:
    r"""Reads ratings of segments, as those of YouTube-8M of 2019.

    A CSV with the header `SegmentId,Class,Score` and lines such as
    `abcd:35,7,1`: whether class 7 is in the 5 s from 35 on.

    Args:
        path: the file.
        num_classes: the number of classes.

    Returns:
        The ratings.

    Raises:
        DataError: if it is no such file or was cut, or a line is not what it
            is to be; the error names the line.
        OSError: if there is none.

    Example:
        >>> import pathlib
        >>> text = "SegmentId,Class,Score\nabcd:35,7,1\nabcd:40,7,0\n"
        >>> _ = pathlib.Path("ratings.csv").write_text(text)
        >>> table = yt8m.predictions.read_rating_file("ratings.csv", 10)
        >>> len(table), table.positives()
        (2, {7: 1})
    """
    lines = text_lines.read_lines(path)
    kaggle_csv.expect_header(path, next(lines, (1, "")), RATING_HEADER)
    segments, classes, positive = [], [], []
    for number, line in lines:
        words = line.split(",")
        if (
            len(words) != 3
            or not words[0].rpartition(":")[0]
            or not words[0].rpartition(":")[2].isdecimal()
            or not words[1].isdecimal()
            or not int(words[1]) < num_classes
            or words[2] not in ("0", "1", "0.0", "1.0")
        ):
            raise errors.DataError(
                f"{path}: line {number}: expected a segment id:start, a class "
                f"from 0 to {num_classes - 1}, and 0 or 1. Received: "
                f"{text_lines.shown(line)!r}"
            )
        segments.append(words[0].encode())
        classes.append(int(words[1]))
        positive.append(words[2] in ("1", "1.0"))
    if not segments:
        raise errors.DataError(
            f"{path}: expected a rating or more. Received: none"
        )
    return rating_table.RatingTable(
        segments, np.array(classes), np.array(positive), where=path
    )


def _read_csv(path: str) -> Iterator[_Row]:
    lines = text_lines.read_lines(path)
    kaggle_csv.expect_header(path, next(lines, (1, "")), LABEL_HEADER)
    for number, line in lines:
        video_id, words = kaggle_csv.split_line(path, number, line)
        wrong = [w for w in words if not (w.isdecimal() and w.isascii())]
        if wrong:
            raise errors.DataError(
                f"{path}: line {number}: expected classes, whole numbers. "
                f"Received: {text_lines.shown(wrong[0])!r}, of {video_id}"
            )
        yield number, video_id.encode(), [int(word) for word in words]


def _read_label_csv(
    path: str, num_classes: int, vocabulary: Mapping[str, int | None] | None
) -> Iterator[_Row]:
    """Reads what people write, as conversion does."""
    reader = label_reader.LabelReader(
        num_classes,
        vocabulary,
        advice="set vocabulary_file, which has the names of all classes",
    )
    table = label_csv.read(path)
    table.expect_columns(reader)
    for line, video_id, value in table.rows():
        where = f"{path}: line {line}"
        labels = reader.read(value, where)
        if not table.columns:
            reader.expect_some(labels, value, where)
        yield line, video_id.encode(), [*labels]


def _read_json_lines(path: str) -> Iterator[_Row]:
    for number, value in json_lines.read_objects(path):
        where = f"{path}: line {number}"
        labels = json_lines.numbers_of(value, "labels", int, where)
        yield number, json_lines.id_of(value, where), labels


def _read_parquet(path: str) -> Iterator[_Row]:
    columns = {"id": "text", "labels": "integers"}
    for start, ids, [(counts, values)] in parquet.read_columns(path, columns):
        ends = np.cumsum(counts)
        for row, (video_id, end) in enumerate(zip(ids, ends, strict=True)):
            labels = values[end - counts[row] : end].tolist()
            yield start + row, video_id, labels
