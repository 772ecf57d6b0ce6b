"""Synthetic videos in YouTube-8M's frame-level format.

The classes of a video can't be seen in the mean of its frames. Each class owns
a *moment*, a random direction p of the feature space. A video of that class
shows it in a minority of its frames, and -p in as many others:

    frame = scene + sign * strength * p + noise

`scene` drifts slowly, is cut every 10 to 40 frames and, like a PCA of real
features, has most of its energy in the leading dimensions of each feature. So
a model has to look at frames, and to pool what it sees over them: the signed
moments add up to nothing.

Labels follow Zipf's law, videos of one topic share classes, a share of the
labels is not to be seen in the frames and some videos show a class that is
not among their labels, so that no model gets all labels right. The frame
counts are those of YouTube-8M and tell nothing of the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
import contextlib
import dataclasses
import errno
import functools
import json
import math
import os
import pathlib
import re
import shutil
import statistics
from typing import Any

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import progress as progress_lib
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import features_file

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import frame_counts
    from yt8m_compact.datasets import parallel
    from yt8m_compact.datasets import record_writer
    from yt8m_compact.ops import quantization

MANIFEST_NAME = "synthetic.json"
SPLITS = ("train", "validate")

# Changes whenever the same config gives other records.
_GENERATOR_VERSION = 1
_SHARD_NAME = re.compile(r"(train|validate)-\d{5}-of-\d{5}\.tfrecord")
_ID_LETTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 4
_TOPIC_SIZE = 10  # classes that often occur together
_TOPIC_SHARE = 0.5  # of the labels after the first come from its topic
_RUN_LENGTH = 4  # consecutive frames that show a moment
_MAX_MOMENTS = 0.6  # of the runs of a video show moments
_SCENE_LENGTHS = (10, 40)  # frames
_SCENE_DIMENSIONS = 32  # where the energy of a scene has fallen to a quarter


@dataclasses.dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Settings of a synthetic data set.

    Lengths of features are in units of the features, which are in [-2, 2].

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> config = yt8m.datasets.SyntheticConfig(num_train_videos=100)
        >>> config.shard_name("train", 0), config.shard_range("train", 0)
        ('train-00000-of-00008.tfrecord', range(0, 12))
    """

    num_train_videos: int = settings.setting(
        2000, "Number of videos of the train split.", minimum=1
    )
    num_validate_videos: int = settings.setting(
        500, "Number of videos of the validate split.", minimum=1
    )
    num_train_shards: int = settings.setting(
        8, "Number of files of the train split.", minimum=1
    )
    num_validate_shards: int = settings.setting(
        2, "Number of files of the validate split.", minimum=1
    )
    num_classes: int = settings.setting(
        50,
        "Number of classes, which are numbered by how common they are.",
        minimum=1,
    )
    feature_names: tuple[str, ...] = settings.setting(
        ("rgb", "audio"), "Features of a frame, comma-separated."
    )
    feature_sizes: tuple[int, ...] = settings.setting(
        (1024, 128), "Size of each feature, comma-separated."
    )
    seed: int = settings.setting(0, "Seed of all that is random.", minimum=0)
    labels_per_video: float = settings.setting(
        3.0,
        "Labels of a video on average; each has at least 1.",
        minimum=1,
    )
    zipf_exponent: float = settings.setting(
        1.0,
        "Class c is as common as (c + 1) to the power of minus this.",
        minimum=0,
        maximum=4,
    )
    hidden_share: float = settings.setting(
        0.1,
        "Share of the labels that the frames don't show.",
        minimum=0,
        maximum=1,
    )
    distractor_share: float = settings.setting(
        0.3,
        "Share of the videos that show a class that is not among their labels.",
        minimum=0,
        maximum=1,
    )
    moment_share: float = settings.setting(
        0.12,
        "Share of the frames that show the moment of a class, half of them "
        "with the sign turned.",
        minimum=0,
        maximum=1,
    )
    moment_stddev: float = settings.setting(
        0.6,
        "Standard deviation of a moment over the dimensions.",
        minimum=0,
    )
    scene_stddev: float = settings.setting(
        0.5,
        "Standard deviation of a scene in the leading dimension.",
        minimum=0,
    )
    noise_stddev: float = settings.setting(
        0.2,
        "Standard deviation of what is new in every frame.",
        minimum=0,
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        feature_spec.validate(self.feature_names, self.feature_sizes)
        for split in SPLITS:
            if self.num_shards(split) > self.num_videos(split):
                self._fail(f"num_{split}_shards", "at most one a video")
        most = len(_ID_LETTERS) ** _ID_LENGTH
        if self.num_train_videos + self.num_validate_videos > most:
            self._fail("num_train_videos", f"at most {most} videos in all")
        if self.labels_per_video > self.num_classes:
            self._fail(
                "labels_per_video", f"at most num_classes={self.num_classes}"
            )

    @property
    def frame_size(self) -> int:
        """Size of a frame, all of its features together."""
        return sum(self.feature_sizes)

    @property
    def estimated_bytes(self) -> int:
        """About how large the files are, all together."""
        num_frames, counts = frame_counts.frame_count_histogram()
        mean_frames = float(np.average(num_frames, weights=counts))
        # Each value of a feature list is framed by six to nine bytes.
        frame_bytes = self.frame_size + 9 * len(self.feature_sizes)
        num_videos = sum(self.num_videos(split) for split in SPLITS)
        return int(num_videos * (mean_frames * frame_bytes + 150))

    def num_videos(self, split: str) -> int:
        """Returns the number of videos of a split."""
        _check_split(split)
        return getattr(self, f"num_{split}_videos")

    def num_shards(self, split: str) -> int:
        """Returns the number of files of a split."""
        _check_split(split)
        return getattr(self, f"num_{split}_shards")

    def shard_range(self, split: str, shard: int) -> range:
        """Returns which videos of a split are in one of its shards."""
        count = self.num_shards(split)
        if not 0 <= shard < count:
            raise ValueError(
                f"expected a shard in [0, {count}). Received: shard={shard}"
            )
        num_videos = self.num_videos(split)
        return range(
            num_videos * shard // count, num_videos * (shard + 1) // count
        )

    def shard_name(self, split: str, shard: int) -> str:
        """Returns the name of the file of a shard."""
        return f"{split}-{shard:05d}-of-{self.num_shards(split):05d}.tfrecord"

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as JSON has them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def _fail(self, name: str, expected: str) -> None:
        raise ValueError(
            f"SyntheticConfig: expected {name} to be {expected}. Received: "
            f"{name}={getattr(self, name)!r}"
        )


@dataclasses.dataclass(frozen=True)
class SyntheticVideo:
    """A synthetic video.

    Attributes:
        id: Four letters or digits.
        labels: int64 `[num_labels]`, increasing.
        shown_classes: int64 `[num_shown]`, the classes whose moments are in
            the frames: some labels are not, and some that are no labels.
        frames: uint8 `[num_frames, frame_size]`, the features side by side.

    Example:
        >>> config = yt8m.datasets.SyntheticConfig(feature_sizes=(16, 8))
        >>> video = next(yt8m.datasets.generate_videos(config, "train", 0))
        >>> video.frames.shape[1], video.frames.dtype
        (24, dtype('uint8'))
    """

    id: bytes
    labels: np.ndarray
    shown_classes: np.ndarray
    frames: np.ndarray


def generate_videos(
    config: SyntheticConfig, split: str, shard: int
) -> Iterator[SyntheticVideo]:
    """Generates the videos of one shard.

    They depend on the config, the split and the shard alone, so that shards
    can be generated in any order and anywhere.

    Args:
        config: Settings of the data set.
        split: "train" or "validate".
        shard: Number of the shard.

    Yields:
        The videos, in the order of the file.

    Raises:
        ValueError: If there is no such split or shard.

    Example:
        >>> config = yt8m.datasets.SyntheticConfig(
        ...     num_train_videos=16, feature_sizes=(16, 8)
        ... )
        >>> videos = yt8m.datasets.generate_videos(config, "train", shard=0)
        >>> [video.id for video in videos]
        [b'0000', b'0001']
    """
    videos = config.shard_range(split, shard)
    first_id = SPLITS.index(split) * config.num_train_videos
    rng = np.random.default_rng([config.seed, 1 + SPLITS.index(split), shard])
    moments = _make_moments(config)
    label_sampler = _LabelSampler(config)
    num_frames = frame_counts.sample_num_frames(rng, len(videos))
    for video, length in zip(videos, num_frames, strict=True):
        labels = label_sampler.sample_labels(rng)
        shown = label_sampler.sample_shown_classes(rng, labels)
        frames = _normal(rng, (length, config.frame_size))
        frames *= np.float32(config.noise_stddev)
        _add_scenes(rng, frames, config)
        _add_moments(rng, frames, moments, shown, config.moment_share)
        yield SyntheticVideo(
            _make_id(first_id + video),
            np.sort(labels),
            np.sort(shown),
            _quantize(frames),
        )


def serialize_video(video: SyntheticVideo, config: SyntheticConfig) -> bytes:
    """Serializes a video as YouTube-8M's frame-level records.

    Args:
        video: The video.
        config: Names and sizes of its features.

    Returns:
        A serialized `tf.train.SequenceExample`.

    Example:
        >>> config = yt8m.datasets.SyntheticConfig(feature_sizes=(16, 8))
        >>> video = next(yt8m.datasets.generate_videos(config, "train", 0))
        >>> record = yt8m.datasets.serialize_video(video, config)
        >>> read = tf.train.SequenceExample.FromString(record)
        >>> sorted(read.context.feature)
        ['id', 'labels']
        >>> sorted(read.feature_lists.feature_list)
        ['audio', 'rgb']
    """
    context = {
        "id": _bytes_feature(video.id),
        "labels": tf.train.Feature(
            int64_list=tf.train.Int64List(value=video.labels)
        ),
    }
    ends = np.cumsum(config.feature_sizes)[:-1]
    features = np.split(video.frames, ends, axis=1)
    lists = {
        name: tf.train.FeatureList(
            feature=[_bytes_feature(frame.tobytes()) for frame in part]
        )
        for name, part in zip(config.feature_names, features, strict=True)
    }
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    ).SerializeToString(deterministic=True)


