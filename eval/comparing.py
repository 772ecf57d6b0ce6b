"""Evaluates several models on the same videos, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import comparison
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import report as report_lib
from yt8m_compact.eval import same_videos
from yt8m_compact.eval.insight import details as details_lib
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import latency
from yt8m_compact.inference.exports import report as export_report
from yt8m_compact.run import train_dir as train_dir_lib


@dataclasses.dataclass(frozen=True)
class Source:
    """A model to evaluate: a checkpoint of a run, or what was exported.

    Attributes:
        name: What it is called.
        train_dir: The folder of the run, None of a file.
        step: The checkpoint, or "best"; None is the newest one.
        model_file: What yt8m-export wrote, None of a run.
    """

    name: str
    train_dir: str | None = None
    step: train_dir_lib.Step = None
    model_file: str | None = None


def make_sources(
    train_dirs: Sequence[str],
    steps: Sequence[train_dir_lib.Step],
    model_files: Sequence[str],
) -> list[Source]:
    """Lists what is to be compared: each step of each run, then files.

    Args:
        train_dirs: Folders of runs.
        steps: The checkpoints of each; None alone for the newest one.
        model_files: What yt8m-export wrote.

    Returns:
        The sources, in that order.
    """
    names = comparison.short_names([*train_dirs, *model_files])
    sources = [
        Source(
            name if step is None else f"{name}, step {step}", train_dir, step
        )
        for name, train_dir in zip(names, train_dirs, strict=False)
        for step in steps
    ]
    return sources + [
        Source(name, model_file=path)
        for name, path in zip(
            names[len(train_dirs) :], model_files, strict=True
        )
    ]


class Comparer:
    """Evaluates models on the same videos.

    They are read anew for each model, since models may sample other frames;
    that they are the same in the same order is checked by their ids. So memory
    holds one model and its scores at a time.

    Args:
        eval_data_pattern: Files to evaluate on.
        num_draws: How often the videos are drawn for intervals.
        seed: Of these draws.
        with_insight: Whether to look at classes, calibration and the rest.
        verticals: Classes of each vertical, as far as they are known.
        **kwargs: Other arguments of `evaluation.Evaluator`.
    """

    def __init__(
        self,
        eval_data_pattern: str,
        *,
        num_draws: int = bootstrap.NUM_DRAWS,
        seed: int = 0,
        with_insight: bool = False,
        verticals: Mapping[str, Sequence[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        self._pattern = eval_data_pattern
        self._num_draws = num_draws
        self._seed = seed
        self._make_details = None
        if with_insight:
            self._make_details = functools.partial(
                details_lib.Details, verticals=verticals
            )
        self._kwargs = kwargs
        self._same = same_videos.SameVideos()
        self._draws: bootstrap.Draws | None = None
        self._members: list[comparison.Member] = []
        # The name of the first model, and how many classes it has.
        self._classes: tuple[str, int] | None = None

    def evaluate(
        self, sources: Iterable[Source]
    ) -> Iterator[tuple[Source, report_lib.Report]]:
        """Evaluates models; `result` compares them then.

        Args:
            sources: The models.

        Yields:
            Each of them, and its report.

        Raises:
            ValueError: As `evaluation.evaluate_run`, or if the videos or the
                number of classes differ.
            DataError: As `evaluation.evaluate_run`.
            OSError: As `evaluation.evaluate_run`.
        """
        sources = [*sources]
        for source in sources:
            self._check_classes(source)
        for source in sources:
            if source.model_file is None:
                run = train_dir_lib.TrainDir(source.train_dir)
                run.find_checkpoint(source.step)
        for source in sources:
            yield source, self._evaluate(source)

    def _evaluate(self, source: Source) -> report_lib.Report:
        evaluator = evaluation.Evaluator(
            source.train_dir, self._pattern, **self._kwargs
        )
        self._same.start(source.name)
        viewer = _Viewer(self._same, self._find_draws, self._make_details)
        if source.model_file is None:
            report = evaluator.evaluate(source.step, viewer)
            num_bytes = report.weights.num_bytes
            milliseconds = evaluator.measure_latency(viewer.first)
        else:
            config, model = artefacts.load(source.model_file)
            report = evaluator.evaluate_artefact(config, model, viewer)
            num_bytes = export_report.count_bytes(model.path)
            milliseconds = latency.measure_artefact(model, viewer.first)
        weights = report.weights
        self._members.append(
            comparison.Member(
                name=source.name,
                metrics={
                    name: report.metrics[name] for name in comparison.METRICS
                },
                draws=viewer.found,
                costs=comparison.Costs(
                    num_bytes=num_bytes,
                    num_weights=weights.total,
                    multiply_adds=weights.multiply_adds,
                    multiply_adds_per_frame=weights.multiply_adds_per_frame,
                    milliseconds=milliseconds,
                ),
                report=report.to_dict(),
                insight=viewer.insight,
            )
        )
        return report

    def _check_classes(self, source: Source) -> None:
        """Checks, before one predicts, that a model is of the same classes."""
        if source.model_file is None:
            config = train_dir_lib.TrainDir(source.train_dir).load_config()
        else:
            config = artefacts.load_config(source.model_file)
        number = config.data.num_classes
        first, expected = self._classes = self._classes or (source.name, number)
        if number != expected:
            raise ValueError(
                f"expected models of the same classes. Received: {number} "
                f"classes of {source.name}, where {first} has {expected}"
            )

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
        return comparison.Comparison(
            tuple(self._members),
            num_videos=len(self._draws.counts),
            eval_data_pattern=self._pattern,
            top_k=self._kwargs.get("top_k", 20),
            num_draws=self._num_draws,
            seed=self._seed,
        )

    def _find_draws(self, num_videos: int) -> bootstrap.Draws:
        """Draws the videos, once for all models."""
        if self._draws is None:
            self._draws = bootstrap.Draws(
                num_videos, self._num_draws, self._seed
            )
        return self._draws


class _Viewer:
    """Looks at the evaluation of one model.

    Attributes:
        first: The first batch.
        found: The metrics of each draw.
        insight: What is known of classes, None if not asked for.
    """

    def __init__(
        self,
        same: same_videos.SameVideos,
        find_draws: Callable[[int], bootstrap.Draws],
        make_details: Callable[[int], details_lib.Details] | None,
    ) -> None:
        self._same = same
        self._find_draws = find_draws
        self._make_details = make_details
        self._digests: np.ndarray | None = None
        self._map_draws: bootstrap.MapDraws | None = None
        self._details: details_lib.Details | None = None
        self.first: Mapping[str, tf.Tensor] | None = None
        self.found: dict[str, np.ndarray] = {}
        self.insight: details_lib.Insight | None = None

    def on_ranking(self, ranking: ranked_videos.Ranking) -> None:
        num_videos, num_classes = ranking.is_label.shape
        self._digests = same_videos.label_digests(
            *np.nonzero(ranking.is_label), num_videos
        )
        if self._make_details is None:
            return
        if self._details is None:
            self._details = self._make_details(num_classes)
        self._details.on_ranking(ranking)

    def on_batch(
        self, batch: Mapping[str, tf.Tensor], predictions: tf.Tensor
    ) -> None:
        del predictions  # Its ranking is known.
        if self.first is None:
            self.first = batch
        self._same.check(batch["id"].numpy(), self._digests)

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
