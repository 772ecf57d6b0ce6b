"""Trains, packs and measures the cases of one data set."""

from collections.abc import Mapping
import dataclasses
import datetime
import os
import re
import shutil
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.front import cases as cases_lib
from benchmarks.front import data_sets
from benchmarks.front import results
from yt8m_compact import layers
from yt8m_compact import training
from yt8m_compact.compression import deep_compression
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import scoring
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import packed_model
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import warm_start

# What a teacher says of more classes is next to nothing.
_TEACHER_TOP_K = 100
_WARM_UP_CALLS = 20
_TIMED_CALLS = 200


class Experiment:
    """Cases of one data set, and the models that they learn from.

    Packed models stay in the folder, a folder a case and seed, so that what was
    interrupted goes on; the runs that they come from are deleted.

    Args:
        data: the data set.
        work_dir: folder of the models.
        teachers: what the cases learn from that have none of their own.
    """

    def __init__(
        self,
        data: data_sets.DataSet,
        work_dir: str,
        teachers: list[cases_lib.Case],
    ) -> None:
        self._data = data
        self._folder = os.path.join(work_dir, f"{data.name}_{data.split}")
        self._teachers = teachers

    def measure(self, case: cases_lib.Case, seed: int) -> results.Row:
        """Trains a case if need be, and measures what would be shipped.

        Args:
            case: the case.
            seed: of its training.

        Returns:
            What was measured.
        """
        if case.members:
            return self._measure_mean(case, seed)
        folder = self.packed_folder(case, seed)
        viewer = bootstrap.Bootstrap(self._data.metric)
        evaluator = evaluation.Evaluator(folder, self._data.eval_pattern)
        report = evaluator.evaluate(viewer=viewer)
        names = ("config.json", "weights.safetensors")
        return self._row(
            case,
            seed,
            viewer,
            report.metrics,
            steps=report.step,
            weights=train_dir_lib.build_model(
                self._config(case, seed)
            ).count_params(),
            bytes=sum(
                os.path.getsize(os.path.join(folder, name)) for name in names
            )
            - self._saved_by_code(case, seed),
            row_ms=1000 * time_one_row(folder),
        )

    def _measure_mean(self, case: cases_lib.Case, seed: int) -> results.Row:
        viewer = bootstrap.Bootstrap(self._data.metric)
        views = []
        for member in case.members:
            folder = self.packed_folder(member, seed)
            views.append(_View())
            evaluation.Evaluator(folder, self._data.eval_pattern).evaluate(
                viewer=views[-1]
            )
        num_classes = self._data.config.num_classes
        with metrics_lib.EvaluationMetrics(num_classes) as metrics:
            for labels, *predictions in zip(
                views[0].labels,
                *(view.predictions for view in views),
                strict=True,
            ):
                mean = np.mean(predictions, axis=0)
                metrics.update(mean, labels)
            values = metrics.result()
            viewer.on_end(metrics)
        return self._row(
            case, seed, viewer, values, steps=0, weights=0, bytes=0, row_ms=0.0
        )

    def _row(
        self,
        case: cases_lib.Case,
        seed: int,
        viewer: bootstrap.Bootstrap,
        metrics: Mapping[str, float],
        **kwargs: Any,
    ) -> results.Row:
        value = metrics[self._data.metric]
        low, high = viewer.interval(value)
        return results.Row(
            data=self._data.name,
            split=self._data.split,
            family=case.family,
            case=case.name,
            precision=case.precision,
            places=case.describe_places(),
            metric=self._data.metric,
            value=value,
            low=low,
            high=high,
            gap=metrics["gap"],
            map=metrics["map"],
            seed=seed,
            date=datetime.date.today().isoformat(),
            **kwargs,
        )

    def packed_folder(self, case: cases_lib.Case, seed: int) -> str:
        """Makes the packed model of a case, unless it is there.

        Args:
            case: the case.
            seed: of its training.

        Returns:
            Its folder.

        Raises:
            SystemExit: if a signal stops the training.
        """
        name = re.sub(r"[^\w.@]+", "_", f"{case.name}_seed{seed}")
        folder = os.path.join(self._folder, name)
        if os.path.exists(folder):
            return folder
        config = self._config(case, seed)
        if case.num_clusters is not None:
            model, step, coded = self._code(case, seed)
            for layer in layers.projections(model):
                layer.kernel.assign(coded[layer.kernel.path].array)
            packed_model.save(folder, config, model, step)
            return folder
        if case.is_rounded:
            trained, step = self._restore(case.start, seed)
            model = train_dir_lib.build_model(config)
            warm_start.warm_start(model, trained)
            packed_model.save(folder, config, model, step)
            return folder
        if case.family != "teacher":
            config = self._replace_training(
                config,
                teacher=",".join(
                    map(self._scores, case.teachers or self._teachers)
                ),
                teacher_weight=self._data.teacher_weight,
            )
        if case.start is not None:
            config = self._replace_training(
                config, init_from=self.packed_folder(case.start, seed)
            )
        run = train_dir_lib.TrainDir(f"{folder}.run")
        result = training.train(config, run.path)
        if result.signal_number is not None:
            # It goes on from there the next time, and is not measured as it is.
            raise SystemExit(128 + result.signal_number)
        config, model, step = run.restore_model()
        # Whatever it was trained in, what is shipped computes in floats.
        config = self._replace_training(config, dtype_policy="float32")
        packed_model.save(folder, config, model, step)
        shutil.rmtree(run.path)
        return folder

    def _restore(
        self, case: cases_lib.Case, seed: int
    ) -> tuple[keras.Model, int]:
        """Restores the model of a case, and its step."""
        folder = train_dir_lib.TrainDir(self.packed_folder(case, seed))
        _, model, step = folder.restore_model()
        return model, step

    def _code(
        self, case: cases_lib.Case, seed: int
    ) -> tuple[keras.Model, int, Mapping[str, deep_compression.SharedArray]]:
        """Restores what a case starts from, and codes its matrices."""
        model, step = self._restore(case.start, seed)
        kernels = [layer.kernel for layer in layers.projections(model)]
        coded = deep_compression.deep_compress(
            {kernel.path: kernel.numpy() for kernel in kernels},
            density=case.start.training["pruning_density"],
            num_clusters=case.num_clusters,
        )
        return model, step, coded

    def _saved_by_code(self, case: cases_lib.Case, seed: int) -> int:
        """Counts what a code of the matrices takes less than its file."""
        if case.num_clusters is None:
            return 0
        _, _, coded = self._code(case, seed)
        return sum(
            array.raw_bytes - array.coded_bytes for array in coded.values()
        )

    def _scores(self, teacher: cases_lib.Case) -> str:
        """Makes the scores of a teacher for the training data."""
        folder = self.packed_folder(teacher, 0)
        path = f"{folder}.scores"
        if not os.path.exists(path):
            predictors.write_scores(
                predictors.predictor_from_train_dir(folder),
                self._data.train_pattern,
                path,
                top_k=_TEACHER_TOP_K,
            )
        return path

    def _config(self, case: cases_lib.Case, seed: int) -> config_lib.Config:
        """Makes the configuration of a case, without teachers and start."""
        config = config_lib.Config(
            data=self._data.config,
            model=case.model,
            training=self._data.training,
        )
        return self._replace_training(
            config,
            **case.training,
            max_steps=round(case.length * config.training.max_steps),
            seed=seed + case.first_seed,
        )

    def _replace_training(
        self, config: config_lib.Config, **kwargs: Any
    ) -> config_lib.Config:
        return dataclasses.replace(
            config, training=dataclasses.replace(config.training, **kwargs)
        )


