"""The configuration of a run, and `config.json`, where it is kept."""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import json
from typing import Any

import yt8m_compact
from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import names
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import feature_spec
from yt8m_compact.run import optimizer_names
from yt8m_compact.run import training_levers

with lazy.imports():
    import keras
    import numpy as np
    import tensorflow as tf

# What an evaluation finds, and whether more is better.
BETTER = {
    "gap": True,
    "hit_at_1": True,
    "perr": True,
    "map": True,
    "loss": False,
}

# The form of `config.json`. A field that is added needs no new one: where it is
# missing it takes its default. Forms that can't be read any more, with the
# version of yt8m_compact that could, are in `_UNREADABLE`.
FORMAT_VERSION = 2
_UNREADABLE = {1: "a version before 0.1.0, which was not released"}
_EXPECTED = "JSON that yt8m-train wrote"
_EXPECTED_FILE = (
    "the config.json of a run, which yt8m-train writes to its train_dir"
)
_MAX_BYTES = 1 << 20  # a configuration has 4 KB
_PATIENCE = 3
# Settings of the evaluation while training, and their values that ask for
# nothing where there is no data to evaluate on.
_WITHOUT_EVALUATION = {
    "eval_steps": (None,),
    "eval_weights": ("raw",),
    "early_stopping": ("none",),
    "keep_best": ("none", "gap"),  # the default
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What the features and labels of a data set look like.

    Example:
        >>> data = yt8m.run.DataConfig(
        ...     feature_names=("rgb", "audio"),
        ...     feature_sizes=(1024, 128),
        ...     frame_features=True,
        ... )
        >>> data.num_classes, data.max_frames
        (3862, 300)

    Raises:
        ValueError: if a setting is out of its range, or there are not as many
            sizes as names.
    """

    feature_names: tuple[str, ...] = settings.setting(
        ("mean_rgb",),
        "Features to read, comma-separated; several are concatenated. Where "
        "yt8m_features.json is beside the records to train on, it says these, "
        "their sizes, the level and the number of classes.",
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
        feature_spec.NUM_CLASSES,
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
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Example:
        >>> training = yt8m.run.TrainingConfig(
        ...     train_data_pattern="data/train*.tfrecord",
        ...     optimizer="AdamOptimizer",  # as the starter code calls it
        ...     max_steps=1000,
        ... )
        >>> training.optimizer, training.total_steps
        ('Adam', 1000)

    Raises:
        ValueError: if a setting is out of its range, or two do not fit each
            other.
    """

    train_data_pattern: str = settings.setting(
        "",
        "Files to train on: glob patterns, comma-separated.",
        is_pattern=True,
    )
    init_from: str = settings.setting(
        "",
        "Folder of a trained run, whose weights a new run starts from, place "
        "by place: copied, the nearest of another structure, or as initialised "
        "where they do not fit.",
        is_path=True,
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
    label_smoothing: float = settings.setting(
        0.0,
        "Share of a video's labels that the loss spreads evenly over all "
        "classes.",
        minimum=0.0,
        maximum=1.0,
    )
    positive_weight: float = settings.setting(
        1.0,
        "Factor of the loss of the classes that a video has; not of "
        "SoftmaxLoss.",
        above=0.0,
    )
    focal_gamma: float = settings.setting(
        2.0,
        "Power of the probability of the wrong answer that weighs each class "
        "in FocalLoss; 0 is cross entropy.",
        minimum=0.0,
    )
    mixup_alpha: float = settings.setting(
        0.0,
        "Mixup: each video is mixed with another one, with a share drawn from "
        "Beta(alpha, alpha); 0 mixes none (video-level).",
        minimum=0.0,
    )
    teacher: str = settings.setting(
        "",
        "What to learn from beside the labels, comma-separated, the mean of "
        "all: folders of runs or of SavedModels (which are programs: give only "
        "ones that you trust), and files of scores, which yt8m-predict "
        "--format=teacher writes.",
        is_pattern=True,
    )
    teacher_weight: float = settings.setting(
        0.5,
        "Share of --teacher in the loss, which labels have the rest of; 1 "
        "takes videos without labels.",
        above=0.0,
        maximum=1.0,
    )
    teacher_temperature: float = settings.setting(
        1.0,
        "What log-odds of --teacher are divided by: above 1, its probabilities "
        "come nearer to 1/2.",
        above=0.0,
    )
    optimizer: str = settings.setting(
        "Adam",
        f"Optimiser: {', '.join(optimizer_names.OPTIMIZERS)}; the starter "
        "code's names, AdamOptimizer say, do too.",
        choices=optimizer_names.OPTIMIZERS,
        parse=optimizer_names.parse,
    )
    base_learning_rate: float = settings.setting(
        0.01, "Learning rate at the start.", above=0.0
    )
    learning_rate_schedule: str = settings.setting(
        "exponential",
        "How the learning rate changes: by --learning_rate_decay in stairs, as "
        "half a cosine down to --final_learning_rate_fraction at "
        "--schedule_steps, or not.",
        choices=("exponential", "cosine", "constant"),
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
    schedule_steps: int | None = settings.setting(
        None,
        "Number of steps of the whole cosine schedule, warm-up and all; "
        "--max_steps if not given.",
        minimum=1,
    )
    final_learning_rate_fraction: float = settings.setting(
        0.0,
        "What is left of the learning rate at the end of the cosine schedule.",
        minimum=0.0,
        maximum=1.0,
    )
    warmup_steps: int = settings.setting(
        0,
        "Number of steps at the start in which the learning rate grows from "
        "near 0 to that of the schedule.",
        minimum=0,
    )
    clip_gradient_norm: float = settings.setting(
        1.0,
        "Largest norm of the gradient of each variable, or of all together: "
        "see --clip_gradients; 0 does not clip.",
        minimum=0.0,
    )
    clip_gradients: str = settings.setting(
        "each",
        "Whether --clip_gradient_norm bounds the norm of each variable's "
        "gradient, as the released codes do, or the norm of all gradients.",
        choices=("each", "global"),
    )
    weight_decay: float | None = settings.setting(
        None,
        "Share of each kernel, times the learning rate, that a step takes "
        "away; not of biases, norms, diagonals and cluster centres. If not "
        "given, 0.004 for AdamW and Muon, and none for others.",
        minimum=0.0,
    )
    ema_momentum: float | None = settings.setting(
        None,
        "Keeps an exponential moving average of the weights, of which each "
        "step keeps this share: 0.999 say; less in the first steps, so that "
        "a short run has an average, too. See --weights of the other "
        "programs.",
        minimum=0.0,
        maximum=0.999999,
    )
    gradient_accumulation_steps: int = settings.setting(
        1,
        "Number of steps whose gradients are averaged for an update of the "
        "weights.",
        minimum=1,
    )
    pruning_density: float | None = settings.setting(
        None,
        "Prunes dense projections while training: the smallest weights become "
        "0, more and more of them, until this share is left. --init_from of "
        "another run makes them sparse(density=...).",
        above=0.0,
        maximum=1.0,
    )
    pruning_group: int | None = settings.setting(
        None,
        "Prunes to the share --pruning_density of each group of so many inputs "
        "of an output, which must be a whole number: --pruning_density=0.5 "
        "--pruning_group=4 leaves 2 of 4. If not given, of the whole matrix.",
        minimum=1,
    )
    pruning_places: str = settings.setting(
        "",
        "Names of the layers that --pruning_density is for, or patterns such "
        "as fc*, comma-separated; if not given, all dense projections.",
    )
    pruning_steps: int | None = settings.setting(
        None,
        "Number of steps until --pruning_density is reached; three quarters of "
        "--schedule_steps or --max_steps if not given.",
        minimum=1,
    )
    dtype_policy: str = settings.setting(
        "float32",
        "What layers compute in; weights, losses, transforms and predictions "
        "are float32 in any case.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
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
        "Whether XLA compiles the training step as a whole; if not given, it "
        "does with a GPU or TPU, and on a CPU it compiles the layers that gain "
        "by it.",
    )
    strategy: str = settings.setting(
        "auto",
        "What trains together: one device; all GPUs of this machine, mirrored; "
        "or the machines that TF_CONFIG or Slurm name, several workers. By "
        "default what there is. --batch_size counts the videos of all.",
        choices=("auto", "one_device", "mirrored", "multi_worker"),
    )
    num_gpu: int | None = settings.setting(
        None,
        "The most GPUs of this machine to use; if not given, all. Where there "
        "are fewer, what there is trains, and the log says so.",
        minimum=1,
    )
    data_shards: int | None = settings.setting(
        None,
        "Shards of the files that fill each batch together, a multiple of the "
        "number of workers; if not given, as many. With the same number, 1, 2 "
        "or 4 workers train on the same batches.",
        minimum=1,
    )
    connect_timeout: int = settings.setting(
        300,
        "Seconds that several workers wait for each other at the start, "
        "then for TensorFlow to connect them; and for a batch of "
        "--data_service.",
        minimum=1,
    )
    data_service: str = settings.setting(
        "",
        "Address of a dispatcher of tf.data service, host:port, whose workers "
        "read the files in place of this process: the same batches. A shard "
        "(--data_shards) is read by one of its workers.",
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
    eval_data_pattern: str = settings.setting(
        "",
        "Files to evaluate on while training, exactly as yt8m-eval does: glob "
        "patterns, comma-separated.",
        is_pattern=True,
    )
    eval_steps: int | None = settings.setting(
        None,
        "Number of steps between two evaluations on --eval_data_pattern; if "
        "not given, each epoch ends with one.",
        minimum=1,
    )
    eval_weights: str = settings.setting(
        "raw",
        "Which weights are evaluated while training, by which --early_stopping "
        "and --keep_best go: raw, those that are trained, or ema, their moving "
        "average (with --ema_momentum). Give the other programs the same "
        "--weights.",
        choices=("raw", "ema"),
    )
    early_stopping: str = settings.setting(
        "none",
        "Training stops when this metric of --eval_data_pattern has not become "
        "better for --patience evaluations.",
        choices=("none", *BETTER),
    )
    patience: int = settings.setting(
        _PATIENCE,
        "Number of evaluations that --early_stopping waits for.",
        minimum=1,
    )
    keep_best: str = settings.setting(
        "gap",
        "The checkpoint that is best by this metric of --eval_data_pattern is "
        "kept beside the newest ones, for --checkpoint_step=best of the other "
        "programs.",
        choices=("none", *BETTER),
    )

    def __post_init__(self) -> None:
        """Checks every field, and that levers fit each other."""
        settings.check(self)
        training_levers.check(self)

    def check_options(self) -> None:
        """Checks that nothing is asked for of an evaluation that is not made.

        Raises:
            ValueError: if a setting of the evaluation while training is not the
                default, and there is no data to evaluate on, or, of
                `patience`, nothing stops early.
        """
        for name, unused in _WITHOUT_EVALUATION.items():
            value = getattr(self, name)
            if value not in unused and not self.eval_data_pattern:
                raise ValueError(
                    f"expected eval_data_pattern with {name}. Received: "
                    f"{name}={value!r}, eval_data_pattern=''"
                )
        if self.early_stopping == "none" and self.patience != _PATIENCE:
            raise ValueError(
                f"expected early_stopping with patience={self.patience}, which "
                "is not used otherwise, such as early_stopping=gap. Received: "
                f"early_stopping='none', patience={self.patience}"
            )

    def without_evaluation(self) -> TrainingConfig:
        """Returns the settings without those of the evaluation while training.

        Returns:
            A copy, in which these are the defaults.
        """
        defaults = TrainingConfig()
        names = TRAINING_GROUPS["evaluation while training"]
        return dataclasses.replace(
            self, **{name: getattr(defaults, name) for name in names}
        )

    @property
    def total_steps(self) -> int | None:
        """Number of steps of a schedule that ends; None is unknown."""
        return self.schedule_steps or self.max_steps

    @property
    def pruned_at_step(self) -> int | None:
        """The step at which `pruning_density` is reached; None without."""
        if self.pruning_density is None:
            return None
        return self.pruning_steps or -(-3 * self.total_steps // 4)

    @property
    def pruning_patterns(self) -> tuple[str, ...]:
        """The names and patterns of `pruning_places`."""
        return _split(self.pruning_places)

    def make_label_loss(self) -> Callable[..., tf.Tensor]:
        """Makes the loss between labels and predictions.

        Returns:
            A function like those of `ops.LOSSES`, of labels, predictions and
            weights of labels or None.
        """
        return ops.make_label_loss(
            self.label_loss,
            label_smoothing=self.label_smoothing,
            positive_weight=self.positive_weight,
            focal_gamma=self.focal_gamma,
        )

    @property
    def teachers(self) -> tuple[str, ...]:
        """The paths and patterns that `teacher` names."""
        return _split(self.teacher)


def _split(text: str) -> tuple[str, ...]:
    """Reads what is comma-separated."""
    parts = (part.strip() for part in text.split(","))
    return tuple(part for part in parts if part)


# Settings of training that help texts list together, by what they are about.
TRAINING_GROUPS = {
    "loss": (
        "label_loss",
        "label_smoothing",
        "positive_weight",
        "focal_gamma",
        "mixup_alpha",
        "teacher",
        "teacher_weight",
        "teacher_temperature",
    ),
    "optimiser": (
        "optimizer",
        "clip_gradient_norm",
        "clip_gradients",
        "weight_decay",
        "ema_momentum",
        "gradient_accumulation_steps",
        "dtype_policy",
    ),
    "pruning": (
        "pruning_density",
        "pruning_group",
        "pruning_places",
        "pruning_steps",
    ),
    "learning rate": (
        "base_learning_rate",
        "learning_rate_schedule",
        "learning_rate_decay",
        "learning_rate_decay_examples",
        "schedule_steps",
        "final_learning_rate_fraction",
        "warmup_steps",
    ),
    "evaluation while training": (
        "eval_data_pattern",
        "eval_steps",
        "eval_weights",
        "early_stopping",
        "patience",
        "keep_best",
    ),
    "several devices": (
        "strategy",
        "num_gpu",
        "data_shards",
        "connect_timeout",
        "data_service",
    ),
}


def check_level(data: DataConfig, model: models.ModelConfig) -> None:
    """Checks that a model reads the level of features that the data has.

    Args:
        data: the data's configuration.
        model: the model's configuration.

    Raises:
        ValueError: if one is at frame level, and the other at video level.
    """
    if data.frame_features != model.frame_features:
        level = "frame" if model.frame_features else "video"
        raise ValueError(
            f"{models.model_name(model)} reads {level}-level features: "
            f"expected frame_features={model.frame_features}. Received: "
            f"frame_features={data.frame_features}"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run: data, model and training.

    Example:
        >>> config = yt8m.run.Config(
        ...     data=yt8m.run.DataConfig(num_classes=3862),
        ...     model=yt8m.models.LogisticConfig(
        ...         classifier_projection="circulant"
        ...     ),
        ...     training=yt8m.run.TrainingConfig(base_learning_rate=0.001),
        ... )
        >>> config.build_model().count_params()  # 4 * 1024 + 3862
        7958
        >>> config == yt8m.run.Config.from_json(config.to_json(), "config.json")
        True

    Raises:
        ValueError: if the model does not read the level of features that the
            data has, or mixup is asked for with frames.
    """

    data: DataConfig
    model: models.ModelConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        """Checks that model and training fit the data."""
        check_level(self.data, self.model)
        if self.training.mixup_alpha and self.data.frame_features:
            raise ValueError(
                "expected mixup_alpha=0 with frame_features: frames of videos "
                "of different lengths have no mixture. Received: mixup_alpha="
                f"{self.training.mixup_alpha}, frame_features=True"
            )

    def build_model(
        self, class_priors: np.ndarray | None = None
    ) -> keras.Model:
        """Builds the model, which computes in the dtypes of the training.

        Args:
            class_priors: `[num_classes]`, where the classifier starts, or None.

        Returns:
            The model, with new weights.
        """
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.training.dtype_policy)
        try:
            return self.model.build(
                feature_sizes=self.data.feature_sizes,
                num_classes=self.data.num_classes,
                class_priors=class_priors,
            )
        finally:
            keras.config.set_dtype_policy(before)

    def reader(
        self,
        *,
        training: bool,
        random_frames: bool = False,
    ) -> readers.Reader:
        """Makes the reader of this run's records.

        Args:
            training: whether frames are sampled at random, and videos split if
                the training does that; if not, frames evenly.
            random_frames: whether frames are sampled at random without
                training, too.

        Returns:
            A reader.

        Raises:
            ValueError: if the settings ask for frames of video-level data, for
                halves of segments, or for a sample of frames of a model that
                looks at all of them.
        """
        data = self.data
        if random_frames and self.model.num_sampled_frames is None:
            raise ValueError(
                "expected frame_seed with a model that looks at a sample of "
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
                        f"expected frame_features with {name}: "
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
                "expected split_videos or segment_labels, not both. "
                "Received: split_videos=True, segment_labels=True"
            )
        parts = readers.VideoParts.WHOLE
        if split:
            parts = readers.VideoParts.HALVES
        elif data.segment_labels:
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

    def prediction_reader(self, *, segments: bool = False) -> readers.Reader:
        """Makes the reader of records to predict, whatever their labels.

        Args:
            segments: whether to read all segments of 5 s of each video, instead
                of the whole video.

        Returns:
            A reader of whole videos or of all segments, even if the run is one
            of rated segments, that samples frames evenly.

        Raises:
            ValueError: if the settings ask for frames of video-level data, or
                segments are asked for.
        """
        reader = self.reader(training=False)
        if not self.data.frame_features:
            if segments:
                raise ValueError(
                    "expected a run with frame_features to predict segments:"
                    " video-level records have none. Received: "
                    "frame_features=False"
                )
            return dataclasses.replace(reader, with_labels=False)
        parts = readers.VideoParts
        return dataclasses.replace(
            reader,
            parts=parts.ALL_SEGMENTS if segments else parts.WHOLE,
            with_labels=False,
        )

    def to_dict(self) -> dict[str, Any]:
        """Writes the configuration as a dict that JSON can hold."""
        return {
            "format_version": FORMAT_VERSION,
            "written_by": yt8m_compact.__version__,
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
    def from_json(cls, text: str | bytes, where: str) -> Config:
        """Reads a configuration.

        Args:
            text: what `to_json` wrote.
            where: what to call the source in errors, such as the file's name.

        Returns:
            The configuration.

        Raises:
            ValueError: if anything in it is missing, unknown or wrong.
        """
        if isinstance(text, bytes):
            text = untrusted.decode(text, where, _EXPECTED)
        values = untrusted.parse_json(text, where, _EXPECTED)
        if not isinstance(values, dict):
            raise ValueError(
                f"{where}: expected an object that yt8m-train wrote. Received:"
                f" {values!r:.80}"
            )
        # First, since another version may well have other keys.
        _check_version(values, where)
        try:
            return cls._from_dict(values, where)
        except ValueError as error:
            raise ValueError(f"{error}{_written_by(values)}") from error

    @classmethod
    def _from_dict(cls, values: dict[str, Any], where: str) -> Config:
        sections = ["data", "model", "training"]
        known = ["format_version", "written_by", *sections]
        for key in sorted(set(values) - set(known)):
            raise ValueError(
                f"{where}: expected the keys {', '.join(known)}. Received: "
                f"{key:.80}{names.suggestion(key, known)}"
            )
        missing = [key for key in sections if key not in values]
        if missing:
            raise ValueError(
                f"{where}: expected the keys {', '.join(sections)}. Received: "
                f"no {', '.join(missing)}"
            )
        model = values["model"]
        name = model.get("name") if isinstance(model, dict) else None
        if not isinstance(name, str):
            raise ValueError(
                f"{where}, model: expected an object with a name. Received: "
                f"{model!s:.80}"
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


def _check_version(values: dict[str, Any], where: str) -> None:
    """Refuses a form that this version can't read, and says which one can."""
    version = values.get("format_version")
    is_number = isinstance(version, int) and not isinstance(version, bool)
    if is_number and version == FORMAT_VERSION:
        return
    if is_number and version in _UNREADABLE:
        source = f"{_UNREADABLE[version]}; train the run again"
    elif is_number and version > FORMAT_VERSION:
        writer = values.get("written_by", "a later version")
        source = f"yt8m_compact {writer}; install that version or a later one"
    else:
        source = "another program, or changed by hand"
    raise ValueError(
        f"{where}: expected format_version {FORMAT_VERSION}, which yt8m_compact"
        f" {yt8m_compact.__version__} reads. Received: format_version="
        f"{version!r}, written by {source}"
    )


def _written_by(values: dict[str, Any]) -> str:
    """Says which version wrote a file, where that is not this one."""
    writer = values.get("written_by")
    if writer == yt8m_compact.__version__:
        return ""
    return (
        f". The file was written by yt8m_compact {writer}, and this is "
        f"{yt8m_compact.__version__}"
    )


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
    content = untrusted.read_bytes(path, _EXPECTED_FILE, _MAX_BYTES)
    return Config.from_json(content, path)
