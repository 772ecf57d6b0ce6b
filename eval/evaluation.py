"""Evaluation of a checkpoint over a whole data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import functools
import logging
import os
from typing import Any, Protocol, runtime_checkable

from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import event_tags
from yt8m_compact.run import weight_choice

with lazy.imports():
    import keras
    import numpy as np
    import tensorflow as tf
    import tqdm

    from yt8m_compact.eval import average_precision
    from yt8m_compact.eval import metrics as metrics_lib
    from yt8m_compact.eval import ranked_videos
    from yt8m_compact.eval import report
    from yt8m_compact.eval import scoring
    from yt8m_compact.eval import spread_scoring
    from yt8m_compact.eval import starter_metrics
    from yt8m_compact.eval import weights
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import latency
    from yt8m_compact.run import chosen_weights
    from yt8m_compact.run import train_dir as train_dir_lib

BATCH_SIZE = 256

_LOGGER = logging.getLogger(__name__)


def evaluate_run(
    train_dir: str,
    eval_data_pattern: str,
    *,
    step: train_dir_lib.Step = None,
    **kwargs: Any,
) -> report.Report:
    """Evaluates a checkpoint of a run, exactly, over all the data.

    Args:
        train_dir: the folder of the run; all that is known of the model.
        eval_data_pattern: files to evaluate on: glob patterns, comma-separated.
        step: step of the checkpoint, or "best"; None is the newest one.
        **kwargs: other arguments of `Evaluator`.

    Returns:
        The report.

    Raises:
        ValueError: if the run is missing, broken or has no checkpoint, no video
            has a label, or there is a seed for a model that looks at all
            frames.
        DataError: if the data is missing or broken.
        OSError: if the disk is too small for the predictions.

    Example:
        >>> np.savez("v.npz", ids=["abcd", "efgh"], mean_rgb=np.eye(2, 4))
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video", feature_names=("mean_rgb",), num_classes=10
        ... )
        >>> _ = yt8m.datasets.convert_files(
        ...     "v.npz", "v", config, labels={"abcd": [7], "efgh": [3]}
        ... )
        >>> model = yt8m.models.LogisticConfig()
        >>> _ = yt8m.fit(model, "v/*.tfrecord", num_classes=10, train_dir="run")
        >>> report = yt8m.evaluation.evaluate_run("run", "v/*.tfrecord")
        >>> report.metrics["num_examples"], report.weights.total
        (2, 50)
    """
    return Evaluator(train_dir, eval_data_pattern, **kwargs).evaluate(step)


class Viewer(Protocol):
    """Looks at an evaluation as it goes on."""

    def on_batch(self, scored: scoring.ScoredBatch) -> None:
        """Gets each batch."""

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        """Gets the metrics of all."""


@runtime_checkable
class RankingViewer(Viewer, Protocol):
    """Looks at the rankings that the metrics are made of, too."""

    def on_ranking(self, ranking: ranked_videos.Ranking) -> None:
        """Gets how the classes of each batch are ranked, before `on_batch`."""

    def on_class(self, ranking: average_precision.ClassRanking) -> None:
        """Gets how each class ranks all videos, before `on_end`."""


class Evaluator:
    """Evaluates checkpoints of a run, exactly, over all the data.

    Frames are sampled evenly, or by a seed, so that two evaluations agree. Of
    rated segments, only the classes that are rated count. The model is built
    and its function traced once for all checkpoints of a configuration.

    Args:
        train_dir: the folder of the run; all that is known of the model. None
            where only models and files are evaluated.
        eval_data_pattern: files to evaluate on: glob patterns, comma-separated.
        batch_size: number of videos of a batch.
        top_k: how many predictions of each video GAP counts.
        num_readers: number of files that are read at the same time.
        on_data_error: "stop", or "skip" to leave out damaged and wrong records,
            which are logged, counted for TensorBoard, and listed in the report.
        frame_seed: None samples frames evenly; a number samples them as in
            training, a function of the number and the video's id.
        weights: which weights: `raw`, `ema`, or `average:5` say, the mean of
            the last 5 checkpoints.
        with_starter_metrics: whether to compute the starter code's values, too.
        mapper: has other processes score, a file each, in the place of this
            one; the metrics are the same, of `num_readers=1`.

    Raises:
        DataError: if no file matches.
        ValueError: if there are no such weights.
    """

    def __init__(
        self,
        train_dir: str | None,
        eval_data_pattern: str,
        *,
        batch_size: int = BATCH_SIZE,
        top_k: int = 20,
        num_readers: int = 8,
        on_data_error: str = "stop",
        frame_seed: int | None = None,
        weights: str | weight_choice.WeightChoice = weight_choice.RAW,
        with_starter_metrics: bool = False,
        mapper: task_mapping.Mapper | None = None,
    ) -> None:
        self._with_starter_metrics = with_starter_metrics
        self._mapper = mapper
        self._choice = weight_choice.parse(weights)
        self._pattern = eval_data_pattern
        self._files = readers.expand_patterns(eval_data_pattern)
        self._run = None
        if train_dir is not None:
            self._run = train_dir_lib.TrainDir(train_dir)
            readers.expect_same_ranges(
                self._run.path, self._files, classes=True
            )
        self._batch_size = batch_size
        self._top_k = top_k
        self._num_readers = num_readers
        self._on_data_error = on_data_error
        self._frame_seed = frame_seed
        self._model: keras.Model | None = None
        self._scorer: scoring.Scorer | None = None  # of the model

    def evaluate(
        self, step: train_dir_lib.Step = None, viewer: Viewer | None = None
    ) -> report.Report:
        """Evaluates a checkpoint.

        Args:
            step: step of the checkpoint, or "best"; None is the newest one.
            viewer: who looks at what the report does not hold.

        Returns:
            The report.

        Raises:
            ValueError: see `evaluate_run`.
            DataError: see `evaluate_run`.
            OSError: see `evaluate_run`.
        """
        if self._mapper is not None:
            # Others read it later, when training may have saved a newer one.
            step = self._run.fixed_step(step)
        found = self._run.read_checkpoints(self._restore, step, self._choice)
        return self._evaluate_restored(found, viewer, fixed=step)

    def evaluate_model(
        self, config: config_lib.Config, model: keras.Model, step: int = 0
    ) -> report.Report:
        """Evaluates a model in memory, by the weights that it has now.

        Args:
            config: the configuration that the model was built of.
            model: the model.
            step: the step that the report names.

        Returns:
            The report.

        Raises:
            ValueError: see `evaluate_run`.
            DataError: see `evaluate_run`.
            OSError: see `evaluate_run`.
        """
        self._use(config, model)
        return self._evaluate_restored(step)

    def evaluate_artefact(
        self,
        config: config_lib.Config,
        model: artefacts.Artefact,
        viewer: Viewer | None = None,
    ) -> report.Report:
        """Evaluates what yt8m-export wrote, by its own runtime.

        Args:
            config: the configuration of its run.
            model: the artefact.
            viewer: who looks at what the report does not hold.

        Returns:
            The report, without a step.

        Raises:
            ValueError: see `evaluate_run`.
            DataError: see `evaluate_run`.
            OSError: see `evaluate_run`.
        """
        readers.expect_same_ranges(model.path, self._files, classes=True)
        counts = weights.count_weights_of_config(
            config.model.without_unused(),
            feature_sizes=config.data.feature_sizes,
            num_classes=config.data.num_classes,
        )
        options = {
            "batch_size": self._batch_size,
            "frame_seed": self._frame_seed,
        }
        return self._evaluate(
            scoring.scorer_of_open_artefact(config, model, **options),
            viewer,
            functools.partial(
                scoring.scorer_of_artefact, model.path, **options
            ),
            weights=counts,
            model_file=model.path,
        )

    def evaluate_found(self, path: str) -> report.Report | None:
        """Evaluates a checkpoint that training may delete at any time.

        Args:
            path: the checkpoint.

        Returns:
            The report; None if the checkpoint is gone.

        Raises:
            ValueError: see `evaluate_run`.
            DataError: see `evaluate_run`.
            OSError: see `evaluate_run`.
        """
        paths = [path]
        try:
            config = self._run.load_config()
            step = train_dir_lib.checkpoint_step(path)
            paths = self._run.find_checkpoints(step, self._choice)
            for one in paths:
                self._run.check_fits(config, one)
            step = self._restore(config, paths)
        except ValueError:
            if all(map(self._run.has, paths)):
                raise
            return None
        return self._evaluate_restored(step)

    def measure_latency(self) -> float:
        """Measures how long the run that was evaluated takes for one video.

        Returns:
            Milliseconds for the first one, compiled by TensorFlow.
        """
        config = self._scorer.config
        return latency.measure(config, self._model, self._read_first(config))

    def measure_latency_of_artefact(
        self, config: config_lib.Config, model: artefacts.Artefact
    ) -> float:
        """Measures how long an artefact takes for one video.

        Args:
            config: the configuration of its run.
            model: the artefact.

        Returns:
            Milliseconds for the first one, by its own runtime.
        """
        return latency.measure_artefact(model, self._read_first(config))

    def _read_first(self, config: config_lib.Config) -> Mapping[str, tf.Tensor]:
        """Reads the first video, as a batch of one."""
        skipped = None
        if self._on_data_error == "skip":
            skipped = readers.SkippedData(tells=False)
        dataset = readers.make_dataset(
            config.reader(training=False),
            self._files,
            batch_size=1,
            num_readers=1,
            skipped=skipped,
        )
        with readers.readable_errors():
            return next(iter(dataset))

    def _restore(self, config: config_lib.Config, paths: list[str]) -> int:
        # The first, or that of a new run.
        if self._scorer is None or self._scorer.config != config:
            self._use(config, train_dir_lib.build_model(config))
        step = chosen_weights.restore(self._model, config, paths, self._choice)
        self._scorer.refresh()
        return step

    def _use(self, config: config_lib.Config, model: keras.Model) -> None:
        self._model = model
        self._scorer = scoring.scorer_of_model(
            config,
            model,
            batch_size=self._batch_size,
            frame_seed=self._frame_seed,
        )

    def _evaluate_restored(
        self,
        step: int,
        viewer: Viewer | None = None,
        *,
        fixed: int | None = None,
    ) -> report.Report:
        open_scorer = None
        if self._run is not None:
            open_scorer = functools.partial(
                scoring.scorer_of_run,
                self._run.path,
                fixed,
                self._choice,
                batch_size=self._batch_size,
                frame_seed=self._frame_seed,
            )
        return self._evaluate(
            self._scorer,
            viewer,
            open_scorer,
            weights=weights.count_weights(self._model),
            step=step,
            weight_choice=str(self._choice),
            train_dir=self._run.path if self._run else None,
        )

    def _evaluate(
        self,
        scorer: scoring.Scorer,
        viewer: Viewer | None,
        open_scorer: Callable[[], scoring.Scorer] | None,
        **origin: Any,
    ) -> report.Report:
        if self._mapper is not None and open_scorer is None:
            raise ValueError(
                "expected a run or an artefact to evaluate in several "
                "processes. Received: a model in memory"
            )
        files, config = self._files, scorer.config
        skipped = None
        if self._on_data_error == "skip":
            skipped = readers.SkippedData()
        record_format = readers.check_format(
            files, scorer.reader, skipped=skipped
        )
        has_labels = record_format.has_labels or config.data.segment_labels
        ranks = isinstance(viewer, RankingViewer)
        starter = starter_values = None
        if self._with_starter_metrics:
            starter = starter_metrics.StarterMetrics(config.data.num_classes)
        num_videos = readers.estimate_num_records(files)
        with (
            metrics_lib.EvaluationMetrics(
                config.data.num_classes, self._top_k
            ) as metrics,
            progress.video_bar("evaluate", files, total=num_videos) as bar,
        ):
            metrics.expect_room(num_videos or 0)
            for scored in self._score(scorer, open_scorer, files, skipped, bar):
                if not (has_labels or np.any(scored.labels)):
                    raise readers.DataError(
                        f"{files[0]}: expected labels to evaluate with. "
                        "Received: none in the first "
                        f"{len(scored.labels)} videos; the test split has no "
                        "labels, use the validation split"
                    )
                has_labels = True
                ranking = metrics.update(
                    scored.predictions, scored.labels, scored.losses
                )
                if starter is not None:
                    starter.update_from_ranking(scored.predictions, ranking)
                if ranks:
                    viewer.on_ranking(ranking)
                if viewer is not None:
                    viewer.on_batch(scored)
            progress.finish(bar)
            values = metrics.result(viewer.on_class if ranks else None)
            if starter is not None:
                best = metrics.best_classes()
                starter_values = starter.result(best, values["loss"])
            if viewer is not None:
                viewer.on_end(metrics)
        return report.Report(
            model=models.model_name(config.model),
            metrics=values,
            top_k=self._top_k,
            eval_data_pattern=self._pattern,
            frame_seed=self._frame_seed,
            skipped_files=skipped.num_files if skipped else 0,
            skipped_records=skipped.num_records if skipped else 0,
            skipped_bytes=skipped.num_bytes if skipped else 0,
            skipped=skipped,
            starter_metrics=starter_values,
            **origin,
        )

    def _score(
        self,
        scorer: scoring.Scorer,
        open_scorer: Callable[[], scoring.Scorer] | None,
        files: Sequence[str],
        skipped: readers.SkippedData | None,
        bar: tqdm.tqdm,
    ) -> Iterator[scoring.ScoredBatch]:
        """Yields what is scored, here or by other processes."""
        if self._mapper is not None:
            yield from spread_scoring.score_files(
                scorer, open_scorer, self._mapper, files, skipped, bar
            )
            return
        for scored in scorer.score(files, self._num_readers, skipped):
            yield scored
            bar.update(len(scored.ids))


def log_report(
    result: report.Report,
    run: train_dir_lib.TrainDir,
    name: str = "eval",
    write_more: Callable[[], None] | None = None,
) -> None:
    """Writes the metrics of a report for TensorBoard.

    A packed model, such as a preset, is left as it is. Where writing fails, as
    in a folder that is read-only, it is logged: what was computed is in the
    report.

    Args:
        result: the report of a checkpoint.
        run: the run it belongs to.
        name: of the folder of the events.
        write_more: writes what else there is to the summary writer in use.
    """
    if run.is_packed():
        return
    path = run.events_path(name)
    if result.weight_choice != str(weight_choice.RAW):
        # A curve of its own, without the colon of an average.
        path = os.path.join(path, result.weight_choice.replace(":", "_"))
    try:
        writer = tf.summary.create_file_writer(path)
        with writer.as_default(result.step):
            for metric in ("gap", "hit_at_1", "perr", "map", "loss"):
                event_tags.write_scalar(
                    event_tags.metric_tag(metric), result.metrics[metric]
                )
            event_tags.write_skipped(
                result.skipped_files,
                result.skipped_records,
                result.skipped_bytes,
            )
            if write_more is not None:
                write_more()
        writer.close()
    except (tf.errors.OpError, OSError) as error:
        _LOGGER.warning(
            "%s: TensorBoard's events can't be written: %s",
            path,
            tensorflow_errors.first_line(str(error)),
        )
