"""Evaluation of files of predictions, whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

from yt8m_compact import lazy
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.eval import metric_table
from yt8m_compact.eval import paired_predictions
from yt8m_compact.eval import segment_map
from yt8m_compact.predictions import label_files
from yt8m_compact.predictions import label_reader
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
_LABEL_FILE = (
    "one file of labels (CSV of VideoId,Labels, of id,labels, or of id and a "
    "column of 0 and 1 for each class; JSON lines, Parquet)"
)
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
        starter_metrics: the values of the starter code, None if not asked for.
    """

    predictions: str
    labels: str
    format: str
    metrics: dict[str, float | int | None]
    top_k: int
    segment_map_k: int
    starter_metrics: dict[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Writes the report as a dict that JSON can hold."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """Writes the report as a table of text."""
        names = {
            key: name.format(top_k=self.top_k, map_at_k=self.segment_map_k)
            for key, name in _NAMES.items()
        }
        table = metric_table.format_metrics(
            names, self.metrics, self.starter_metrics
        )
        return f"{self.predictions} against {self.labels}\n\n{table}"


def evaluate_predictions(
    predictions: str,
    labels: str,
    *,
    num_classes: int,
    top_k: int = 20,
    segment_map_k: int = segment_csv.TOP_SEGMENTS,
    with_starter_metrics: bool = False,
    vocabulary: Mapping[str, int | None] | None = None,
) -> PredictionReport:
    """Evaluates predictions against labels.

    Predictions by video (`VideoId,LabelConfidencePairs`, JSON lines, Parquet,
    scores of a teacher) have GAP, Hit@1, PERR and MAP; each video that has
    labels must be there once, and no other. Predictions by class
    (`Class,Segments`) have MAP@K, against rated segments.

    Args:
        predictions: files: glob patterns, comma-separated.
        labels: a file of labels, or glob patterns of TFRecord files.
        num_classes: the number of classes.
        top_k: how many predictions of each video GAP counts.
        segment_map_k: how many segments of each class MAP@K counts.
        with_starter_metrics: whether to compute the starter code's values, of
            predictions by video.
        vocabulary: as of `read_labels`.

    Returns:
        The report.

    Raises:
        DataError: if a file is not what it is to be, or a video is missing,
            unknown or there twice; the error names the file and the line.
        ValueError: if there is no label, or a number is out of its range.
        OSError: if a file can't be read.
    """
    files, kind = find_files(predictions)
    starter = None
    if kind is predictions_lib.Format.SEGMENTS:
        ratings = read_ratings(labels, num_classes)
        ranked = rank_segments(files[0], ratings, num_classes, segment_map_k)
        metrics = ranked.result()
    else:
        table = read_labels(labels, num_classes, vocabulary)
        listed, _ = paired_predictions.collect(files, table, num_classes, top_k)
        metrics = listed.result()
        if with_starter_metrics:
            starter = listed.starter_result()
    return PredictionReport(
        predictions,
        labels,
        kind.value,
        metrics,
        top_k,
        segment_map_k,
        starter,
    )


def find_files(
    predictions: str,
) -> tuple[list[str], predictions_lib.Format]:
    """Finds files of predictions, and says what they are.

    Args:
        predictions: glob patterns, comma-separated.

    Returns:
        Their names, and the format of the first.

    Raises:
        DataError: if there is none, or the first is no such file, or of several
            files it is one of segments by class.
    """
    files = readers.expand_patterns(predictions, _PREDICTIONS)
    kind = predictions_lib.recognise(files[0])
    if kind is predictions_lib.Format.SEGMENTS and len(files) > 1:
        raise readers.DataError(
            f"{files[1]}: expected one file of segments by class, which "
            f"ranks all of them. Received: {len(files)} files; to compare "
            "files, name each by a --predictions of its own"
        )
    return files, kind


def rank_segments(
    path: str,
    ratings: predictions_lib.RatingTable,
    num_classes: int,
    k: int = segment_csv.TOP_SEGMENTS,
) -> segment_map.RankedSegments:
    """Reads segments by class, and finds those that are rated.

    Args:
        path: the file.
        ratings: what people said.
        num_classes: the number of classes.
        k: how many segments of each class count.

    Returns:
        They.

    Raises:
        DataError: if the file is not what it is to be.
        ValueError: as of `segment_map.rank`.
    """
    best = (
        (label, segments)
        for _, label, segments in segment_csv.read(path, num_classes)
    )
    return segment_map.rank(best, ratings, k)


def find_num_classes(
    labels: str, vocabulary: Mapping[str, int | None] | None = None
) -> int:
    """Finds how many classes labels are of.

    Args:
        labels: a file of labels, or glob patterns of TFRecord files.
        vocabulary: as of `read_labels`.

    Returns:
        What is said beside them, or else the number of the vocabulary, or else
        that of YouTube-8M of 2018.

    Raises:
        DataError: if there are no such files.
    """
    said = readers.find_features(readers.expand_patterns(labels, _LABELS))
    if said and said.num_classes:
        return said.num_classes
    known = [c for c in (vocabulary or {}).values() if c is not None]
    return max(known) + 1 if known else feature_spec.NUM_CLASSES


def read_labels(
    labels: str,
    num_classes: int,
    vocabulary: Mapping[str, int | None] | None = None,
) -> predictions_lib.LabelTable:
    """Reads labels of videos from one file of labels, or from records.

    Args:
        labels: a file of labels, or glob patterns of TFRecord files.
        num_classes: the number of classes.
        vocabulary: the class by its name in lower case, None for a name of
            several, where a file names classes; if None, by what is said beside
            the file.

    Returns:
        The labels.

    Raises:
        DataError: if a file is not what it is to be.
    """
    files = readers.expand_patterns(labels, _LABELS)
    with progress.count_bar("labels", None, " videos") as bar:
        if label_files.is_label_file(files[0]):
            _expect_one(files)
            if vocabulary is None:
                said = readers.find_features(files)
                names = said.class_names if said else ()
                vocabulary = label_reader.number_names(enumerate(names))
            return predictions_lib.read_label_file(
                files[0], num_classes, bar.update, vocabulary=vocabulary
            )
        return record_labels.read_record_labels(files, num_classes, bar.update)


def read_ratings(labels: str, num_classes: int) -> predictions_lib.RatingTable:
    """Reads ratings of segments from one file of ratings, or from records.

    Args:
        labels: a file of ratings, or glob patterns of TFRecord files.
        num_classes: the number of classes.

    Returns:
        The ratings.

    Raises:
        DataError: if a file is not what it is to be.
    """
    files = readers.expand_patterns(labels, _LABELS)
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
