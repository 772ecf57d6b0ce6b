"""Small data sets, configurations and runs for tests.

Runs that several tests only read are trained once in a process, and must not
be changed: `copy_run` gives a copy that may.
"""

import atexit
from collections.abc import Callable, Mapping
import dataclasses
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from absl import flags
import keras
import numpy as np
from tensorboard.backend.event_processing import event_accumulator
import tensorflow as tf

import record_makers
import yt8m_compact
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.run import chosen_weights
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

NUM_CLASSES = 5
VIDEO_SIZES = {"mean_rgb": 6, "mean_audio": 3}
FRAME_SIZES = {"rgb": 6, "audio": 3}

# Videos of 1 to 12 frames: fewer and more than the 4 that models sample, and
# more than the 8 that are read.
_NUM_FRAMES = (1, 3, 4, 5, 8, 12)
MAX_FRAMES = 8
_NUM_SAMPLED = 4


def write_records(
    make: Callable[..., bytes],
    folder: str | os.PathLike,
    num_videos: int = 40,
    *,
    name: str = "train",
    num_files: int = 3,
    start: int = 0,
    **kwargs: Any,
) -> str:
    """Writes records and returns their pattern.

    Args:
        make: makes the record of a video, from its number and `kwargs`.
        folder: the folder, made if need be.
        num_videos: number of videos, spread over the files.
        name: start of the files' names.
        num_files: number of files.
        start: number of the first video.
        **kwargs: for `make`.

    Returns:
        A glob pattern.
    """
    kwargs = {"num_classes": NUM_CLASSES, **kwargs}
    records = [make(i, **kwargs) for i in range(start, start + num_videos)]
    os.makedirs(folder, exist_ok=True)
    for number in range(num_files):
        record_makers.write_tfrecord(
            os.path.join(folder, f"{name}{number}.tfrecord"),
            records[number::num_files],
        )
    return os.path.join(folder, f"{name}*.tfrecord")


def _make_frames(index: int, **kwargs: Any) -> bytes:
    """Makes a frame-level record of 1 to 12 frames."""
    num_frames = _NUM_FRAMES[index % len(_NUM_FRAMES)]
    return record_makers.make_frame_example(index, num_frames, **kwargs)


write_videos = functools.partial(
    write_records, record_makers.make_video_example
)
write_frames = functools.partial(write_records, _make_frames)


def video_config(
    pattern: str, model: models.ModelConfig | None = None, **kwargs: Any
) -> config_lib.Config:
    """Makes the configuration of a small video-level run.

    Args:
        pattern: files to train on.
        model: the model, LogisticModel if None.
        **kwargs: training settings that differ from those of tests, which do
            without XLA: it costs seconds to compile.

    Returns:
        The configuration.
    """
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=tuple(VIDEO_SIZES),
            feature_sizes=tuple(VIDEO_SIZES.values()),
            num_classes=NUM_CLASSES,
        ),
        model=model or models.LogisticConfig(),
        training=_training_config(pattern, **kwargs),
    )


def frame_config(
    pattern: str, model: models.ModelConfig | None = None, **kwargs: Any
) -> config_lib.Config:
    """Makes the configuration of a small frame-level run.

    Args:
        pattern: files to train on.
        model: the model, a small DbofModel if None.
        **kwargs: training settings that differ from those of tests.

    Returns:
        The configuration.
    """
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=tuple(FRAME_SIZES),
            feature_sizes=tuple(FRAME_SIZES.values()),
            frame_features=True,
            num_classes=NUM_CLASSES,
            max_frames=MAX_FRAMES,
        ),
        model=model or dbof_config(),
        training=_training_config(pattern, **kwargs),
    )


def dbof_config(**kwargs: Any) -> models.DbofConfig:
    """Makes a small DbofModel whose batch norm moves fast.

    Args:
        **kwargs: settings that differ from those of tests.

    Returns:
        The model's configuration.
    """
    settings = {
        "iterations": _NUM_SAMPLED,
        "dbof_cluster_size": 16,
        "dbof_hidden_size": 8,
        "batch_norm_momentum": 0.5,
        "fc_projection": "diagonal_circulant",
    }
    return models.DbofConfig(**{**settings, **kwargs})


def _training_config(pattern: str, **kwargs: Any) -> config_lib.TrainingConfig:
    settings = {
        "train_data_pattern": pattern,
        "batch_size": 8,
        "num_epochs": 2,
        "shuffle_buffer": 16,
        "num_readers": 2,
        "log_steps": 1,
        "jit_compile": False,
    }
    return config_lib.TrainingConfig(**{**settings, **kwargs})


