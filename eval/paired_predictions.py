"""Predictions of files, each beside the labels of its video."""

from __future__ import annotations

from collections.abc import Sequence
import re

import numpy as np

from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.eval import listed_metrics

# The line of a file, below the number of the file.
_SHIFT = 40
_SEGMENT = re.compile(rb".+:[0-9]+")


def collect(
    files: Sequence[str],
    table: predictions_lib.LabelTable,
    num_classes: int,
    top_k: int,
) -> tuple[listed_metrics.ListedMetrics, np.ndarray]:
    """Reads predictions of all videos that have labels.

    Args:
        files: Names of files, which together have each video once.
        table: The labels.
        num_classes: The number of classes.
        top_k: How many predictions of each video GAP counts.

    Returns:
        The metrics, to be computed; and int64 `[videos]`, the number in the
        table of each video, in the order in which they were added.

    Raises:
        DataError: If a file is not what it is to be, or a video is missing,
            unknown or there twice; the error names the file and the line.
        ValueError: If Parquet is to be read and pyarrow is not installed.
    """
    metrics = listed_metrics.ListedMetrics(num_classes, top_k)
    met = _MetVideos(files, table)
    numbers = [np.zeros(0, np.int64)]
    with progress.count_bar("predictions", len(table), " videos") as bar:
        for number, file in enumerate(files):
            for rows in predictions_lib.read_rows(file, num_classes):
                videos = met.add(number, rows)
                if not met.num_unknown:
                    metrics.update(rows, *table.labels_of(videos))
                    numbers.append(videos)
                bar.update(len(rows))
    met.expect_all()
    return metrics, np.concatenate(numbers)


class _MetVideos:
    """Which videos have been met, and where.

    Attributes:
        num_unknown: How many were met that are not in the table.
    """

    def __init__(
        self, files: Sequence[str], table: predictions_lib.LabelTable
    ) -> None:
        self._files = files
        self._table = table
        # The number of the file and that of the line, 0 where not met yet.
        self._places = np.zeros(len(table), np.int64)
        self.num_unknown = 0
        self._unknown = ""

    def add(self, file: int, rows: predictions_lib.Rows) -> np.ndarray:
        """Adds rows of a file; returns the numbers of those that are known."""
        videos, found = self._table.find(rows.ids)
        if not found.all():
            if not self.num_unknown:
                self._unknown = self._describe(file, rows, int(found.argmin()))
            self.num_unknown += int(np.count_nonzero(~found))
            videos = videos[found]
        lines = rows.lines[found]
        places = (file << _SHIFT) | lines
        order = np.argsort(videos, kind="stable")
        again = np.zeros(len(videos), bool)
        again[order[1:]] = np.diff(videos[order]) == 0
        again |= self._places[videos] > 0
        if again.any() and not self.num_unknown:
            row = int(np.argmax(again))
            first = self._places[videos[row]]
            if not first:
                first = places[np.argmax(videos == videos[row])]
            before = self._files[first >> _SHIFT]
            hint = ""
            if before != self._files[file]:
                hint = (
                    "; the files of one --predictions are parts of one set, and"
                    " to compare files, name each by a --predictions of its own"
                )
            raise readers.DataError(
                f"{self._files[file]}: line {lines[row]}: expected each video "
                f"once. Received: {rows.ids[row].decode(errors='replace')!r}, "
                f"which is on line {first & ((1 << _SHIFT) - 1)} of {before} "
                f"too{hint}"
            )
        self._places[videos] = places
        return videos

    def expect_all(self) -> None:
        """Refuses videos that are unknown, and labels without predictions."""
        if self.num_unknown:
            more = self.num_unknown - 1
            others = f", as {more:,} more are" if more else ""
            raise readers.DataError(self._unknown.format(others=others))
        missing = np.flatnonzero(self._places == 0)
        if len(missing):
            raise readers.DataError(
                f"{', '.join(self._files)}: expected predictions of all "
                f"{len(self._table):,} videos of {self._table.where}. "
                f"Received: none of {len(missing):,} of them, such as "
                f"{self._table.name(missing)}"
            )

    def _describe(self, file: int, rows: predictions_lib.Rows, row: int) -> str:
        """Says which video is unknown, with a place for how many more are."""
        hint = "name the labels of all videos, or leave out the lines"
        if _SEGMENT.fullmatch(rows.ids[row]):
            hint = (
                "predictions of segments are compared as Class,Segments, which "
                "yt8m-predict writes with --format=segments"
            )
        text = (
            f"{self._files[file]}: line {rows.lines[row]}: expected a video of "
            f"{self._table.where}. Received: "
            f"{rows.ids[row].decode(errors='replace')!r}, which has no labels "
            "there"
        )
        return text.replace("{", "{{").replace("}", "}}") + "{others}; " + hint
