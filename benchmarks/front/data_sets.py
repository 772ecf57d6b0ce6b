"""The data sets of the front: what is trained on, and what is evaluated on."""

import dataclasses
import os

from benchmarks.front import cases
from yt8m_compact.datasets import split as split_lib
from yt8m_compact.run import config as config_lib

# "validation" is for choices, "test" for final figures.
SPLITS = ("test", "validation")
# Of AudioSet's videos, by a hash of their ids; and of the rest.
_TEST_PERCENT = 10.0
_VALIDATION_PERCENT = 20.0


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What cases are trained and evaluated on.

    Attributes:
        name: the name, as in `Case.data`.
        split: of `SPLITS`.
        metric: what is compared, "gap" or "map".
        config: features and classes.
        train_pattern: files to train on.
        eval_pattern: files to evaluate on.
        training: how all cases are trained.
        teacher_weight: share of what teachers say in what is learned.
    """

    name: str
    split: str
    metric: str
    config: config_lib.DataConfig
    train_pattern: str
    eval_pattern: str
    training: config_lib.TrainingConfig
    teacher_weight: float


def make(
    name: str,
    split: str,
    data_dir: str,
    work_dir: str,
    num_steps: int | None = None,
) -> DataSet:
    """Makes a data set.

    Args:
        name: `cases.YT8M` or `cases.AUDIOSET`.
        split: of `SPLITS`.
        data_dir: the folder of the data.
        work_dir: where the parts of AudioSet are written.
        num_steps: how long each case is trained; None is long enough.

    Returns:
        The data set.
    """
    if name == cases.YT8M:
        return _youtube8m(split, data_dir, num_steps)
    return _audioset(split, data_dir, work_dir, num_steps)


def _youtube8m(split: str, data_dir: str, num_steps: int | None) -> DataSet:
    train, evaluate = {
        "test": ("00[0-7]?", "00[89]?"),
        "validation": ("00[0-6]?", "007?"),
    }[split]
    folder = os.path.join(data_dir, "yt8m_2018_video")
    pattern = os.path.join(folder, f"validate{train}.tfrecord")
    return DataSet(
        name=cases.YT8M,
        split=split,
        metric="gap",
        config=config_lib.DataConfig(
            feature_names=("mean_rgb", "mean_audio"),
            feature_sizes=(1024, 128),
        ),
        train_pattern=pattern,
        eval_pattern=os.path.join(folder, f"validate{evaluate}.tfrecord"),
        training=_training(pattern, 512, num_steps or 600),
        teacher_weight=1.0,
    )


def _audioset(
    split: str, data_dir: str, work_dir: str, num_steps: int | None
) -> DataSet:
    source = os.path.join(data_dir, "audioset", "bal_train.tfrecord")
    folder = os.path.join(work_dir, "audioset_records")
    _split(source, folder, _TEST_PERCENT)
    if split == "validation":
        source = os.path.join(folder, "train.tfrecord")
        folder = os.path.join(work_dir, "audioset_validation_records")
        # The same hash: those up to 10 % are not there any more.
        _split(source, folder, _VALIDATION_PERCENT)
    pattern = os.path.join(folder, "train.tfrecord")
    return DataSet(
        name=cases.AUDIOSET,
        split=split,
        metric="map",
        config=config_lib.DataConfig(
            feature_names=("audio_embedding",),
            feature_sizes=(128,),
            frame_features=True,
            num_classes=527,
            max_frames=10,
        ),
        train_pattern=pattern,
        eval_pattern=os.path.join(folder, "validate.tfrecord"),
        training=_training(pattern, 256, num_steps or 500),
        teacher_weight=0.8,
    )


def _split(source: str, folder: str, percent: float) -> None:
    names = ("train.tfrecord", "validate.tfrecord")
    if not all(os.path.exists(os.path.join(folder, name)) for name in names):
        split_lib.split_records(source, folder, percent, overwrite=True)


def _training(
    pattern: str, batch_size: int, num_steps: int
) -> config_lib.TrainingConfig:
    return config_lib.TrainingConfig(
        train_data_pattern=pattern,
        batch_size=batch_size,
        num_epochs=10_000,
        max_steps=num_steps,
        base_learning_rate=0.004,
        learning_rate_schedule="cosine",
        warmup_steps=min(20, num_steps // 10),
        clip_gradient_norm=0.0,
        shuffle_buffer=8192,
        checkpoint_steps=10_000,
        keep_checkpoints=1,
        log_steps=100,
    )
