"""Trains a model, by the same step and loop as yt8m-train."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import dataclasses
import os
import tempfile
from typing import Any

import keras

from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training as training_lib
from yt8m_compact.api import array_videos
from yt8m_compact.api import class_names as class_names_lib
from yt8m_compact.api import classifier
from yt8m_compact.api import fit_data
from yt8m_compact.api import history as history_lib
from yt8m_compact.api import label_lists
from yt8m_compact.api import trained_model
from yt8m_compact.eval import validation
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice
from yt8m_compact.training import user_callbacks
from yt8m_compact.training import warm_start

# In the place of a folder whose weights a run started from.
_MEMORY = "a model in memory"
# Of a run, of a model, or the name of a model; or what `fit` gave.
Model = (
    config_lib.Config | models.ModelConfig | str | trained_model.TrainedModel
)


def fit(
    model: Model,
    x: fit_data.Patterns | array_videos.Arrays,
    y: label_lists.Labels | None = None,
    *,
    validation_data: fit_data.Patterns
    | tuple[array_videos.Arrays, label_lists.Labels]
    | None = None,
    training: config_lib.TrainingConfig | None = None,
    data: config_lib.DataConfig | None = None,
    num_classes: int | None = None,
    train_dir: str | os.PathLike[str] | None = None,
    start_new_model: bool = False,
    callbacks: Sequence[user_callbacks.CallbackMaker] = (),
    class_names: class_names_lib.ClassNames | None = None,
) -> trained_model.TrainedModel:
    """Trains a model on arrays or on files of records, as yt8m-train does.

    The loss, the optimiser, the start of the classifier's biases at the
    log-odds of the classes, the order of the data and the metrics are those of
    `training`, by the same step and loop as the program. Arrays are written to
    records in a temporary folder, of about their size.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> random = np.random.default_rng(0)
        >>> labels = np.eye(4)[random.integers(4, size=200)]
        >>> features = labels @ random.normal(size=[4, 8])
        >>> run = yt8m.fit(
        ...     yt8m.models.LogisticConfig(classifier_projection="circulant"),
        ...     features,
        ...     labels,
        ...     validation_data=(features[:50], labels[:50]),
        ...     training=yt8m.run.TrainingConfig(
        ...         num_epochs=2, batch_size=20, base_learning_rate=0.1
        ...     ),
        ... )
        >>> run.step
        20
        >>> run.history.validation["gap"][-1][1] > 0.9
        True
        >>> run.predict(features[:3], top_k=1).classes.shape
        (3, 1)

    Args:
        model: the configuration of a run; or that of a model, such as
            `models.MoeConfig(classifier_projection="low_rank(rank=64)")`; or
            its name, `"MoeModel"`; or a `TrainedModel`, which is trained on
            from its weights, in a new run. A Keras model of your own has a
            `fit` of its own: docs/python.md says how it is compiled.
        x: arrays, as of `TrainedModel.predict`, or files of records, by names
            or patterns.
        y: of arrays: the classes of each video, or an array of 0 and 1,
            `[videos, num_classes]`. Records have their own.
        validation_data: arrays `(x, y)`, or files of records: evaluated while
            the run trains, exactly. The model has then the weights that were
            best by `training.keep_best`, and otherwise the last ones; with
            `training.eval_weights="ema"` of the moving average.
        training: how it is trained; by default as `model` says, or by the
            defaults of the program.
        data: what records or arrays hold; by default as `model` says, or as
            the data show.
        num_classes: how many classes there are; by default as `model` or
            `data` say, or as the labels show; of files, as
            `yt8m_features.json` beside them says, or else 3,862.
        train_dir: the folder of the run, which is continued if it is there; by
            default a temporary one, which is gone afterwards.
        start_new_model: whether a run in `train_dir` is moved aside first.
        callbacks: functions that are given the configuration and make callbacks
            of Keras.
        class_names: as of `load_run`.

    Returns:
        The trained model, its configuration and its history.

    Raises:
        ValueError: if a setting, an array or a label is wrong, or the
            configuration does not fit the run in `train_dir`.
        DataError: if records are missing or broken.
        OSError: if the run or the records can't be written.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, when the run is saved.
    """
    given = _read_model(model)
    training = training or given.training
    with contextlib.ExitStack() as closing:
        folder = closing.enter_context(
            tempfile.TemporaryDirectory(prefix="yt8m_fit_")
        )
        kind = {
            "frame_features": given.model.frame_features,
            "num_classes": num_classes,
        }
        pattern, data = fit_data.prepare(
            folder, "x", x, y, data=data or given.data, **kind
        )
        training = dataclasses.replace(training, train_data_pattern=pattern)
        if validation_data is not None:
            videos, labels = _split(validation_data)
            pattern, _ = fit_data.prepare(
                folder, "validation_data", videos, labels, data=data, **kind
            )
            training = dataclasses.replace(training, eval_data_pattern=pattern)
        path = os.path.join(folder, "run") if train_dir is None else train_dir
        run = train_dir_lib.TrainDir(os.fspath(path))
        config = config_lib.Config(
            data=data, model=given.model, training=training
        )
        evaluate = None
        if training.eval_data_pattern:
            evaluate = validation.Validation(run.path, training)
        result = training_lib.train(
            config,
            run.path,
            start_new_model=start_new_model,
            watching=training_lib.Watching(
                evaluate=evaluate,
                describe=validation.describe_weights,
                make_callbacks=tuple(callbacks),
            ),
            start=given.start,
        )
        if result.signal_number is not None:
            # Of a temporary folder nothing is left.
            kept = "nothing is saved"
            if train_dir is not None:
                kept = (
                    f"step {result.step} is saved in {run.path}; the same call "
                    "goes on from there"
                )
            raise KeyboardInterrupt(kept)
        config, trained, step = run.restore_model(
            None if result.best is None else train_dir_lib.BEST,
            weight_choice.parse(training.eval_weights),
        )
        if class_names is None:
            class_names = given.class_names or readers.find_class_names(
                run.path, config.data.num_classes
            )
        return trained_model.TrainedModel(
            config,
            trained,
            step,
            train_dir=None if train_dir is None else run.path,
            history=history_lib.read_history(run),
            class_names=class_names,
        )


@dataclasses.dataclass(frozen=True)
class _Given:
    """What `model` says of a run."""

    model: models.ModelConfig
    training: config_lib.TrainingConfig
    data: config_lib.DataConfig | None = None
    start: warm_start.ModelStart | None = None
    class_names: class_names_lib.ClassNames | None = None


def _read_model(model: Model) -> _Given:
    if isinstance(model, str):
        model = models.get_model_config(model)()
    if isinstance(model, models.ModelConfig):
        return _Given(model, config_lib.TrainingConfig())
    if isinstance(model, config_lib.Config):
        return _Given(model.model, model.training, model.data)
    if isinstance(model, trained_model.TrainedModel):
        config = model.config
        training = dataclasses.replace(
            # What it was validated on may be gone.
            config.training.without_evaluation(),
            init_from=model.train_dir or _MEMORY,
        )
        report = warm_start.WarmStartReport(places=(), unused=())
        start = warm_start.ModelStart(model.model, report)
        return _Given(
            config.model, training, config.data, start, model.class_names
        )
    advice = ""
    if isinstance(model, keras.Model):
        advice = (
            "; a Keras model has a fit of its own, see docs/python.md for its "
            "loss and its metrics"
        )
    raise ValueError(
        "expected the configuration of a run or of a model, the name of a "
        "model, or a TrainedModel. Received: model of the type "
        f"{type(model).__name__}{advice}"
    )


def _split(
    validation_data: Any,
) -> tuple[fit_data.Patterns | array_videos.Arrays, Any]:
    """Takes videos and labels apart."""
    if classifier.is_in_files(validation_data):
        return validation_data, None
    if not isinstance(validation_data, tuple) or len(validation_data) != 2:
        raise ValueError(
            "expected validation_data to be (x, y), or files of records. "
            f"Received: {type(validation_data).__name__}"
        )
    return validation_data