class _View:
    """Keeps all predictions and labels of an evaluation."""

    def __init__(self) -> None:
        self.predictions: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []

    def on_batch(self, scored: scoring.ScoredBatch) -> None:
        self.predictions.append(scored.predictions)
        self.labels.append(scored.labels)

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        pass


def time_one_row(folder: str) -> float:
    """Measures the time of one video, as yt8m-predict predicts it.

    Args:
        folder: of a packed model.

    Returns:
        Seconds, the median.
    """
    config = train_dir_lib.TrainDir(folder).load_config()
    predict = predictors.predictor_from_train_dir(folder).predict
    rng = np.random.default_rng(0)
    inputs = {}
    for name, spec in serving.input_specs(config.data).items():
        # Frames are of any number: all that there may be.
        shape = [
            1,
            *(size or config.data.max_frames for size in spec.shape[1:]),
        ]
        if spec.dtype == tf.float32:
            inputs[name] = tf.constant(rng.normal(size=shape), tf.float32)
        elif spec.dtype == tf.uint8:
            inputs[name] = tf.constant(rng.integers(0, 256, shape), tf.uint8)
        else:
            inputs[name] = tf.constant([config.data.max_frames], spec.dtype)
    seconds = []
    for _ in range(_WARM_UP_CALLS + _TIMED_CALLS):
        start = time.perf_counter()
        predict(**inputs)["predictions"].numpy()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[_WARM_UP_CALLS:]))
