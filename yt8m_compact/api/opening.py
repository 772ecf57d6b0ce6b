"""Opens models: of runs, of presets, and what was exported."""

from __future__ import annotations

import os

from yt8m_compact import presets
from yt8m_compact import readers
from yt8m_compact.api import class_names as class_names_lib
from yt8m_compact.api import exported_model
from yt8m_compact.api import history as history_lib
from yt8m_compact.api import trained_model
from yt8m_compact.inference import artefacts
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice


def load_run(
    path: str | os.PathLike[str],
    step: train_dir_lib.Step = None,
    *,
    weights: str = "raw",
    class_names: class_names_lib.ClassNames | None = None,
) -> trained_model.TrainedModel:
    """Opens the model of a run of yt8m-train, or of `fit`.

    Example:
        >>> import yt8m_compact as yt8m
        >>> run = yt8m.load_run(train_dir)
        >>> run.predict(features, top_k=2).classes.shape
        (40, 2)
        >>> report = run.evaluate(data_pattern)
        >>> 0 < report.metrics["gap"] <= 1
        True
        >>> steps, losses = zip(*run.history.training["loss"])
        >>> figure = run.plot("curves.png")

    Args:
        path: the folder of the run, or that of a packed model.
        step: the step of a checkpoint, or "best"; None is the newest one.
        weights: which weights: `raw`, `ema`, or `average:5` say, the mean of
            the last 5 checkpoints.
        class_names: a name for each class: a list, a dict by the number of the
            class, or a file, such as YouTube-8M's vocabulary.csv. None for
            those that the run's records had, or of YouTube-8M of 2018 where
            there are 3,862 classes.

    Returns:
        The model, its configuration and its history.

    Raises:
        ValueError: if the run is missing or broken, or has no such checkpoint
            or weights.
    """
    run = train_dir_lib.TrainDir(os.fspath(path))
    config, model, found = run.restore_model(step, weight_choice.parse(weights))
    if class_names is None:
        class_names = readers.find_class_names(
            run.path, config.data.num_classes
        )
    return trained_model.TrainedModel(
        config,
        model,
        found,
        train_dir=run.path,
        history=history_lib.read_history(run),
        class_names=class_names,
    )


def load_preset(name: str) -> trained_model.TrainedModel:
    """Opens a trained model that comes with the package.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> yt8m.presets.names()
        ('yt8m_2018_video_100k', 'yt8m_2018_video_350k')
        >>> classifier = yt8m.load_preset("yt8m_2018_video_100k")
        >>> classifier.class_names[:2]
        ('Game', 'Video game')
        >>> len(classifier.predict(np.zeros([1, 1152]), top_k=3)[0])
        3

    Args:
        name: its name, one of `presets.names()`.

    Returns:
        The model, its configuration and the names of its classes.

    Raises:
        ValueError: if there is none of this name.
    """
    return load_run(
        presets.PREFIX + name, class_names=presets.class_names(name)
    )


def load(
    path: str | os.PathLike[str],
    *,
    num_threads: int | None = None,
    class_names: class_names_lib.ClassNames | None = None,
) -> exported_model.ExportedModel:
    """Opens what yt8m-export wrote, by its own runtime.

    A SavedModel is a program, which may read and write files: load only what
    you would run.

    Example:
        >>> import yt8m_compact as yt8m
        >>> small = yt8m.load(model_file)
        >>> small.predict(features, top_k=2).scores.shape
        (40, 2)

    Args:
        path: a file of LiteRT, ONNX, OpenVINO or Keras, with `config.json`
            beside it; or the folder of one, of a SavedModel, or of a packed
            model.
        num_threads: threads that it computes with; None is as many as its
            runtime takes by itself.
        class_names: as of `load_run`.

    Returns:
        The model, and the configuration of its run.

    Raises:
        ValueError: if there is none, it is damaged, is not of yt8m-export, does
            not fit its configuration, or its runtime is not installed.
    """
    config, artefact = artefacts.load(path, num_threads)
    if class_names is None:
        class_names = readers.find_class_names(
            os.fspath(path), config.data.num_classes
        )
    return exported_model.ExportedModel(config, artefact, class_names)
