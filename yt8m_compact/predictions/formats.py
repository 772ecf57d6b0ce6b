"""Formats of predictions: by the suffix of a file, and by what is in it."""

from __future__ import annotations

from collections.abc import Iterator
import enum

from yt8m_compact import lazy
from yt8m_compact.predictions import json_lines
from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import parquet
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import segment_csv
from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

    from yt8m_compact.readers import score_files

# The name of the format is in the first record, behind its length and checksum.
_TEACHER = b"yt8m_compact teacher scores"
_LOOKED_AT = 4096


class Format(enum.StrEnum):
    """A format of predictions.

    Attributes:
        CSV: `VideoId,LabelConfidencePairs`, a line a video.
        JSONL: JSON lines, an object a video.
        PARQUET: Parquet, a row a video.
        TEACHER: TFRecord, scores for another model to learn from.
        SEGMENTS: `Class,Segments`, a line a class.

    Example:
        >>> [kind.value for kind in yt8m.predictions.Format]
        ['csv', 'jsonl', 'parquet', 'teacher', 'segments']
    """

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    TEACHER = "teacher"
    SEGMENTS = "segments"


_SUFFIXES = {
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV,
    ".jsonl": Format.JSONL,
    ".jsonl.gz": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".parquet": Format.PARQUET,
    ".tfrecord": Format.TEACHER,
}


def format_of_suffix(path: str) -> Format:
    """Returns the format that a file's name ends with; CSV if with none.

    Args:
        path: the file.

    Example:
        >>> yt8m.predictions.format_of_suffix("predictions.jsonl.gz")
        <Format.JSONL: 'jsonl'>
    """
    for suffix, kind in _SUFFIXES.items():
        if path.lower().endswith(suffix):
            return kind
    return Format.CSV


def recognise(path: str) -> Format:
    r"""Looks into a file of predictions for what it is, whatever its name.

    Args:
        path: the file.

    Returns:
        Its format.

    Raises:
        DataError: if it is none of them.
        OSError: if there is none.

    Example:
        >>> import pathlib
        >>> text = "VideoId,LabelConfidencePairs\nabcd,7 0.75 3 0.5\n"
        >>> _ = pathlib.Path("predictions.txt").write_text(text)
        >>> yt8m.predictions.recognise("predictions.txt")
        <Format.CSV: 'csv'>
    """
    with text_lines.open_bytes(path) as file:
        start = file.read(_LOOKED_AT)
    first = start.partition(b"\n")[0].strip().removeprefix(b"\xef\xbb\xbf")
    if start.startswith(b"PAR1"):
        return Format.PARQUET
    if _TEACHER in start:
        return Format.TEACHER
    if first.startswith(b"{"):
        return Format.JSONL
    if first.startswith(b"VideoId,"):
        return Format.CSV
    if first.startswith(b"Class,"):
        return Format.SEGMENTS
    raise errors.DataError(
        f"{path}: line 1: expected the header {kaggle_csv.HEADER} or "
        f"{segment_csv.HEADER}, JSON lines, Parquet, or what yt8m-predict "
        f"wrote. Received: {text_lines.shown(repr(first))}"
    )


def read_rows(
    path: str, num_classes: int | None = None
) -> Iterator[rows_lib.Rows]:
    r"""Reads a file of predictions of videos, whatever its format.

    Args:
        path: the file.
        num_classes: the number of classes, None where it is not known.

    Yields:
        Some rows each, checked.

    Raises:
        DataError: if the file is no such file or was cut, or a row is not what
            it is to be; the error names the file and the line.
        OSError: if there is none.
        ValueError: if it is Parquet and pyarrow is not installed.

    Example:
        >>> import pathlib
        >>> text = "VideoId,LabelConfidencePairs\nabcd,7 0.75 3 0.5\nefgh,1 1\n"
        >>> _ = pathlib.Path("a.csv").write_text(text)
        >>> for rows in yt8m.predictions.read_rows("a.csv", num_classes=10):
        ...     print(rows.ids, rows.classes.tolist(), rows.scores.tolist())
        [b'abcd', b'efgh'] [7, 3, 1] [0.75, 0.5, 1.0]
    """
    kind = recognise(path)
    readers = {
        Format.CSV: kaggle_csv.read,
        Format.JSONL: json_lines.read,
        Format.PARQUET: parquet.read,
        Format.TEACHER: _read_teacher,
    }
    if kind not in readers:
        raise errors.DataError(
            f"{path}: expected predictions by video. Received: the header "
            f"{segment_csv.HEADER}, of predictions by class"
        )
    for rows in readers[kind](path):
        yield rows_lib.check(rows, path, num_classes)


def _read_teacher(path: str) -> Iterator[rows_lib.Rows]:
    line = 1
    for ids, classes, scores in score_files.read_blocks(path):
        lines = np.arange(line, line + len(ids))
        line += len(ids)
        rows = rows_lib.from_arrays(ids, classes, scores.astype(np.float32))
        yield rows_lib.Rows(
            rows.ids, rows.counts, rows.classes, rows.scores, lines
        )
