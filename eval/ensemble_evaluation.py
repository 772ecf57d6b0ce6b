"""Evaluation of ensembles, and the weights by which they are best."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np

from yt8m_compact import ops
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tables
from yt8m_compact.eval import blend_search
from yt8m_compact.eval import listed_metrics
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import record_labels
from yt8m_compact.inference import ensembles
from yt8m_compact.inference import prediction_rows
from yt8m_compact.predictions import rows as rows_lib

_METRICS = ("gap", "hit_at_1", "perr")


@dataclasses.dataclass(frozen=True)
class EnsembleReport:
    """What an evaluation of an ensemble found.

    Attributes:
        ensemble: the models, as they were named.
        weights: of each.
        metrics: of the ensemble, all of them, exactly.
        members: `gap`, `hit_at_1` and `perr` of each model, and those of equal
            weights last; None where the weights were given.
        search_videos: how many videos were looked at for the weights, 0 where
            they were given.
        eval_data_pattern: the data.
        top_k: how many predictions of each video GAP counts.
    """

    ensemble: tuple[str, ...]
    weights: tuple[float, ...]
    metrics: dict[str, float | int | None]
    members: tuple[dict[str, float], ...] | None
    search_videos: int
    eval_data_pattern: str
    top_k: int

    def to_dict(self) -> dict[str, Any]:
        """Writes the report as a dict that JSON can hold."""
        return dataclasses.asdict(self)

    def to_text(self, max_columns: int | None = None) -> str:
        """Writes the report as a table, and the flags to predict with.

        Args:
            max_columns: how wide the table may be; None for as wide as it is.
        """
        rows = []
        for name, weight, metrics in zip(
            (*self.ensemble, "equal weights"),
            (*(f"{weight:g}" for weight in self.weights), ""),
            self.members or [{}] * (len(self.ensemble) + 1),
            strict=True,
        ):
            if metrics or weight:
                values = [f"{metrics[key]:.4f}" for key in metrics]
                values += [""] * (len(_METRICS) - len(values))
                rows.append([name, weight, *values, ""])
        values = [f"{self.metrics[key]:.4f}" for key in (*_METRICS, "map")]
        rows.append(["ensemble", "", *values])
        headers = ["model", "weight", f"GAP@{self.top_k}", "Hit@1", "PERR"]
        headers.append("MAP")
        columns = zip(headers, zip(*rows, strict=True), strict=True)
        table = tables.to_text(
            [
                tables.Column(header, cells, is_name=header == "model")
                for header, cells in columns
            ],
            max_columns,
        )
        weights = ",".join(f"{weight:g}" for weight in self.weights)
        return (
            f"{table}\n\nof {self.metrics['num_examples']:,} videos"
            + (
                f"; weights of {self.search_videos:,} of them"
                if self.search_videos
                else ""
            )
            + f"\n--ensemble={','.join(self.ensemble)} "
            f"--ensemble_weights={weights}"
        )


def evaluate_ensemble(
    names: Sequence[str],
    members: Sequence[ensembles.predictors.Predictor],
    eval_data_pattern: str,
    *,
    weights: Sequence[float] | None = None,
    top_k: int = 20,
    batch_size: int = 256,
    num_readers: int = 8,
    seed: int = 0,
    max_videos: int = blend_search.MAX_VIDEOS,
) -> EnsembleReport:
    """Evaluates models together; finds their weights if none are given.

    The weights are those of the highest GAP on these videos, which are to be
    others than those that the ensemble is judged by. The data is read once for
    the labels, once to search, and once to evaluate.

    Args:
        names: what to call the models.
        members: the models, of whole videos.
        eval_data_pattern: files: glob patterns, comma-separated.
        weights: of each model, or None to find them.
        top_k: how many predictions of each video GAP counts.
        batch_size: number of records read at a time.
        num_readers: number of files that are read at the same time.
        seed: of the search.
        max_videos: how many videos the search looks at, at most.

    Returns:
        The report.

    Raises:
        DataError: if the data is missing or broken.
        ValueError: if the models don't fit each other, or no video has a label.
        OSError: if the disk is too small for the predictions.
    """
    ensemble = ensembles.Ensemble(members, weights)
    files = readers.expand_patterns(eval_data_pattern)
    reading = prediction_rows.Reading(batch_size, num_readers)
    ensemble.prepare(files, None)
    with progress.video_bar("labels", files) as bar:
        labels = record_labels.read_record_labels(
            files, ensemble.num_classes, bar.update
        )
    found = None
    search_videos = 0
    if weights is None:
        search = blend_search.BlendSearch(
            len(members),
            len(labels),
            top_k=top_k,
            max_videos=max_videos,
            seed=seed,
        )
        found = _evaluate_members(
            ensemble, files, reading, labels, search, top_k
        )
        best, _ = search.search()
        search_videos = search.num_videos
        ensemble = ensembles.Ensemble(members, best)
    with (
        metrics_lib.EvaluationMetrics(ensemble.num_classes, top_k) as metrics,
        progress.video_bar("evaluate", files, total=len(labels)) as bar,
    ):
        metrics.expect_room(len(labels))
        for ids, predictions in ensemble.blocks(files, reading):
            _, _, is_label = _labels_of(labels, ids, ensemble.num_classes)
            metrics.update(predictions, is_label)
            bar.update(len(ids))
        values = metrics.result()
    return EnsembleReport(
        tuple(names),
        tuple(ensemble.weights.tolist()),
        values,
        found,
        search_videos,
        eval_data_pattern,
        top_k,
    )


def _evaluate_members(
    ensemble: ensembles.Ensemble,
    files: Sequence[str],
    reading: prediction_rows.Reading,
    labels: predictions_lib.LabelTable,
    search: blend_search.BlendSearch,
    top_k: int,
) -> tuple[dict[str, float], ...]:
    """Computes the metrics of each model, and feeds the search."""
    num_models, num_classes = len(ensemble.members), ensemble.num_classes
    # The last is that of equal weights.
    collected = [
        listed_metrics.ListedMetrics(num_classes, top_k)
        for _ in range(num_models + 1)
    ]
    equal = ensembles.normalise(None, num_models)
    with progress.video_bar("search", files, total=len(labels)) as bar:
        for ids, predictions in ensemble.member_blocks(files, reading):
            counts, listed, is_label = _labels_of(labels, ids, num_classes)
            search.add(ids, predictions, is_label)
            depth = min(max(top_k, int(counts.max())), num_classes)
            blended = ensembles.blend(predictions, equal)
            for metrics, one in zip(
                collected, [*predictions, blended], strict=True
            ):
                classes = ops.top_k_classes(one, depth)
                scores = np.take_along_axis(one, classes, axis=1)
                rows = rows_lib.from_arrays(ids, classes, scores)
                metrics.update(rows, counts, listed)
            bar.update(len(ids))
    results = [metrics.result() for metrics in collected]
    return tuple({key: one[key] for key in _METRICS} for one in results)


def _labels_of(
    labels: predictions_lib.LabelTable, ids: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns numbers of labels, the labels, and bool `[rows, num_classes]`."""
    videos, _ = labels.find([*ids])
    counts, listed = labels.labels_of(videos)
    is_label = np.zeros([len(ids), num_classes], bool)
    is_label[np.repeat(np.arange(len(ids)), counts), listed] = True
    return counts, listed, is_label
