"""The configuration of a run, and `config.json`, where it is kept."""

import dataclasses
import json
from typing import Any

import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact import settings

FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What the features and labels of a data set look like."""

    feature_names: tuple[str, ...] = settings.setting(
        ("mean_rgb",),
        "Features to read, comma-separated; several are concatenated.",
    )
    feature_sizes: tuple[int, ...] = settings.setting(
        (1024,), "Size of each feature, comma-separated."
    )
    frame_features: bool = settings.setting(
        False,
        "Whether records are frame-level (tf.SequenceExample), not video-level"
        " (tf.Example).",
    )
    num_classes: int = settings.setting(
        3862,
        "Number of classes: 3862 for YouTube-8M of 2018, 4716 for 2017, 527 "
        "for AudioSet.",
        minimum=1,
    )
    max_frames: int = settings.setting(
        300,
        "Frames of a video beyond this number are not read (frame-level).",
        minimum=1,
    )
    float_frames: bool = settings.setting(
        False,
        "Whether frames are lists of floats, as MediaPipe writes them; they "
        "become the nearest 8-bit codes.",
    )
    segment_labels: bool = settings.setting(
        False,
        "Whether to read the rated segments of YouTube-8M of 2019, 5 s each, "
        "not whole videos; --batch_size counts videos.",
    )

    def __post_init__(self) -> None:
        """Checks every field, and that names and sizes pair up."""
        settings.check(self)
        names, sizes = self.feature_names, self.feature_sizes
        if not names or len(names) != len(sizes) or min(sizes) < 1:
            raise ValueError(
                "expected one size above 0 for each feature name. Received: "
                f"feature_names={','.join(names)}, "
                f"feature_sizes={','.join(map(str, sizes))}"
            )
        if len(set(names)) != len(names):
            raise ValueError(
                "expected feature names that differ. Received: "
                f"feature_names={','.join(names)}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained."""

    train_data_pattern: str = settings.setting(
        "",
        "Files to train on: glob patterns, comma-separated.",
    )
    batch_size: int = settings.setting(
        1024, "Number of videos of a training step.", minimum=1
    )
    num_epochs: int = settings.setting(
        5, "How often training goes through the data.", minimum=1
    )
    max_steps: int | None = settings.setting(
        None,
        "Training stops after this many steps, if --num_epochs come later.",
        minimum=1,
    )
    label_loss: str = settings.setting(
        "CrossEntropyLoss",
        "Loss between predictions and labels.",
        choices=tuple(ops.LOSSES),
    )
    optimizer: str = settings.setting(
        "AdamOptimizer",
        "Optimiser.",
        choices=(
            "AdamOptimizer",
            "AdagradOptimizer",
            "RMSPropOptimizer",
            "MomentumOptimizer",
            "GradientDescentOptimizer",
        ),
    )
    base_learning_rate: float = settings.setting(
        0.01, "Learning rate at the start.", above=0.0
    )
    learning_rate_decay: float = settings.setting(
        0.95,
        "The learning rate is multiplied by this every "
        "--learning_rate_decay_examples.",
        above=0.0,
        maximum=1.0,
    )
    learning_rate_decay_examples: float = settings.setting(
        4_000_000.0,
        "Number of videos after which the learning rate decays.",
        above=0.0,
    )
    clip_gradient_norm: float = settings.setting(
        1.0,
        "Largest norm of the gradient of each variable; 0 does not clip.",
        minimum=0.0,
    )
    classifier_bias: str = settings.setting(
        "log_odds",
        "Where the classifier's biases start: at the log-odds of each class, "
        "counted over the first --bias_examples, or at zeros.",
        choices=("log_odds", "zeros"),
    )
    bias_examples: int = settings.setting(
        20_000,
        "Number of training videos whose labels are counted for "
        "--classifier_bias=log_odds.",
        minimum=1,
    )
    split_videos: bool = settings.setting(
        False,
        "Whether each video is trained on as two, its halves, both with its "
        "labels (frame-level); --batch_size counts whole videos.",
    )
    on_data_error: str = settings.setting(
        "stop",
        "What to do about damaged or wrong records: stop there, or skip them, "
        "count them by file, and report.",
        choices=("stop", "skip"),
    )
    num_readers: int = settings.setting(
        8, "Number of files that are read at the same time.", minimum=1
    )
    shuffle_buffer: int = settings.setting(
        1024,
        "Number of records kept in memory to shuffle them (a frame-level "
        "record of YouTube-8M has about 0.27 MB); 0 keeps the files' order.",
        minimum=0,
    )
    seed: int = settings.setting(
        0,
        "Seed of initialisation, shuffling and frame sampling.",
        minimum=0,
        maximum=2**32 - 1,
    )
    jit_compile: bool | None = settings.setting(
        None,
        "Whether the training step is compiled with XLA; if not given, it is "
        "with a GPU or TPU, and on a CPU where a projection is compact and "
        "nothing is dropped out.",
    )
    log_steps: int = settings.setting(
        10, "Number of steps between two points in TensorBoard.", minimum=1
    )
    weight_histograms: bool = settings.setting(
        False, "Whether TensorBoard gets histograms of all weights each epoch."
    )
    checkpoint_steps: int = settings.setting(
        1000,
        "Number of steps between two checkpoints; each epoch ends with one.",
        minimum=1,
    )
    keep_checkpoints: int = settings.setting(
        3, "Number of checkpoints kept, the newest ones.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)


def check_level(data: DataConfig, model: models.ModelConfig) -> None:
    """Checks that a model reads the level of features that the data has.

    Args:
      data: the data's configuration.
      model: the model's configuration.

    Raises:
      ValueError: if one is at frame level, and the other at video level.
    """
    if data.frame_features != model.frame_features:
        expected = str(model.frame_features).lower()
        level = "frame" if model.frame_features else "video"
        raise ValueError(
            f"{models.model_name(model)} reads {level}-level features: "
            f"expected --frame_features={expected}. Received: frame_features="
            f"{str(data.frame_features).lower()}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run: data, model and training."""

    data: DataConfig
    model: models.ModelConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        """Checks that the model fits the data."""
        check_level(self.data, self.model)

    def reader(
        self,
        *,
        training: bool,
        whole_videos: bool = False,
        random_frames: bool = False,
    ) -> readers.Reader:
        """Makes the reader of this run's records.

        Args:
          training: whether frames are sampled at random, and videos split if
            the training does that; if not, frames evenly.
          whole_videos: whether to read whole videos even if the run is one of
            rated segments, as for predictions.
          random_frames: whether frames are sampled at random without training,
            too.

        Returns:
          A reader.

        Raises:
          ValueError: if the settings ask for frames of video-level data, for
            halves of segments, or for a sample of frames of a model that looks
            at all of them.
        """
        data = self.data
        if random_frames and self.model.num_sampled_frames is None:
            raise ValueError(
                "expected --frame_seed with a model that looks at a sample of "
                "the frames. Received: frame_seed, "
                f"model={models.model_name(self.model)}, which looks at all"
            )
        split = training and self.training.split_videos
        if not data.frame_features:
            for name, value in (
                ("float_frames", data.float_frames),
                ("segment_labels", data.segment_labels),
                ("split_videos", split),
            ):
                if value:
                    raise ValueError(
                        f"expected --frame_features with --{name}: "
                        "video-level records have no frames. Received: "
                        f"{name}=True, frame_features=False"
                    )
            return readers.VideoLevelReader(
                feature_names=data.feature_names,
                feature_sizes=data.feature_sizes,
                num_classes=data.num_classes,
            )
        if split and data.segment_labels:
            raise ValueError(
                "expected --split_videos or --segment_labels, not both. "
                "Received: split_videos=True, segment_labels=True"
            )
        parts = readers.VideoParts.WHOLE
        if split:
            parts = readers.VideoParts.HALVES
        elif data.segment_labels and not whole_videos:
            parts = readers.VideoParts.SEGMENTS
        num_sampled_frames = self.model.num_sampled_frames
        if num_sampled_frames is None:
            sampling = readers.FrameSampling.ALL
        elif not training and not random_frames:
            sampling = readers.FrameSampling.EVEN
        elif self.model.samples_random_frames:
            sampling = readers.FrameSampling.RANDOM
        else:
            sampling = readers.FrameSampling.SEQUENCE
        return readers.FrameLevelReader(
            feature_names=data.feature_names,
            feature_sizes=data.feature_sizes,
            num_classes=data.num_classes,
            max_frames=data.max_frames,
            frame_sampling=sampling,
            num_sampled_frames=num_sampled_frames,
            float_frames=data.float_frames,
            parts=parts,
        )

    def to_dict(self) -> dict[str, Any]:
        """Writes the configuration as a dict that JSON can hold."""
        return {
            "format_version": FORMAT_VERSION,
            "data": settings.to_dict(self.data),
            "model": {
                "name": models.model_name(self.model),
                **settings.to_dict(self.model),
            },
            "training": settings.to_dict(self.training),
        }

    def to_json(self) -> str:
        """Writes the configuration as JSON."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> "Config":
        """Reads a configuration.

        Args:
          text: what `to_json` wrote.
          where: what to call the source in errors, such as the file's name.

        Returns:
          The configuration.

        Raises:
          ValueError: if anything in it is missing, unknown or wrong.
        """
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{where}: expected JSON that yt8m-train wrote. Received: "
                f"{error}"
            ) from error
        if not isinstance(values, dict):
            raise ValueError(
                f"{where}: expected an object that yt8m-train wrote. Received:"
                f" {values!r}"
            )
        # First, since another version may well have other keys.
        version = values.get("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"{where}: expected format_version {FORMAT_VERSION}. Received:"
                f" format_version={version!r}"
            )
        parts = {"format_version", "data", "model", "training"}
        if set(values) != parts:
            raise ValueError(
                f"{where}: expected the keys {', '.join(sorted(parts))}. "
                f"Received: {', '.join(sorted(values))}"
            )
        model = values["model"]
        name = model.get("name") if isinstance(model, dict) else None
        if not isinstance(name, str):
            raise ValueError(
                f"{where}, model: expected an object with a name. Received: "
                f"{model}"
            )
        try:
            model_cls = models.get_model_config(name)
        except ValueError as error:
            raise ValueError(f"{where}, model: {error}") from error
        model = {key: value for key, value in model.items() if key != "name"}
        data = settings.from_dict(DataConfig, values["data"], f"{where}, data")
        model = settings.from_dict(model_cls, model, f"{where}, model")
        training = settings.from_dict(
            TrainingConfig, values["training"], f"{where}, training"
        )
        try:
            return cls(data=data, model=model, training=training)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Compares two configurations, in what is used of them.

    Args:
      old: a configuration.
      new: another one.

    Returns:
      Old and new value of each field that differs, by `part.field`; settings
      that others leave unused count as their defaults.
    """
    before, after = (
        dataclasses.replace(
            config, model=config.model.without_unused()
        ).to_dict()
        for config in (old, new)
    )
    changed = {}
    for part in ("data", "model", "training"):
        for name in {**before[part], **after[part]}:
            pair = before[part].get(name), after[part].get(name)
            if pair[0] != pair[1]:
                changed[f"{part}.{name}"] = pair
    return changed


def save(config: Config, path: str) -> None:
    """Writes a configuration to a file, whole or not at all.

    Args:
      config: the configuration.
      path: the file; its folder must exist.
    """
    with files.writing(path) as file:
        file.write(config.to_json())


def load(path: str) -> Config:
    """Reads a configuration from a file.

    Args:
      path: the file.

    Returns:
      The configuration.

    Raises:
      ValueError: if there is no such file, or it does not fit.
    """
    if not tf.io.gfile.exists(path):
        raise ValueError(
            f"{path}: expected the config.json of a run, which yt8m-train "
            "writes to its --train_dir. Received: no such file"
        )
    with tf.io.gfile.GFile(path, "rb") as file:
        return Config.from_json(file.read(), path)