def write_synthetic(
    output_dir: str | os.PathLike,
    config: SyntheticConfig | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
    num_processes: int = 1,
) -> dict[str, Any]:
    """Writes a synthetic data set, or what is missing of it.

    The folder gets `train-00000-of-00008.tfrecord` and so on, the same for
    `validate`, and the manifest `synthetic.json`. A file gets its name when it
    is complete. Where the folder holds the same data set already, in whole or
    in part, its complete files are kept. The default data set takes 670 MB.

    Args:
        output_dir: Folder to write to. It is made if it does not exist.
        config: Settings of the data set, the defaults if None.
        overwrite: Whether to replace another synthetic data set that is in
            the folder, and to write all files anew. Other data are never
            replaced.
        progress: Whether to show a progress bar.
        num_processes: How many processes write files; 0 for a choice by size.
            The files are the same.

    Returns:
        The manifest: `config`, and under `files` the `num_videos` and
        `num_bytes` of each file by name.

    Raises:
        ValueError: If the folder holds another data set.
        OSError: If a file can't be written, for example on a full disk.

    Example:
        >>> config = yt8m.datasets.SyntheticConfig(
        ...     num_train_videos=8, num_validate_videos=2, feature_sizes=(16, 8)
        ... )
        >>> manifest = yt8m.datasets.write_synthetic("data", config)
        >>> len(manifest["files"])
        10
        >>> manifest["files"]["train-00000-of-00008.tfrecord"]["num_videos"]
        1
    """
    config = SyntheticConfig() if config is None else config
    folder = pathlib.Path(files_lib.expand_user(output_dir))
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"expected a folder. Received: output_dir={str(folder)!r}, "
            "which is a file"
        )
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _prepare(folder, config, overwrite)
    files = manifest["files"]
    missing = [
        (split, shard)
        for split in SPLITS
        for shard in range(config.num_shards(split))
        if not _is_complete(folder, config.shard_name(split, shard), files)
    ]
    if missing:
        _check_free_space(folder, config, missing)
        _write_manifest(folder, manifest)
    _place_features(folder, config)
    if not missing:
        return manifest
    total = sum(len(config.shard_range(*which)) for which in missing)
    # It takes a process about as long to make a video as to read ten.
    num_bytes = 10 * _estimate_bytes(config, total)
    num_processes = parallel.choose_num_processes(
        num_processes, len(missing), num_bytes
    )
    with progress_lib.count_bar(
        "write", total, " videos", is_shown=progress
    ) as bar:
        tasks = [(folder, config, *which) for which in missing]
        for task, num_bytes in parallel.map_tasks(
            _write_shard, tasks, num_processes=num_processes, bar=bar
        ):
            name = config.shard_name(*task[2:])
            files[name]["num_bytes"] = num_bytes
            _write_manifest(folder, manifest)
    return manifest


