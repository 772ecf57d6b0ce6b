"""MAP@K of the segments of a model, as of the challenge of 2019."""

from __future__ import annotations

from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.eval import prediction_evaluation
from yt8m_compact.eval import record_labels
from yt8m_compact.eval import segment_map
from yt8m_compact.inference import prediction_rows
from yt8m_compact.predictions import segment_csv
from yt8m_compact.predictions import top_segments


def evaluate_segments(
    source: prediction_rows.Source,
    name: str,
    eval_data_pattern: str,
    *,
    k: int = segment_csv.TOP_SEGMENTS,
    batch_size: int = 256,
    num_readers: int = 8,
) -> prediction_evaluation.PredictionReport:
    """Predicts all segments of videos, and compares those that are rated.

    All segments take part in the ranking, so that those that are not rated
    take places among the `k` first, as in the challenge. It is what
    `evaluate_predictions` makes of the file that yt8m-predict writes with
    `--format=segments`.

    Args:
        source: a predictor of segments.
        name: what to call it.
        eval_data_pattern: files with rated segments: glob patterns,
            comma-separated.
        k: how many segments of each class count.
        batch_size: number of records read at a time.
        num_readers: number of files that are read at the same time.

    Returns:
        The report.

    Raises:
        DataError: if the data is missing or broken, or has no rated segments.
        ValueError: if nobody found a class in any segment.
    """
    files = readers.expand_patterns(eval_data_pattern)
    reading = prediction_rows.Reading(batch_size, num_readers)
    rows = prediction_rows.Rows(source, files, reading)
    with progress.video_bar("ratings", files) as bar:
        ratings = record_labels.read_record_ratings(
            files, source.num_classes, bar.update
        )
    metrics = rank_rows(rows, ratings, k).result()
    return prediction_evaluation.PredictionReport(
        name, eval_data_pattern, "segments", metrics, 0, k
    )


def rank_rows(
    rows: prediction_rows.Rows, ratings: predictions_lib.RatingTable, k: int
) -> segment_map.RankedSegments:
    """Finds the rated ones among the best segments of each class.

    Args:
        rows: predictions of all segments.
        ratings: what people said of some.
        k: how many segments of each class count.

    Returns:
        They.
    """
    best = top_segments.TopSegments(sorted(ratings.positives()), k)
    for ids, predictions in rows:
        best.add([*ids], predictions)
    return segment_map.rank(best.best(), ratings, k)
