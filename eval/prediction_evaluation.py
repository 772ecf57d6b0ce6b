"""Evaluation of files of predictions, whoever wrote them."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import tabulate

from yt8m_compact import lazy
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.eval import listed_metrics
from yt8m_compact.eval import segment_map
from yt8m_compact.predictions import label_files
from yt8m_compact.predictions import segment_csv
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import files as record_files

with lazy.imports():
    from yt8m_compact.eval import record_labels

_FORMATS = "CSV, JSON lines, Parquet, or what yt8m-predict wrote"
_PREDICTIONS = record_files.FileKind(
    f"file of predictions ({_FORMATS})",
    f"files of predictions ({_FORMATS})",
    ".csv",
)
_LABEL_FILE = "one file of labels (CSV of VideoId,Labels, JSON lines, Parquet)"
_LABELS = record_files.FileKind(
    f"TFRecord file, or {_LABEL_FILE}", f"TFRecord files, or {_LABEL_FILE}"
)
_NAMES = {
    "gap": "GAP@{top_k}",
    "hit_at_1": "Hit@1",
    "perr": "PERR",
    "map": "MAP",
    "map_at_k": "MAP@{map_at_k:,}",
    "num_examples": "videos",
    "num_rated_listed": "rated segments listed",
    "num_classes_with_positives": "classes with labels",
}
_SHIFT = 40


@dataclasses.dataclass(frozen=True)
class PredictionReport:
    """What an evaluation of files found.

    Attributes:
        predictions: the files of predictions, as they were named.
        labels: those of labels.
        format: the format of the predictions.
        metrics: value of each metric.
        top_k: how many predictions of each video GAP counts.
        segment_map_k: how many segments of each class MAP@K counts.
    """

    predictions: str
    labels: str
    format: str
    metrics: dict[str, float | int | None]
    top_k: int
    segment_map_k: int

    def to_dict(self) -> dict[str, Any]:
        """Writes the report as a dict that JSON can hold."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """Writes the report as a table of text."""
        rows = []
        for key, value in self.metrics.items():
            if value is None:
                continue
            name = _NAMES[key].format(
                top_k=self.top_k, map_at_k=self.segment_map_k
            )
            text = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
            rows.append([name, text])
        table = tabulate.tabulate(
            rows,
            ["metric", "value"],
            disable_numparse=True,
            colalign=["left", "right"],
        )
        return f"{self.predictions} against {self.labels}\n\n{table}"


def evaluate_predictions(
    predictions: str,
    labels: str,
    *,
    num_classes: int | None,
    top_k: int = 20,
    segment_map_k: int = segment_csv.TOP_SEGMENTS,
) -> PredictionReport:
    """Evaluates predictions against labels.

    Predictions by video (`VideoId,LabelConfidencePairs`, JSON lines, Parquet,
    scores of a teacher) have GAP, Hit@1, PERR and MAP; each video that has
    labels must be there once, and no other. Predictions by class
    (`Class,Segments`) have MAP@K, against rated segments.

    Args:
        predictions: files: glob patterns, comma-separated.
        labels: a file of labels, or glob patterns of TFRecord files.
        num_classes: the number of classes; None for what is said beside the
            labels, or else that of YouTube-8M of 2018.
        top_k: how many predictions of each video GAP counts.
        segment_map_k: how many segments of each class MAP@K counts.

    Returns:
        The report.

    Raises:
        DataError: if a file is not what it is to be, or a video is missing,
            unknown or there twice; the error names the file and the line.
        ValueError: if there is no label, or a number is out of its range.
        OSError: if a file can't be read.
    """
    files = readers.expand_patterns(predictions, _PREDICTIONS)
    kind = predictions_lib.recognise(files[0])
    label_paths = readers.expand_patterns(labels, _LABELS)
    if num_classes is None:
        said = readers.find_features(label_paths)
        num_classes = (said and said.num_classes) or feature_spec.NUM_CLASSES
    if kind is predictions_lib.Format.SEGMENTS:
        if len(files) > 1:
            raise readers.DataError(
                f"{files[1]}: expected one file of segments by class, which "
                f"ranks all of them. Received: {len(files)} files"
            )
        ratings = read_ratings(label_paths, num_classes)
        best = (
            (label, segments)
            for _, label, segments in segment_csv.read(files[0], num_classes)
        )
        metrics = segment_map.segment_map(best, ratings, segment_map_k)
    else:
        table = read_labels(label_paths, num_classes)
        metrics = _evaluate_rows(files, table, num_classes, top_k)
    return PredictionReport(
        predictions, labels, kind.value, metrics, top_k, segment_map_k
    )


def read_labels(
    files: Sequence[str], num_classes: int
) -> predictions_lib.LabelTable:
    """Reads labels of videos from one file of labels, or from records.

    Args:
        files: names of files.
        num_classes: the number of classes.

    Returns:
        The labels.

    Raises:
        DataError: if a file is not what it is to be.
    """
    with progress.count_bar("labels", None, " videos") as bar:
        if label_files.is_label_file(files[0]):
            _expect_one(files)
            return predictions_lib.read_label_file(
                files[0], num_classes, bar.update
            )
        return record_labels.read_record_labels(files, num_classes, bar.update)


def read_ratings(
    files: Sequence[str], num_classes: int
) -> predictions_lib.RatingTable:
    """Reads ratings of segments from one file of ratings, or from records.

    Args:
        files: names of files.
        num_classes: the number of classes.

    Returns:
        The ratings.

    Raises:
        DataError: if a file is not what it is to be.
    """
    with progress.count_bar("ratings", None, " videos") as bar:
        if label_files.is_label_file(files[0]):
            _expect_one(files)
            return predictions_lib.read_rating_file(files[0], num_classes)
        return record_labels.read_record_ratings(files, num_classes, bar.update)


def _expect_one(files: Sequence[str]) -> None:
    if len(files) > 1:
        raise readers.DataError(
            f"{files[1]}: expected one file of labels, or TFRecord files. "
            f"Received: {len(files)} files of labels; join them"
        )


def _evaluate_rows(
    files: Sequence[str],
    table: predictions_lib.LabelTable,
    num_classes: int,
    top_k: int,
) -> dict[str, float | int | None]:
    metrics = listed_metrics.ListedMetrics(num_classes, top_k)
    met = _Met(files, table)
    with progress.count_bar("predictions", len(table), " videos") as bar:
        for number, file in enumerate(files):
            for rows in predictions_lib.read_rows(file, num_classes):
                videos = met.add(number, rows)
                metrics.update(rows, *table.labels_of(videos))
                bar.update(len(rows))
    met.expect_all()
    return metrics.result()


class _Met:
    """Which videos have been met, and where."""

    def __init__(
        self, files: Sequence[str], table: predictions_lib.LabelTable
    ) -> None:
        self._files = files
        self._table = table
        # The number of the file and that of the line, 0 where not met yet.
        self._places = np.zeros(len(table), np.int64)

    def add(self, file: int, rows: predictions_lib.Rows) -> np.ndarray:
        """Adds rows of a file; returns the numbers of their videos."""
        videos, found = self._table.find(rows.ids)
        if not found.all():
            row = int(np.argmin(found))
            raise readers.DataError(
                f"{self._files[file]}: line {rows.lines[row]}: expected a "
                f"video of {self._table.where}. Received: "
                f"{rows.ids[row].decode(errors='replace')!r}, which has no "
                "labels there; name the labels of all videos, or leave out "
                "the line"
            )
        places = (file << _SHIFT) | rows.lines
        order = np.argsort(videos, kind="stable")
        again = np.zeros(len(videos), bool)
        again[order[1:]] = np.diff(videos[order]) == 0
        again |= self._places[videos] > 0
        if again.any():
            row = int(np.argmax(again))
            first = self._places[videos[row]]
            if not first:
                first = places[np.argmax(videos == videos[row])]
            raise readers.DataError(
                f"{self._files[file]}: line {rows.lines[row]}: expected each "
                f"video once. Received: "
                f"{rows.ids[row].decode(errors='replace')!r}, which is on line "
                f"{first & ((1 << _SHIFT) - 1)} of "
                f"{self._files[first >> _SHIFT]} too"
            )
        self._places[videos] = places
        return videos

    def expect_all(self) -> None:
        """Refuses that videos with labels have no predictions."""
        missing = np.flatnonzero(self._places == 0)
        if len(missing):
            raise readers.DataError(
                f"{', '.join(self._files)}: expected predictions of all "
                f"{len(self._table):,} videos of {self._table.where}. "
                f"Received: none of {len(missing):,} of them, such as "
                f"{self._table.name(missing)}"
            )