def _place_features(folder: pathlib.Path, config: SyntheticConfig) -> None:
    """Says beside the records what they hold."""
    features_file.place_features(
        str(folder),
        features_file.RecordFeatures(
            feature_names=config.feature_names,
            feature_sizes=config.feature_sizes,
            num_classes=config.num_classes,
            min_quantized_value=(-2.0,),
            max_quantized_value=(2.0,),
        ),
    )


class _LabelSampler:
    """Samples the labels of videos, and the classes that frames show."""

    def __init__(self, config: SyntheticConfig):
        self._config = config
        ranks = np.arange(1, config.num_classes + 1)
        shares = ranks ** -float(config.zipf_exponent)
        self._shares = shares / shares.sum()
        # Each topic has common and rare classes.
        num_topics = max(1, config.num_classes // _TOPIC_SIZE)
        self._topics = np.arange(config.num_classes) % num_topics

    def sample_labels(self, rng: np.random.Generator) -> np.ndarray:
        """Samples the labels of a video: one, and others that go with it."""
        config = self._config
        count = 1 + rng.poisson(config.labels_per_video - 1.0)
        count = min(count, config.num_classes)
        first = rng.choice(config.num_classes, p=self._shares)
        if count == 1:
            return np.array([first])
        shares = self._shares.copy()
        topic = self._topics == self._topics[first]
        shares[topic] *= _TOPIC_SHARE / shares[topic].sum()
        shares[~topic] *= (1.0 - _TOPIC_SHARE) / max(
            shares[~topic].sum(), np.finfo(float).tiny
        )
        shares[first] = 0.0
        others = rng.choice(
            config.num_classes,
            size=count - 1,
            replace=False,
            p=shares / shares.sum(),
        )
        return np.append(first, others)

    def sample_shown_classes(
        self, rng: np.random.Generator, labels: np.ndarray
    ) -> np.ndarray:
        """Samples the classes whose moments the frames show."""
        config = self._config
        shown = labels[rng.random(len(labels)) >= config.hidden_share]
        if rng.random() < config.distractor_share:
            distractor = rng.choice(config.num_classes, p=self._shares)
            if distractor not in labels:
                shown = np.append(shown, distractor)
        return shown


def _make_moments(config: SyntheticConfig) -> np.ndarray:
    """Returns the moment of each class, `[num_classes, frame_size]`."""
    rng = np.random.default_rng([config.seed, 0])
    moments = _normal(rng, (config.num_classes, config.frame_size))
    return moments * np.float32(config.moment_stddev)


def _add_scenes(
    rng: np.random.Generator, frames: np.ndarray, config: SyntheticConfig
) -> None:
    """Adds scenes to `[num_frames, frame_size]` frames, in place."""
    num_frames, frame_size = frames.shape
    dimensions = np.concatenate(
        [np.arange(size) for size in config.feature_sizes]
    )
    stddev = config.scene_stddev / (1.0 + dimensions / _SCENE_DIMENSIONS)
    shortest, longest = _SCENE_LENGTHS
    lengths = rng.integers(
        shortest, longest + 1, size=-(-num_frames // shortest)
    )
    ends = np.minimum(np.cumsum(lengths), num_frames)
    begin = 0
    for end in ends[: 1 + np.searchsorted(ends, num_frames)]:
        # From one look to another, which the scene does not quite reach.
        looks = _normal(rng, (2, frame_size)) * stddev.astype(np.float32)
        way = np.arange(end - begin, dtype=np.float32)[:, None]
        way /= np.float32(end - begin)
        frames[begin:end] += looks[0] + way * (looks[1] - looks[0])
        begin = end


def _add_moments(
    rng: np.random.Generator,
    frames: np.ndarray,
    moments: np.ndarray,
    classes: np.ndarray,
    moment_share: float,
) -> None:
    """Adds moments of classes to `[num_frames, frame_size]` frames, in place.

    The frames are cut into runs. Each class gets pairs of them, anywhere in
    the video: one with its moment, one with the same moment turned around.
    """
    num_runs = max(1, len(frames) // _RUN_LENGTH)
    runs = rng.permutation(num_runs)
    if not len(classes):
        return
    most = int(_MAX_MOMENTS * num_runs / len(classes) / 2)
    num_pairs = max(1, min(round(moment_share * num_runs / 2), most))
    strengths = rng.uniform(0.8, 1.2, (len(classes), num_pairs))
    strengths = np.stack([strengths, -strengths], axis=-1)
    of_runs = np.repeat(classes, 2 * num_pairs)
    for run, class_index, strength in zip(
        runs, of_runs, strengths.ravel().astype(np.float32), strict=False
    ):
        begin = run * _RUN_LENGTH
        frames[begin : begin + _RUN_LENGTH] += strength * moments[class_index]


@functools.cache
def _normal_deviates() -> np.ndarray:
    """Makes a table: good enough for what is then cut into 256 steps."""
    normal = statistics.NormalDist()
    values = [normal.inv_cdf((i + 0.5) / 256) for i in range(256)]
    return np.array(values, np.float32)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Returns float32 normal deviates, one of 256 values each."""
    codes = np.frombuffer(rng.bytes(math.prod(shape)), np.uint8)
    return _normal_deviates()[codes].reshape(shape)


def _quantize(frames: np.ndarray) -> np.ndarray:
    """Returns float32 frames as uint8, in place where it can."""
    # ops.quantize in NumPy.
    frames -= np.float32(quantization.OFFSET)
    frames /= np.float32(quantization.STEP)
    np.rint(frames, out=frames)
    return np.clip(frames, 0.0, 255.0, out=frames).astype(np.uint8)


def _make_id(number: int) -> bytes:
    base = len(_ID_LETTERS)
    return bytes(
        _ID_LETTERS[number // base**digit % base]
        for digit in reversed(range(_ID_LENGTH))
    )


def _bytes_feature(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _check_split(split: str) -> None:
    if split not in SPLITS:
        raise ValueError(
            f"expected one of {', '.join(SPLITS)}. Received: split={split!r}"
        )


def _prepare(
    folder: pathlib.Path, config: SyntheticConfig, overwrite: bool
) -> dict[str, Any]:
    """Returns the manifest to go on with, after looking at what is there."""
    new = {
        "name": "synthetic",
        "description": "Synthetic videos in YouTube-8M's frame-level format",
        "generator_version": _GENERATOR_VERSION,
        "config": config.to_json(),
        "files": {
            config.shard_name(split, shard): {
                "num_videos": len(config.shard_range(split, shard)),
                "num_bytes": None,
            }
            for split in SPLITS
            for shard in range(config.num_shards(split))
        },
    }
    old = _read_manifest(folder)
    known = set(old["files"]) if old else set()
    foreign = sorted({file.name for file in folder.glob("*.tfrecord")} - known)
    if foreign:
        raise ValueError(
            "expected an empty folder or one with synthetic data only, since "
            "other data are never replaced or mixed with. Received: "
            f"output_dir={str(folder)!r}, where {foreign[0]} is no file of "
            f"a synthetic data set ({len(foreign)} such file(s))"
        )
    if old is None:
        return new
    differences = _describe_differences(old, new)
    if not differences and not overwrite:
        for name, entry in new["files"].items():
            entry["num_bytes"] = old["files"].get(name, entry)["num_bytes"]
        return new
    if not overwrite:
        raise ValueError(
            "expected no other synthetic data set in the folder; choose "
            "another folder, or set overwrite to replace it. Received: "
            f"output_dir={str(folder)!r}, which has {differences}"
        )
    # The manifest goes last: without it the rest would be foreign files.
    for name in known:
        (folder / name).unlink(missing_ok=True)
        _remove_abandoned(folder / name)
    (folder / MANIFEST_NAME).unlink()
    return new


def _describe_differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    pairs = [
        ("generator_version", old["generator_version"], _GENERATOR_VERSION)
    ]
    names = sorted({*old["config"], *new["config"]})
    pairs += [
        (name, old["config"].get(name), new["config"].get(name))
        for name in names
    ]
    return ", ".join(
        f"{name}={there!r} instead of {wanted!r}"
        for name, there, wanted in pairs
        if there != wanted
    )


def _read_manifest(folder: pathlib.Path) -> dict[str, Any] | None:
    """Returns the manifest in a folder, None if there is none."""
    file = folder / MANIFEST_NAME
    if not file.exists():
        return None
    try:
        manifest = untrusted.read_json(file, "JSON")
        good = (
            isinstance(manifest["generator_version"], int)
            and isinstance(manifest["config"], dict)
            and all(
                _SHARD_NAME.fullmatch(name)
                and isinstance(entry, dict)
                and "num_bytes" in entry
                for name, entry in manifest["files"].items()
            )
        )
        problem = "other JSON"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        good, problem = False, f"{error!s:.200}"
    if not good:
        raise ValueError(
            "expected the manifest of a synthetic data set; choose another "
            f"folder, or delete the file. Received: {str(file)!r}, which is "
            f"not one: {problem}"
        )
    return manifest


def _write_manifest(folder: pathlib.Path, manifest: dict[str, Any]) -> None:
    files_lib.write_json(folder / MANIFEST_NAME, manifest)


def _is_complete(
    folder: pathlib.Path, name: str, files: dict[str, Any]
) -> bool:
    try:
        size = (folder / name).stat().st_size
    except FileNotFoundError:
        return False
    return size == files[name]["num_bytes"]


def _check_free_space(
    folder: pathlib.Path,
    config: SyntheticConfig,
    missing: list[tuple[str, int]],
) -> None:
    """Raises an error if what is missing does not fit on the disk."""
    to_write = sum(len(config.shard_range(*which)) for which in missing)
    needed = _estimate_bytes(config, to_write)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"expected about {_megabytes(needed)} of free disk space for "
            f"{to_write} synthetic videos. Received: {_megabytes(free)} are "
            "free",
            str(folder),
        )


def _estimate_bytes(config: SyntheticConfig, num_videos: int) -> int:
    """Returns about how many bytes some videos take."""
    total = sum(config.num_videos(split) for split in SPLITS)
    return config.estimated_bytes * num_videos // total


def _write_shard(
    task: tuple[pathlib.Path, SyntheticConfig, str, int],
    update: parallel.Update,
) -> int:
    """Writes one shard and returns its size in bytes."""
    folder, config, split, shard = task
    file = folder / config.shard_name(split, shard)
    try:
        with record_writer.writing(str(file)) as writer:
            for video in generate_videos(config, split, shard):
                writer.write(serialize_video(video, config))
                update(1)
        return file.stat().st_size
    except OSError as error:
        free = shutil.disk_usage(file.parent).free
        raise OSError(
            errno.EIO,
            f"expected to write a synthetic data set of about "
            f"{_megabytes(config.estimated_bytes)}; free the disk, or choose "
            f"another folder, and run this again to continue. Received: "
            f"{error}; {_megabytes(free)} are free",
            str(file),
        ) from None


class _NothingToWrite(Exception):
    pass


def _remove_abandoned(file: pathlib.Path) -> None:
    """Removes what a killed process left of a file that is not written again.

    Whoever is about to write a file does that first.
    """
    with contextlib.suppress(_NothingToWrite), files_lib.writing_path(file):
        raise _NothingToWrite


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
