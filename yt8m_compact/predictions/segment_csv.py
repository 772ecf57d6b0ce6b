"""The CSV of the third YouTube-8M challenge, of 2019: a line a class.

The header `Class,Segments`, then lines of a class, a comma, and the segments
of 5 s in which it is likeliest, best first, `id:start` each, separated by
spaces.
"""

from collections.abc import Iterator, Sequence
import re

from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors

HEADER = "Class,Segments"
# What the challenge counts of a class.
TOP_SEGMENTS = 100_000
_SEGMENT = re.compile(r"[^ ]+:[0-9]+")
_SEGMENTS = re.compile(r"(?:[^ ]+:[0-9]+(?: (?=.)|$))*")


def format_line(label: int, segments: Sequence[bytes]) -> str:
    """Writes a line.

    Args:
        label: the class.
        segments: ids, best first.
    """
    return f"{label},{b' '.join(segments).decode()}\n"


def read(
    path: str, num_classes: int | None = None
) -> Iterator[tuple[int, int, list[bytes]]]:
    """Reads a file.

    Args:
        path: the file.
        num_classes: the number of classes, None where it is not known.

    Yields:
        The number of each line, its class, and the ids of its segments.

    Raises:
        DataError: if a line is anything else, or a class or a segment of it
            is there twice; the error names the line.
    """
    lines = text_lines.read_lines(path)
    kaggle_csv.expect_header(path, next(lines, (1, "")), HEADER)
    met: dict[int, int] = {}
    for number, line in lines:
        where = f"{path}: line {number}"
        first, words = kaggle_csv.split_line(path, number, line)
        label = _class_of(first, num_classes, where)
        if label in met:
            raise errors.DataError(
                f"{where}: expected each class once. Received: class {label}, "
                f"which is on line {met[label]} too"
            )
        met[label] = number
        if len({*words}) != len(words):
            raise errors.DataError(
                f"{where}: expected each segment once. Received: "
                f"{_first_again(words)} a second time"
            )
        # 100,000 of a line, of which one look says that all are right.
        if not _SEGMENTS.fullmatch(" ".join(words)):
            wrong = next(w for w in words if not _SEGMENT.fullmatch(w))
            raise errors.DataError(
                f"{where}: expected segments, id:start. Received: "
                f"{text_lines.shown(wrong)!r}"
            )
        yield number, label, [word.encode() for word in words]


def _class_of(text: str, num_classes: int | None, where: str) -> int:
    label = int(text) if text.isdecimal() and text.isascii() else -1
    if label < 0 or (num_classes is not None and label >= num_classes):
        named = (
            "0 or more" if num_classes is None else f"0 to {num_classes - 1}"
        )
        raise errors.DataError(
            f"{where}: expected a class from {named}. Received: "
            f"{text_lines.shown(text)!r}"
        )
    return label


def _first_again(words: list[str]) -> str:
    met = set()
    for word in words:
        if word in met:
            return word
        met.add(word)
    return ""
