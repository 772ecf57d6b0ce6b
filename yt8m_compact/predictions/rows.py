"""Predictions of some videos: of each, the classes listed, with scores."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact.readers import errors

with lazy.imports():
    import numpy as np


@dataclasses.dataclass(frozen=True)
class Rows:
    """Predictions of some videos, as many classes of each as were listed.

    Attributes:
        ids: bytes, of each video.
        counts: int64 `[rows]`, how many classes a row lists.
        classes: int32 `[sum(counts)]`, those of a row after those of the row
            before.
        scores: float32 `[sum(counts)]`.
        lines: int64 `[rows]`, the line or row of the file, the first one 1;
            None of rows that are not of a file.

    Example:
        >>> rows = yt8m.predictions.Rows(
        ...     ids=[b"abcd", b"efgh"],
        ...     counts=np.array([2, 1]),
        ...     classes=np.array([7, 3, 1], np.int32),
        ...     scores=np.array([0.75, 0.5, 1.0], np.float32),
        ... )
        >>> rows.starts.tolist(), rows.row_of_each.tolist()
        ([0, 2, 3], [0, 0, 1])
    """

    ids: Sequence[bytes]
    counts: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    lines: np.ndarray | None = None

    def __len__(self) -> int:
        """Returns the number of rows."""
        return len(self.ids)

    @property
    def starts(self) -> np.ndarray:
        """int64 `[rows + 1]`, where rows start, and where the last one ends."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @property
    def row_of_each(self) -> np.ndarray:
        """int64 `[sum(counts)]`, the row that each class is listed by."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


def from_arrays(
    ids: Sequence[bytes],
    classes: np.ndarray,
    scores: np.ndarray,
    min_score: float = 0.0,
) -> Rows:
    """Makes rows of as many classes each.

    Args:
        ids: bytes, of each video.
        classes: int `[rows, k]`, the best first.
        scores: float `[rows, k]`.
        min_score: the least score of a class that is listed.

    Returns:
        The rows.
    """
    listed = scores >= min_score
    return Rows(
        ids,
        np.count_nonzero(listed, axis=1),
        classes[listed].astype(np.int32),
        scores[listed],
    )


def check(rows: Rows, where: str, num_classes: int | None = None) -> Rows:
    """Checks what a file lists.

    Args:
        rows: of one file.
        where: its name.
        num_classes: the number of classes, None where it is not known.

    Returns:
        The rows.

    Raises:
        DataError: if a score is not in [0, 1], a class is none, or listed
            twice by a row; the error names the file and the line.
    """
    scores, classes = rows.scores, rows.classes
    last = np.inf if num_classes is None else num_classes - 1
    wrong = ~((scores >= 0) & (scores <= 1))  # Not NaN either.
    _refuse(rows, wrong, where, "scores from 0 to 1", "score {score}")
    named = "0 or more" if num_classes is None else f"0 to {last}"
    wrong = (classes < 0) | (classes > last)
    _refuse(rows, wrong, where, f"classes from {named}", "class {label}")
    row = rows.row_of_each
    order = np.lexsort((classes, row))
    again = np.zeros(len(classes), bool)
    again[order[1:]] = (np.diff(row[order]) == 0) & (
        np.diff(classes[order]) == 0
    )
    _refuse(
        rows, again, where, "each class once", "class {label} a second time"
    )
    return rows


def _refuse(
    rows: Rows, wrong: np.ndarray, where: str, expected: str, received: str
) -> None:
    if not wrong.any():
        return
    index = int(np.argmax(wrong))
    row = int(rows.row_of_each[index])
    text = received.format(score=rows.scores[index], label=rows.classes[index])
    raise errors.DataError(
        f"{where}: line {rows.lines[row]}: expected {expected}. Received: "
        f"{text}, of {rows.ids[row].decode(errors='replace')}"
    )
