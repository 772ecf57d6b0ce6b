"""Evaluates models and predictions on the same videos, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact import predictions as predictions_lib
from yt8m_compact.eval import average_precision
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import comparison
from yt8m_compact.eval import comparison_sources
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import paired_predictions
from yt8m_compact.eval import prediction_evaluation
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import report as report_lib
from yt8m_compact.eval import same_videos
from yt8m_compact.eval import scoring
from yt8m_compact.eval import segment_members
from yt8m_compact.eval.insight import details as details_lib
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import prediction_rows
from yt8m_compact.inference.exports import report as export_report
from yt8m_compact.predictions import segment_csv
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice


class Comparer:
    """Evaluates models on the same videos, and predictions of others.

    Videos are read anew for each model, since models may sample other frames;
    that they are the same in the same order is checked by their ids. So memory
    holds one model and its scores at a time. Predictions of files are paired
    with them by id, in any order.

    With `segment_map_k`, or where a file has predictions by class
    (`Class,Segments`), MAP@K of the segments is compared, and all files must
    have such predictions; models predict all segments for that. The other
    metrics are there, too, where all models were trained on rated segments, and
    are of these.

    Args:
        eval_data_pattern: Files to evaluate on; where there are predictions of
            files alone, it may be a file of labels or ratings.
        num_classes: The number of classes, where there are predictions of
            files alone.
        vocabulary: As of `prediction_evaluation.read_labels`, likewise.
        num_draws: How often the videos are drawn for intervals.
        seed: Of these draws.
        with_insight: Whether to look at classes, calibration and the rest.
        verticals: Classes of each vertical, as far as they are known.
        segment_map_k: How many segments of each class MAP@K counts, None where
            it is not asked for.
        **kwargs: Other arguments of `evaluation.Evaluator`.
    """

    def __init__(
        self,
        eval_data_pattern: str,
        *,
        num_classes: int | None = None,
        vocabulary: Mapping[str, int | None] | None = None,
        num_draws: int = bootstrap.NUM_DRAWS,
        seed: int = 0,
        with_insight: bool = False,
        verticals: Mapping[str, Sequence[int]] | None = None,
        segment_map_k: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._pattern = eval_data_pattern
        self._num_classes = num_classes
        self._vocabulary = vocabulary
        self._num_draws = num_draws
        self._seed = seed
        self._make_details = None
        if with_insight:
            self._make_details = functools.partial(
                details_lib.Details, verticals=verticals
            )
        self._segment_map_k = segment_map_k
        self._kwargs = kwargs
        self._same = same_videos.SameVideos()
        self._labels: _Labels | None = None
        self._table: predictions_lib.LabelTable | None = None
        self._draws: bootstrap.Draws | None = None
        self._members: list[comparison.Member] = []
        self._segments: segment_members.SegmentMembers | None = None
        # Whether metrics of videos, or of rated segments, are compared.
        self._with_videos = True
        self._of_segments = False

    def evaluate(
        self, sources: Iterable[comparison_sources.Source]
    ) -> Iterator[
        tuple[
            comparison_sources.Source,
            report_lib.Report | prediction_evaluation.PredictionReport,
        ]
    ]:
        """Evaluates models and predictions; `result` compares them then.

        Args:
            sources: They, models first.

        Yields:
            Each of them, and its report.

        Raises:
            ValueError: As `evaluation.evaluate_run`, or if the videos or the
                number of classes differ, or what is compared is not of one
                kind.
            DataError: As `evaluation.evaluate_run`.
            OSError: As `evaluation.evaluate_run`.
        """
        sources = sorted(sources, key=lambda one: one.predictions is not None)
        self._check(sources)
        for source in sources:
            if source.train_dir is not None:
                run = train_dir_lib.TrainDir(source.train_dir)
                run.find_checkpoint(source.step)
        if any(source.predictions is not None for source in sources):
            self._labels = _Labels()
        for source in sources:
            yield source, self._evaluate(source)

    def _check(self, sources: Sequence[comparison_sources.Source]) -> None:
        """Checks, before one predicts, what can be compared with what."""
        first = None
        of_segments = []
        for source in sources:
            config = source.load_config()
            if config is None:
                continue
            of_segments.append(config.data.segment_labels)
            number = config.data.num_classes
            if first is None:
                first, self._num_classes = source.name, number
            if number != self._num_classes:
                raise ValueError(
                    f"expected models of the same classes. Received: {number} "
                    f"classes of {source.name}, where {first} has "
                    f"{self._num_classes}"
                )
        if self._num_classes is None:
            raise ValueError(
                "expected num_classes with predictions alone. Received: None"
            )
        kinds = {
            source.name: prediction_evaluation.find_files(source.predictions)[1]
            for source in sources
            if source.predictions is not None
        }
        by_class = predictions_lib.Format.SEGMENTS
        if self._segment_map_k is None and by_class in kinds.values():
            self._segment_map_k = segment_csv.TOP_SEGMENTS
        self._of_segments = bool(of_segments) and all(of_segments)
        if self._segment_map_k is None and not self._of_segments:
            return
        for name, kind in kinds.items():
            if kind is not by_class:
                raise ValueError(
                    f"expected predictions by class, {segment_csv.HEADER}, "
                    "since segments are compared, by MAP@K, which ranks them "
                    "within each class; yt8m-predict writes them with "
                    "--format=segments. Received: predictions by video, "
                    f"{kind.value}, of {name}"
                )
        if self._segment_map_k is None:
            return
        if self._kwargs.get("mapper") is not None:
            raise ValueError(
                "expected no runner where MAP@K of segments is compared, which "
                "ranks the segments of all files. Received: "
                f"{segment_csv.HEADER}, or segment_map_k"
            )
        if self._make_details is not None:
            raise ValueError(
                "expected no report_dir where MAP@K of segments is compared: "
                "the page is about videos and their classes. Received: "
                f"{segment_csv.HEADER}, or segment_map_k"
            )
        if self._kwargs.get("on_data_error") == "skip":
            raise ValueError(
                "expected on_data_error=stop where MAP@K of segments is "
                "compared: all segments are ranked. Received: "
                "on_data_error='skip'"
            )
        self._with_videos = self._of_segments
        self._segments = segment_members.SegmentMembers(
            self._pattern,
            self._num_classes,
            self._segment_map_k,
            self._num_draws,
            self._seed,
            prediction_rows.Reading(
                self._kwargs.get("batch_size", evaluation.BATCH_SIZE),
                self._kwargs.get("num_readers", 8),
            ),
            weight_choice.parse(self._kwargs.get("weights", weight_choice.RAW)),
        )

    def _evaluate(
        self, source: comparison_sources.Source
    ) -> report_lib.Report | prediction_evaluation.PredictionReport:
        is_model = source.predictions is None
        if self._segments is None:
            make = self._evaluate_model if is_model else self._evaluate_files
            member, report = make(source)
        elif is_model and self._with_videos:
            member, report = self._evaluate_model(source)
            more, _ = self._segments.evaluate(source, with_costs=False)
            member = dataclasses.replace(
                member,
                metrics={**member.metrics, **more.metrics},
                draws={**member.draws, **more.draws},
            )
        else:
            member, report = self._segments.evaluate(source, with_costs=True)
        self._members.append(member)
        return report

    def _evaluate_model(
        self, source: comparison_sources.Source
    ) -> tuple[comparison.Member, report_lib.Report]:
        evaluator = evaluation.Evaluator(
            source.train_dir, self._pattern, **self._kwargs
        )
        self._same.start(source.name)
        # The labels are those of the first model; of others, they are the same.
        labels = None if self._members else self._labels
        viewer = _Viewer(
            self._same, self._find_draws, self._make_details, labels
        )
        num_bytes = None
        if source.model_file is None:
            report = evaluator.evaluate(source.step, viewer)
            milliseconds = evaluator.measure_latency()
        else:
            config, model = artefacts.load(source.model_file)
            report = evaluator.evaluate_artefact(config, model, viewer)
            num_bytes = export_report.count_bytes(model.path)
            milliseconds = evaluator.measure_latency_of_artefact(config, model)
        metrics = {
            name: report.metrics[name] for name in comparison.METRICS_OF_VIDEOS
        }
        member = comparison.Member(
            name=source.name,
            metrics=metrics,
            draws=viewer.found,
            costs=comparison.costs_of(report.weights, milliseconds, num_bytes),
            report=report.to_dict(),
            insight=viewer.insight,
        )
        return member, report

    def _evaluate_files(
        self, source: comparison_sources.Source
    ) -> tuple[comparison.Member, prediction_evaluation.PredictionReport]:
        files, kind = prediction_evaluation.find_files(source.predictions)
        table = self._find_table()
        top_k = self._kwargs.get("top_k", 20)
        listed, numbers = paired_predictions.collect(
            files, table, self._num_classes, top_k
        )
        # The place of each video among those of the models.
        place_of = np.arange(len(table))
        if len(self._same.ids):
            order, _ = table.find(self._same.ids.tolist())
            place_of[order] = np.arange(len(table))
        places = place_of[numbers]
        draws = self._find_draws(len(table))
        map_draws = bootstrap.MapDraws(draws)
        metrics = listed.result(lambda one: map_draws.on_listed(one, places))
        best = listed.best_classes().take(np.argsort(places))
        starter = None
        if self._kwargs.get("with_starter_metrics"):
            starter = listed.starter_result()
        report = prediction_evaluation.PredictionReport(
            source.predictions,
            self._pattern,
            kind.value,
            metrics,
            top_k,
            segment_csv.TOP_SEGMENTS,
            starter,
        )
        member = comparison.Member(
            name=source.name,
            metrics={
                name: metrics[name] for name in comparison.METRICS_OF_VIDEOS
            },
            draws=comparison.draw_metrics(best, draws, map_draws),
            report=report.to_dict(),
            num_listed=None if listed.lists_all else listed.most_listed,
        )
        return member, report

    def _find_table(self) -> predictions_lib.LabelTable:
        """The labels: those that models were evaluated with, if there are."""
        if self._table is None:
            if len(self._same.ids):
                self._table = self._labels.table(self._same.ids, self._pattern)
            else:
                self._table = prediction_evaluation.read_labels(
                    self._pattern, self._num_classes, self._vocabulary
                )
        return self._table

    def add_predictions(
        self,
        name: str,
        ids: np.ndarray,
        digests: np.ndarray,
        best: ranked_videos.RankedVideos,
    ) -> None:
        """Adds predictions of the same videos, as of a file, in any order.

        Args:
            name: What they are called.
            ids: bytes `[videos]`.
            digests: uint64 `[videos]`, of `same_videos.label_digests`.
            best: The best classes of the videos.

        Raises:
            ValueError: If the videos or their labels differ, or there are none.
        """
        places = self._same.arrange(name, ids)
        self._same.start(name)
        self._same.check(np.asarray(ids)[places], digests[places])
        self._same.finish()
        self._members.append(
            comparison.member_of_predictions(
                name, best.take(places), self._find_draws(len(best))
            )
        )

    def result(self) -> comparison.Comparison:
        """Compares what was evaluated, the first one with all others."""
        num_segments = None
        if self._segments is not None:
            num_videos = self._segments.draws.num_videos
            num_segments = self._segments.ratings.num_segments
        else:
            num_videos = self._draws.num_videos
            if self._of_segments:
                num_segments = len(self._draws.counts)
        return comparison.Comparison(
            tuple(self._members),
            num_videos=num_videos,
            eval_data_pattern=self._pattern,
            num_segments=num_segments,
            top_k=self._kwargs.get("top_k", 20),
            segment_map_k=self._segment_map_k,
            num_draws=self._num_draws,
            seed=self._seed,
        )

    def _find_draws(self, number: int) -> bootstrap.Draws:
        """Draws the videos, once for all models."""
        if self._draws is None:
            videos = None
            if self._of_segments:
                ids = [one.rpartition(b":")[0] for one in self._same.ids]
                found, videos = np.unique(ids, return_inverse=True)
                number = len(found)
            self._draws = bootstrap.Draws(
                number, self._num_draws, self._seed, videos
            )
        return self._draws


class _Labels:
    """The labels of videos that were evaluated, in their order."""

    def __init__(self) -> None:
        self._counts: list[np.ndarray] = []
        self._classes: list[np.ndarray] = []

    def add(self, counts: np.ndarray, classes: np.ndarray) -> None:
        """Adds a batch: how many labels each video has, and those of all."""
        self._counts.append(counts)
        self._classes.append(classes.astype(np.int32))

    def table(self, ids: np.ndarray, where: str) -> predictions_lib.LabelTable:
        """Makes a table of them.

        Args:
            ids: bytes `[videos]`.
            where: Where they are from.
        """
        return predictions_lib.LabelTable(
            ids.tolist(),
            np.concatenate(self._counts),
            np.concatenate(self._classes),
            where=where,
        )


class _Viewer:
    """Looks at the evaluation of one model.

    Attributes:
        found: The metrics of each draw.
        insight: What is known of classes, None if not asked for.
    """

    def __init__(
        self,
        same: same_videos.SameVideos,
        find_draws: Callable[[int], bootstrap.Draws],
        make_details: Callable[[int], details_lib.Details] | None,
        labels: _Labels | None,
    ) -> None:
        self._same = same
        self._find_draws = find_draws
        self._make_details = make_details
        self._labels = labels
        self._digests: np.ndarray | None = None
        self._map_draws: bootstrap.MapDraws | None = None
        self._details: details_lib.Details | None = None
        self.found: dict[str, np.ndarray] = {}
        self.insight: details_lib.Insight | None = None

    def on_ranking(self, ranking: ranked_videos.Ranking) -> None:
        num_videos, num_classes = ranking.is_label.shape
        # A third of the time of `nonzero` of a matrix.
        videos, classes = np.divmod(
            np.flatnonzero(ranking.is_label), num_classes
        )
        self._digests = same_videos.label_digests(videos, classes, num_videos)
        if self._labels is not None:
            self._labels.add(ranking.num_labels, classes)
        if self._make_details is None:
            return
        if self._details is None:
            self._details = self._make_details(num_classes)
        self._details.on_ranking(ranking)

    def on_batch(self, scored: scoring.ScoredBatch) -> None:
        self._same.check(scored.ids, self._digests)

    def on_class(self, ranking: average_precision.ClassRanking) -> None:
        if self._map_draws is None:
            # All videos are known, and draws need as many of them.
            self._same.finish()
            draws = self._find_draws(len(ranking.scores))
            self._map_draws = bootstrap.MapDraws(draws)
        self._map_draws.on_class(ranking)
        if self._details is not None:
            self._details.on_class(ranking)

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        best = metrics.best_classes()
        draws = self._find_draws(len(best))
        self.found = comparison.draw_metrics(best, draws, self._map_draws)
        if self._details is not None:
            self.insight = self._details.finish(best)


def log_images(pictures: Mapping[str, bytes]) -> None:
    """Writes pictures to the summary writer in use.

    Args:
        pictures: PNG files by name.
    """
    for name, picture in pictures.items():
        image = tf.io.decode_png(picture, channels=3)
        tf.summary.image(name, image[tf.newaxis])


def log_pictures(pictures: Mapping[str, bytes], folder: str) -> None:
    """Writes pictures for TensorBoard.

    Args:
        pictures: PNG files by name.
        folder: Of the events.
    """
    writer = tf.summary.create_file_writer(folder)
    with writer.as_default(step=0):
        log_images(pictures)
    writer.close()