def change_training(
    config: config_lib.Config, **kwargs: Any
) -> config_lib.Config:
    """Returns a configuration with other training settings."""
    return dataclasses.replace(
        config, training=dataclasses.replace(config.training, **kwargs)
    )


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run.

    Attributes:
        path: its folder.
        pattern: the data it was trained on.
        config: its configuration.
    """

    path: str
    pattern: str
    config: config_lib.Config


@functools.cache
def video_run() -> Run:
    """Trains MoeModel with circulants on videos, once; not to be changed."""
    folder = make_folder()
    pattern = write_videos(folder / "data")
    config = video_config(
        pattern,
        models.MoeConfig(classifier_projection="circulant"),
        base_learning_rate=0.1,
    )
    return _train(folder, pattern, config)


@functools.cache
def frame_run() -> Run:
    """Trains a small DbofModel, once; not to be changed."""
    folder = make_folder()
    pattern = write_frames(folder / "data")
    config = frame_config(pattern, base_learning_rate=0.03)
    return _train(folder, pattern, config)


def _train(
    folder: pathlib.Path, pattern: str, config: config_lib.Config
) -> Run:
    run = Run(os.fspath(folder / "run"), pattern, config)
    training.train(config, run.path)
    return run


def make_folder() -> pathlib.Path:
    """Makes a folder that goes when the process ends."""
    folder = tempfile.mkdtemp(prefix="yt8m_compact_test_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return pathlib.Path(folder)


def copy_run(run: Run, folder: str | os.PathLike) -> Run:
    """Copies a run into a folder, to be changed there."""
    path = os.path.join(folder, "run")
    shutil.copytree(run.path, path)
    return dataclasses.replace(run, path=path)


def weights_of(path: str, step: int | None = None) -> dict[str, np.ndarray]:
    """Returns the weights of a run's checkpoint by name."""
    _, model, _ = train_dir_lib.TrainDir(path).restore_model(step)
    return {weight.path: weight.numpy() for weight in model.weights}


def assert_same_weights(path: str, expected: str) -> None:
    """Checks that two runs have the same weights, to the last bit."""
    found, wanted = weights_of(path), weights_of(expected)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def assert_every_weight_moved(
    run: train_dir_lib.TrainDir, model: keras.Model
) -> None:
    """Compares a run's trained model with its first checkpoint.

    Args:
        run: the run.
        model: with the weights of the newest checkpoint, as it has afterwards.
    """
    after = [weight.numpy() for weight in model.trainable_weights]
    config = run.load_config()
    chosen_weights.restore(model, config, [run.find_checkpoint(0)])
    for weight, value in zip(model.trainable_weights, after, strict=True):
        assert np.any(weight.numpy() != value), weight.path
    chosen_weights.restore(model, config, [run.find_checkpoint()])


def features_of(run: Run, pattern: str) -> dict[str, np.ndarray]:
    """Reads all videos of some data as the run's model is given them.

    Returns:
        The model's inputs, `id` and `labels`, in the order of the files; frames
        sampled evenly.
    """
    files = sorted(tf.io.gfile.glob(pattern))
    records = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    batch = run.config.reader(training=False).parse(tf.constant(records))
    return {name: value.numpy() for name, value in batch.items()}


def predictions_of(run: Run, pattern: str) -> np.ndarray:
    """Predicts all videos of some data with the Keras model of a run."""
    batch = features_of(run, pattern)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    inputs = {name: batch[name] for name in model.input}
    return model(inputs, training=False).numpy()


def parse_flags(
    define_flags: Callable[[flags.FlagValues], None], *arguments: str
) -> flags.FlagValues:
    """Parses a command line without the flags of the process.

    Args:
        define_flags: defines the program's flags.
        *arguments: the command line, such as `--batch_size=8`.

    Returns:
        The flags.
    """
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    rest = flag_values(["program", *arguments])
    assert rest == ["program"], rest
    return flag_values


def read_events(folder: str) -> dict[str, list[tuple[int, Any]]]:
    """Reads TensorBoard's events.

    Args:
        folder: the folder of the events.

    Returns:
        Step and value of each point, by tag: a float, a string, or an array for
        a histogram or a picture.
    """
    accumulator = event_accumulator.EventAccumulator(
        folder, size_guidance={event_accumulator.TENSORS: 0}
    )
    accumulator.Reload()
    points = {}
    for tag in accumulator.Tags()["tensors"]:
        # Files of one second are read in the order of their names, in which
        # the tenth comes before the ninth.
        events = sorted(accumulator.Tensors(tag), key=lambda e: e.wall_time)
        points[tag] = [
            (event.step, _value(tf.make_ndarray(event.tensor_proto)))
            for event in events
        ]
    return points


def _value(array: np.ndarray) -> Any:
    if array.dtype == object and array.size == 1:
        return array.item().decode()
    return array.item() if array.size == 1 else array


def start(
    *arguments: str,
    folder: str | os.PathLike,
    variables: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> subprocess.Popen:
    """Starts Python with the package in its path.

    Args:
        *arguments: of Python, such as `-m`, `yt8m_compact.programs.train`.
        folder: the folder to start it in.
        variables: of the environment, beside those of this process.
        **kwargs: for `subprocess.Popen`.

    Returns:
        The process; its standard output and error are pipes of text.
    """
    # Two levels above __init__.py: the checkout, or where pip installs.
    root = pathlib.Path(yt8m_compact.__file__).parents[1]
    environment = {
        **os.environ,
        "PYTHONPATH": os.fspath(root),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **(variables or {}),
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def execute(
    *arguments: str, folder: str | os.PathLike, timeout: float = 300
) -> subprocess.CompletedProcess:
    """Runs Python as `start` does, to its end."""
    process = start(*arguments, folder=folder)
    output, errors = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(
        process.args, process.returncode, output, errors
    )


def training_flags(config: config_lib.Config) -> list[str]:
    """Writes a configuration as flags of yt8m-train."""
    values = config.to_dict()
    flag_values = {
        **values["data"],
        "model": values["model"].pop("name"),
        **values["model"],
        **values["training"],
    }
    return [
        f"--{name}={_flag_text(value)}"
        for name, value in flag_values.items()
        if value is not None
    ]


def _flag_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)
