"""Runs a study: trains and evaluates one run after the other."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import gc
import json
import logging
import math
import os
from typing import Any

import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import tensorflow_errors
from yt8m_compact import training
from yt8m_compact import untrusted
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import validation
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.studies import plan as plan_lib
from yt8m_compact.studies import plot
from yt8m_compact.studies import search as search_lib
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run
from yt8m_compact.studies import table
from yt8m_compact.training import strategies

STUDY_FILE = "study.json"
_FORMAT_VERSION = 1
_EXPECTED = "what yt8m-train --study keeps of a study"
_MAX_BYTES = 16 << 20

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """How a call of `run_study` ended.

    Attributes:
        runs: all runs, done or not.
        files: the tables and the plot that were written.
        signal_number: the signal that stopped the study, or None.
    """

    runs: tuple[study_run.StudyRun, ...]
    files: tuple[str, ...]
    signal_number: int | None = None


def run_study(
    study: study_file.Study,
    plan: Sequence[study_run.StudyRun],
    make_config: plan_lib.MakeConfig,
    path: str,
) -> StudyResult:
    """Trains and evaluates the runs of a study that are not done.

    Each run is trained in a folder of its own, by `training.train`, evaluated
    by `evaluation.evaluate_run`, and kept when it is done. One whose loss is
    not a number any more, whose settings do not fit, or which needs more memory
    than there is, is kept as failed, and the study goes on.

    Args:
        study: the study.
        plan: what `make_plan` made of it.
        make_config: makes the configuration of a run, of values by flag.
        path: the folder of the study. A study that is there goes on, where
            what it has done fits.

    Returns:
        The runs, and how it ended.

    Raises:
        ValueError: if the study does not fit what is there, or several machines
            are to train together.
        DataError: if the data is missing or broken.
        OSError: if something can't be written, or another process trains in the
            folder.

    Example:
        >>> np.savez("v.npz", ids=["abcd", "efgh"], mean_rgb=np.eye(2, 4))
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video", feature_names=("mean_rgb",), num_classes=10
        ... )
        >>> _ = yt8m.datasets.convert_files(
        ...     "v.npz", "v", config, labels={"abcd": [7], "efgh": [3, 5]}
        ... )
        >>> def make_config(values):
        ...     return yt8m.run.Config(
        ...         data=yt8m.run.DataConfig(
        ...             feature_names=("mean_rgb",),
        ...             feature_sizes=(4,),
        ...             num_classes=10,
        ...         ),
        ...         model=yt8m.models.LogisticConfig(
        ...             classifier_projection=values["structure"]
        ...         ),
        ...         training=yt8m.run.TrainingConfig(
        ...             train_data_pattern="v/*.tfrecord", num_epochs=1
        ...         ),
        ...     )
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="v/*.tfrecord",
        ...     grid={"structure": ("dense", "circulant")},
        ... )
        >>> plan = yt8m.studies.make_plan(study, make_config, "my study")
        >>> result = yt8m.studies.run_study(study, plan, make_config, "study")
        >>> for run in result.runs:
        ...     print(run.name, run.score.weights, run.score.num_bytes)
        structure=dense 50 200
        structure=circulant 22 88
    """
    with run_lock.RunLock(path) as lock, _quiet_tracing():
        runner = _Runner(study, plan, make_config, path, lock)
        runner.prepare()
        return runner.run()


@contextlib.contextmanager
def _quiet_tracing() -> Iterator[None]:
    """Leaves out TensorFlow's advice to trace less: each run is traced once."""
    logger = tf.get_logger()

    def keep(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


class _Runner:
    """A study at work."""

    def __init__(
        self,
        study: study_file.Study,
        plan: Sequence[study_run.StudyRun],
        make_config: plan_lib.MakeConfig,
        path: str,
        lock: run_lock.RunLock,
    ) -> None:
        self._study = study
        self._plan = plan
        self._make_config = make_config
        self._path = files.expand_user(path)
        self._lock = lock
        self._found: dict[str, study_run.StudyRun] = {}

    def prepare(self) -> None:
        """Checks, before anything is trained, what is there and the data."""
        if train_dir_lib.TrainDir(self._path).exists():
            raise ValueError(
                f"{self._path}: expected the folder of a study, whose runs "
                "have folders in it. Received: a run; choose another train_dir"
            )
        self._check_study()
        self._find_runs()
        self._check_data()
        content = {
            "format_version": _FORMAT_VERSION,
            "study": self._study.to_dict(),
        }
        files.write_json(os.path.join(self._path, STUDY_FILE), content)

    def _check_study(self) -> None:
        """Compares with the study that is there what its runs do not tell."""
        path = os.path.join(self._path, STUDY_FILE)
        if not files.exists(path):
            return
        content = untrusted.read_json(path, _EXPECTED, _MAX_BYTES)
        try:
            if content["format_version"] != _FORMAT_VERSION:
                raise ValueError(f"format_version={content['format_version']}")
            before = _fixed(content["study"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(
                f"{path}: expected {_EXPECTED}. Received: {error}; choose "
                "another train_dir"
            ) from error
        # As JSON has it: lists for tuples.
        now = _fixed(json.loads(json.dumps(self._study.to_dict())))
        changed = [
            f"{name}: {before.get(name)!r:.200} -> {now.get(name)!r:.200}"
            for name in {**before, **now}
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise self._misfit("; ".join(changed))

    def _find_runs(self) -> None:
        """Reads the runs that are there, and compares them with the plan."""
        planned = {run.name: run for run in self._plan}
        names = set(planned) or {
            plan_lib.trial_name(number, seed)
            for number in range(self._study.search.num_trials)
            for seed in self._seeds
        }
        for name in sorted(files.list_folder(self._path)):
            name = name.rstrip("/")
            found = study_run.load(os.path.join(self._path, name))
            if found is None:
                if name in names:
                    self._expect_no_run(name)
                continue
            if name not in names:
                raise self._misfit(f"{name}, which is none of its runs")
            run = planned.get(name)
            if run is None and found.config is not None:
                run = dataclasses.replace(found, config=self._config_of(found))
            if run is not None:
                self._check_run(found, run)
            self._found[name] = found

    def _config_of(self, run: study_run.StudyRun) -> config_lib.Config:
        return plan_lib.make_run_config(
            self._study, run.values, run.seed, self._make_config
        )

    def _expect_no_run(self, name: str) -> None:
        run = train_dir_lib.TrainDir(os.path.join(self._path, name))
        if run.exists() or run.checkpoints():
            raise self._misfit(f"{name}, a run of no study")

    def _check_run(
        self, found: study_run.StudyRun, run: study_run.StudyRun
    ) -> None:
        """Compares a run that is there with the one that is wanted."""
        texts = []
        if (_texts(found.values), found.seed) != (_texts(run.values), run.seed):
            texts.append(
                f"{plan_lib.values_text(found.values)} -> "
                f"{plan_lib.values_text(run.values)}"
            )
        elif found.config is not None and run.config is not None:
            changed = config_lib.differences(found.config, run.config)
            texts += [
                f"{name}: {old!r:.200} -> {new!r:.200}"
                for name, (old, new) in changed.items()
            ]
        if texts:
            raise self._misfit(f"{run.name} with {'; '.join(texts)}")

    def _misfit(self, received: str) -> ValueError:
        return ValueError(
            f"{self._path}: expected the study that is there, with more runs "
            f"at most. Received: {received}. Choose another train_dir, or "
            "remove the folders of the runs that are to be trained again"
        )

    def _check_data(self) -> None:
        """Checks that the data has what the runs read."""
        configs = [run.config for run in self._plan]
        if self._study.search is not None:
            configs = plan_lib.example_configs(self._study, self._make_config)
        checked = set()
        for config in configs:
            training_config = config.training
            if strategies.trains_with_others(training_config):
                raise ValueError(
                    "expected one machine for a study: its runs come one after "
                    "the other. Received: several workers, by TF_CONFIG or "
                    "strategy=multi_worker; set strategy=one_device or mirrored"
                )
            for pattern in (
                training_config.train_data_pattern,
                self._study.score_data_pattern,
            ):
                key = (pattern, config.data, training_config.on_data_error)
                if key not in checked:
                    checked.add(key)
                    _check_format(pattern, config)

    @property
    def _seeds(self) -> Sequence[int | None]:
        return self._study.seeds or (None,)

    def run(self) -> StudyResult:
        """Runs what is left to do."""
        done: dict[str, study_run.StudyRun] = {}
        signal_number = None
        total = len(self._plan)
        if self._study.search is not None:
            total = self._study.search.num_trials * len(self._seeds)
        with progress.count_bar("study", total, " runs") as bar:
            for run in self._runs(done):
                if not run.is_done:
                    _LOGGER.info(
                        "run %d of %d: %s", len(done) + 1, total, run.name
                    )
                    run, signal_number = self._complete(run)
                if not run.is_done:
                    break
                done[run.name] = run
                bar.update()
                self._write_tables(self._all_runs(done))
        runs = self._all_runs(done)
        written = self._write_tables(runs)
        if any(run.score for run in runs) and plot.can_plot():
            written.append(os.path.join(self._path, "study.png"))
            plot.plot_study(self._study, runs, written[-1])
        return StudyResult(tuple(runs), tuple(written), signal_number)

    def _all_runs(
        self, done: Mapping[str, study_run.StudyRun]
    ) -> list[study_run.StudyRun]:
        """Lists all runs that are known, done or not."""
        planned = {run.name: run for run in self._plan}
        return [*{**planned, **self._found, **done}.values()]

    def _runs(
        self, done: Mapping[str, study_run.StudyRun]
    ) -> Iterator[study_run.StudyRun]:
        """Yields the runs in order, as far as they are done."""
        if self._study.search is None:
            for run in self._plan:
                yield self._found.get(run.name, run)
            return
        tried: list[search_lib.Trial] = []
        for number in range(self._study.search.num_trials):
            yield from self._trial(number, tried)
            names = [plan_lib.trial_name(number, s) for s in self._seeds]
            tried.append(_tried([done[n] for n in names], self._study.metric))

    def _trial(
        self, number: int, tried: Sequence[search_lib.Trial]
    ) -> Iterator[study_run.StudyRun]:
        """Yields the runs of a trial of a search, one a seed."""
        names = {plan_lib.trial_name(number, s): s for s in self._seeds}
        known = [self._found[name] for name in names if name in self._found]
        if known:  # Another release of Optuna may suggest something else.
            values = known[0].values
        else:
            values = search_lib.suggest(self._study.search, tried)
        for name, seed in names.items():
            run = study_run.StudyRun(name, values, seed, None)
            found = self._found.get(name)
            if found is not None and found.config is not None:
                yield found
                continue
            try:
                run = dataclasses.replace(run, config=self._config_of(run))
            except ValueError as error:  # These values do not fit each other.
                run = dataclasses.replace(run, error=str(error))
                study_run.save(run, os.path.join(self._path, name))
            yield run

    def _complete(
        self, run: study_run.StudyRun
    ) -> tuple[study_run.StudyRun, int | None]:
        """Trains and evaluates a run; a signal may stop it before its end."""
        self._lock.check()
        path = os.path.join(self._path, run.name)
        # First, so that its checkpoints are those of this run.
        study_run.save(run, path)
        try:
            result = training.train(
                run.config, path, watching=_watching(run.config, path)
            )
            if result.skipped:
                _LOGGER.warning(
                    "left out of the data:\n%s", result.skipped.to_text()
                )
            if result.signal_number is not None:
                return run, result.signal_number
            run = dataclasses.replace(run, score=self._score(run, path))
        except readers.DataError:
            raise  # The data is that of all runs.
        except (ValueError, tf.errors.ResourceExhaustedError) as error:
            text = tensorflow_errors.first_line(str(error))
            _LOGGER.warning("%s failed: %s", run.name, text)
            run = dataclasses.replace(run, error=text)
        study_run.save(run, path)
        gc.collect()  # A model and its functions refer to each other.
        return run, None

    def _score(self, run: study_run.StudyRun, path: str) -> study_run.Score:
        report = evaluation.evaluate_run(
            path,
            self._study.score_data_pattern,
            weights=self._study.weights,
            on_data_error=run.config.training.on_data_error,
        )
        if not all(map(math.isfinite, report.metrics.values())):
            raise ValueError(
                f"expected finite metrics. Received: {report.metrics}"
            )
        evaluation.log_report(report, train_dir_lib.TrainDir(path))
        _LOGGER.info(
            "%s: %s %.4f, %s bytes",
            run.name,
            table.metric_name(self._study.metric),
            report.metrics[self._study.metric],
            f"{report.weights.num_bytes:,}",
        )
        return study_run.Score(
            metrics=report.metrics,
            step=report.step,
            weights=report.weights.total,
            dense_equivalent=report.weights.dense_equivalent,
            num_bytes=report.weights.num_bytes,
        )

    def _write_tables(self, runs: Sequence[study_run.StudyRun]) -> list[str]:
        written = []
        for name, text in (
            ("study.txt", table.to_text(self._study, runs) + "\n"),
            ("study.csv", table.to_csv(self._study, runs)),
        ):
            written.append(os.path.join(self._path, name))
            with files.writing(written[-1]) as file:
                file.write(text)
        return written


def _watching(config: config_lib.Config, path: str) -> training.Watching:
    """Makes what is done beside the steps of a run."""
    evaluate = None
    if config.training.eval_data_pattern:
        evaluate = validation.Validation(path, config.training)
    return training.Watching(
        evaluate=evaluate,
        describe=validation.describe_weights,
        summarize=validation.summarize_weights,
    )


def _fixed(study: Mapping[str, Any]) -> dict[str, Any]:
    """Picks what can't change of a study of which something is done.

    What is left out may differ, or shows in the runs.
    """
    names = ["score_data_pattern", "weights"]
    fixed = {name: study[name] for name in names}
    fixed["search"] = None
    if study["search"] is not None:
        # What was tried followed from these.
        fixed["search"] = {**study["search"], "num_trials": None}
        fixed |= {"metric": study["metric"], "seeds": study["seeds"]}
    return fixed


def _texts(values: Mapping[str, study_file.Value]) -> dict[str, str]:
    return {
        name: study_file.value_text(value) for name, value in values.items()
    }


def _tried(runs: Sequence[study_run.StudyRun], metric: str) -> search_lib.Trial:
    """Sums up a trial; a seed that failed makes it one that failed."""
    score = None
    if all(run.score is not None for run in runs):
        (combined,) = table.combine(runs, metric)
        score = combined.mean(metric)
    return search_lib.Trial(runs[0].values, score)


def _check_format(pattern: str, config: config_lib.Config) -> None:
    skips = config.training.on_data_error == "skip"
    readers.check_format(
        readers.expand_patterns(pattern),
        config.reader(training=False),
        require_labels=not config.data.segment_labels,
        skipped=readers.SkippedData() if skips else None,
    )
