"""The CSV of the first two YouTube-8M challenges, a line a video.

The header `VideoId,LabelConfidencePairs`, then lines of an id, a comma, and
pairs of class and probability, all separated by spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
import itertools

from yt8m_compact import lazy
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np

HEADER = "VideoId,LabelConfidencePairs"
# Of 20 classes each: some 3 MB of Python's objects.
_BLOCK_LINES = 1024


def format_rows(rows: rows_lib.Rows) -> str:
    """Writes rows as lines of the CSV, scores with six digits.

    Args:
        rows: the rows.
    """
    classes, scores = rows.classes.tolist(), rows.scores.tolist()
    pairs = list(
        itertools.chain.from_iterable(zip(classes, scores, strict=True))
    )
    starts = (2 * rows.starts).tolist()
    lines, formats = [], {}
    for row_id, start, end in zip(
        rows.ids, starts[:-1], starts[1:], strict=True
    ):
        # One format for a line: a third of the time of one for each pair.
        size = (end - start) // 2
        if size not in formats:
            formats[size] = "%s," + " ".join(["%d %g"] * size) + "\n"
        lines.append(formats[size] % (row_id.decode(), *pairs[start:end]))
    return "".join(lines)


def read(path: str) -> Iterator[rows_lib.Rows]:
    """Reads the rows of a file whose first line is the header.

    Args:
        path: the file.

    Yields:
        Some rows each.

    Raises:
        DataError: if a line is anything else; the error names it.
    """
    lines = text_lines.read_lines(path)
    expect_header(path, next(lines, (1, "")), HEADER)
    while block := list(itertools.islice(lines, _BLOCK_LINES)):
        yield _parse(path, block)


def expect_header(path: str, line: tuple[int, str], header: str) -> None:
    """Refuses another first line.

    Args:
        path: the file.
        line: its first line, with its number.
        header: what it is to be; a mark of UTF-8 before it is let pass.

    Raises:
        DataError: if it is not.
    """
    text = line[1].removeprefix("\ufeff")
    if text != header:
        raise errors.DataError(
            f"{path}: line 1: expected the header {header}. Received: "
            f"{text_lines.shown(text)!r}"
        )


def split_line(path: str, number: int, line: str) -> tuple[str, list[str]]:
    """Splits a line into its id and what the other column lists.

    Args:
        path: the file, for the error.
        number: of the line.
        line: the line.

    Returns:
        The first column, and the words of the second.

    Raises:
        DataError: if there are no two columns, or the first is empty.
    """
    first, comma, second = line.partition(",")
    if not first or not comma or "," in second:
        raise errors.DataError(
            f"{path}: line {number}: expected two columns. Received: "
            f"{text_lines.shown(line)!r}"
        )
    return first, second.split()


def _parse(path: str, block: list[tuple[int, str]]) -> rows_lib.Rows:
    ids, counts = [], []
    classes: list[int] = []
    scores: list[float] = []
    for number, line in block:
        row_id, words = split_line(path, number, line)
        try:
            # Python's own numbers may have underscores between digits.
            if len(words) % 2 or "_" in line[len(row_id) :]:
                raise ValueError
            classes += map(int, words[::2])
            scores += map(float, words[1::2])
        except ValueError:
            raise errors.DataError(
                f"{path}: line {number}: expected pairs of a class and a score "
                f"after the comma. Received: {_first_wrong(words)}, of {row_id}"
            ) from None
        ids.append(row_id.encode())
        counts.append(len(words) // 2)
    return rows_lib.Rows(
        ids,
        np.array(counts, np.int64),
        class_array(classes),
        np.array(scores, np.float32),
        np.array([number for number, _ in block]),
    )


def class_array(classes: list[int]) -> np.ndarray:
    """Makes an array; what is no int32 becomes -1, which is refused."""
    try:
        return np.array(classes, np.int32)
    except OverflowError:
        limit = np.iinfo(np.int32).max
        return np.array([c if 0 <= c <= limit else -1 for c in classes])


def _first_wrong(words: list[str]) -> str:
    """Names the first word that is no class or no score."""
    for index, word in enumerate(words):
        kind = float if index % 2 else int
        try:
            if "_" in word:
                raise ValueError
            kind(word)
        except ValueError:
            name = "score" if index % 2 else "class"
            return f"{name}={text_lines.shown(word)!r}"
    return f"{len(words)} values, the last without a partner"
