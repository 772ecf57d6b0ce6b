"""Frame-level records to video-level ones: statistics of the frames."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
import dataclasses
import functools

from yt8m_compact import lazy
from yt8m_compact import readers
from yt8m_compact import settings
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import features_file
from yt8m_compact.readers import ids as ids_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import manifest
    from yt8m_compact.datasets import rewriting
    from yt8m_compact.datasets import spec_detection
    from yt8m_compact.ops import quantization
    from yt8m_compact.readers import labels as labels_lib
    from yt8m_compact.readers import messages
    from yt8m_compact.readers import record_rules
    from yt8m_compact.readers import skipped as skipped_lib
    from yt8m_compact.readers import windows

STATISTICS = ("mean", "std", "length")
_LENGTH = "length"
# The frames of YouTube-8M are one a second, for five minutes.
FRAMES_OF_LENGTH_1 = 300
# What the codes of a feature stand for, where it is another than usual.
_Ranges = Mapping[str, tuple[float, float]]
_USUAL: _Ranges = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """How frames are pooled.

    Raises:
        ValueError: If a setting is out of range, or does not fit the others.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "in", labels={"a": [7]})
        >>> config = yt8m.datasets.PoolConfig(
        ...     statistics=("mean", "length"), feature_names=("rgb", "audio")
        ... )
        >>> pooled = yt8m.datasets.pool_files("in/*.tfrecord", "means", config)
        >>> pooled.feature_names, pooled.feature_sizes
        (('mean_rgb', 'mean_audio', 'length'), (4, 2, 1))
    """

    statistics: tuple[str, ...] = settings.setting(
        ("mean", "std"),
        "What is written of the frames, comma-separated: mean and std, the "
        "mean and the standard deviation of each feature (mean_rgb, std_rgb); "
        "length, one value, the number of frames divided by "
        f"{FRAMES_OF_LENGTH_1}.",
        choices=STATISTICS,
    )
    feature_names: tuple[str, ...] = settings.setting(
        (),
        "Features to pool, comma-separated; if not given, those of most "
        "records of a sample.",
    )
    feature_sizes: tuple[int, ...] = settings.setting(
        (),
        "Size of each feature, comma-separated; if not given, those of most "
        "records of a sample, packed ones: 1024 for rgb, 128 for audio.",
    )
    num_classes: int | None = settings.setting(
        None,
        "Number of classes, which labels must be below; if not given, as "
        "yt8m_features.json beside the records says, or else 3862, as of "
        "YouTube-8M of 2018.",
        minimum=1,
    )
    on_data_error: str = settings.setting(
        "stop",
        "What to do about damaged or wrong records: stop there, or skip them, "
        "count them by file, and report.",
        choices=("stop", "skip"),
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        if self.feature_sizes:
            feature_spec.validate(self.feature_names, self.feature_sizes)


@dataclasses.dataclass(frozen=True)
class Pooled:
    """What became of files.

    Attributes:
        files: What each output file holds, by its name.
        feature_names: Keys of the features that the records have now.
        feature_sizes: Their sizes.
        left_out: Keys of the frame-level records that are in none of the new
            ones.
        skipped: What was left out of each damaged file.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "data", labels={"b": [7]})
        >>> pooled = yt8m.datasets.pool_files("data/*.tfrecord", "videos")
        >>> pooled.feature_names
        ('mean_rgb', 'mean_audio', 'std_rgb', 'std_audio')
        >>> pooled.feature_sizes
        (4, 2, 4, 2)
    """

    files: dict[str, manifest.Expected]
    feature_names: tuple[str, ...]
    feature_sizes: tuple[int, ...]
    left_out: tuple[str, ...] = ()
    skipped: tuple[readers.SkippedFile, ...] = ()


def pool_files(
    patterns: str | Sequence[str],
    output_dir: str,
    config: PoolConfig | None = None,
    *,
    overwrite: bool = False,
    num_processes: int = 0,
) -> Pooled:
    """Writes video-level records of frame-level ones, file by file.

    All frames of a record are pooled, those too that are beyond the
    `max_frames` that models of frames read. Labels are those of the video;
    rated segments are left out. Where it is said beside the records what their
    codes stand for, means and deviations are of that; and what the new records
    hold is said beside them.

    Args:
        patterns: The files, as in `readers.expand_patterns`; packed ones, and
            float frames, which become the nearest codes as in readers, too.
        output_dir: Folder to write to, see `rewriting.rewrite_files`.
        config: What to do, the defaults if None.
        overwrite: Whether to write again what is there already.
        num_processes: How many processes; 0 for a choice by size.

    Returns:
        What became of them.

    Raises:
        DataError: If a file is damaged or a record does not fit, all of them
            where such are left out, or records are no frame-level ones.
        ValueError: If a file would replace an input, or one of another origin.
        OSError: If a file can't be written.

    Example:
        >>> np.savez("c.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("c.npz", "v", labels={"c": [7]})
        >>> pooled = yt8m.datasets.pool_files("v/*.tfrecord", "out")
        >>> for name, expected in pooled.files.items():
        ...     print(name, expected.num_videos)
        videos-00000-of-00001.tfrecord 1
    """
    config = config or PoolConfig()
    files = readers.expand_patterns(patterns)
    said = readers.find_features(files)
    spec = _find_spec(files, config)
    names, sizes = pooled_features(spec, config.statistics)
    rewritten = rewriting.rewrite_files(
        files,
        output_dir,
        functools.partial(
            _pool_file,
            spec=spec,
            statistics=config.statistics,
            skip=config.on_data_error == "skip",
            ranges=said.ranges if said else _USUAL,
        ),
        name="pool",
        features=_describe_pooled(said, spec.num_classes, names, sizes),
        overwrite=overwrite,
        num_processes=num_processes,
    )
    skipped = tuple(
        sorted(
            (n for n in rewritten.notes if not isinstance(n, str)),
            key=lambda one: one.file,
        )
    )
    if not rewritten.files:
        raise readers.DataError(
            f"{files[0]}: expected at least one record that can be pooled. "
            f"Received:\n{skipped_lib.to_text(skipped)}"
        )
    return Pooled(
        files=rewritten.files,
        feature_names=names,
        feature_sizes=sizes,
        left_out=tuple(
            sorted(n for n in rewritten.notes if isinstance(n, str))
        ),
        skipped=skipped,
    )


def _find_spec(
    files: Sequence[str], config: PoolConfig
) -> record_rules.RecordSpec:
    detected = spec_detection.detect_files(
        files,
        feature_names=config.feature_names,
        feature_sizes=config.feature_sizes,
        num_classes=config.num_classes,
    )
    if detected is None:
        raise readers.DataError(
            f"{files[0]}: expected frame-level records. Received: no record "
            "that can be parsed; see `yt8m-data verify`"
        )
    if detected.spec.layout is record_rules.Layout.VIDEO:
        raise readers.DataError(
            f"{files[0]}: expected features that come frame by frame. "
            "Received: video-level records, of "
            f"{', '.join(detected.spec.feature_names)}, which need no pooling"
        )
    return detected.spec


def pooled_features(
    spec: record_rules.RecordSpec, statistics: Sequence[str]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Lists the features that pooled records have.

    Args:
        spec: What the frame-level records hold.
        statistics: What is written of the frames.

    Returns:
        Their keys, and their sizes.
    """
    found = {}
    for statistic in statistics:
        if statistic == _LENGTH:
            found[_LENGTH] = 1
            continue
        for name, size in zip(
            spec.feature_names, spec.feature_sizes, strict=True
        ):
            found[f"{statistic}_{name}"] = size
    return tuple(found), tuple(found.values())


def _describe_pooled(
    said: features_file.RecordFeatures | None,
    num_classes: int,
    names: tuple[str, ...],
    sizes: tuple[int, ...],
) -> features_file.RecordFeatures | None:
    """Says of pooled records what they hold, where it is said of the frames."""
    if said is None:
        return None
    has_names = len(said.class_names) == num_classes
    return features_file.RecordFeatures(
        level="video",
        feature_names=names,
        feature_sizes=sizes,
        num_classes=num_classes,
        class_names=said.class_names if has_names else (),
    )


def pool_record(
    data: bytes,
    spec: record_rules.RecordSpec,
    statistics: Sequence[str] = ("mean", "std"),
    where: str = "the record",
    *,
    ranges: _Ranges = _USUAL,
) -> bytes:
    """Makes a video-level record of a frame-level one.

    Args:
        data: A serialized `tf.train.SequenceExample`, or a packed one.
        spec: What it should hold.
        statistics: What is written of the frames, of `STATISTICS`.
        where: What to call it in errors.
        ranges: What the codes of each feature stand for; [-2, 2] of those that
            are not there.

    Returns:
        A serialized `tf.train.Example`: `id`, `labels` where there are any,
        and the features of `pooled_features` as float lists.

    Raises:
        DataError: If the record does not hold what it should.

    Example:
        >>> frames = np.array([[0, 255], [128, 255]], np.uint8)
        >>> video = yt8m.datasets.SyntheticVideo(b"abcd", [7], [], frames)
        >>> config = yt8m.datasets.SyntheticConfig(
        ...     feature_names=("rgb",), feature_sizes=(2,)
        ... )
        >>> spec = yt8m.datasets.RecordSpec(
        ...     yt8m.datasets.Layout.FRAMES, ("rgb",), (2,), num_classes=10
        ... )
        >>> pooled = yt8m.datasets.pool_record(
        ...     yt8m.datasets.serialize_video(video, config), spec, ["mean"]
        ... )
        >>> features = tf.train.Example.FromString(pooled).features.feature
        >>> [f"{mean:.2f}" for mean in features["mean_rgb"].float_list.value]
        ['-0.99', '2.01']
    """
    fault, message, found = _examine(data, spec)
    if fault is not None:
        raise readers.DataError(f"{where}: {fault}")
    return _pool(message, found, spec, statistics, ranges)


def _examine(
    data: bytes, spec: record_rules.RecordSpec
) -> tuple[str | None, tf.train.SequenceExample | None, record_rules.Examined]:
    """Returns what is wrong, the message, and what it holds."""
    message = messages.parse(data)
    found = record_rules.examine_message(message, data, spec)
    if not found.faults:
        return None, message, found
    kind, text = found.faults[0]
    fault = (
        f"{kind}: {text}; set feature_names, feature_sizes and num_classes to "
        "those of the data, or leave such records out with on_data_error=skip"
    )
    return fault, message, found


def _pool(
    message: tf.train.SequenceExample,
    found: record_rules.Examined,
    spec: record_rules.RecordSpec,
    statistics: Sequence[str],
    ranges: _Ranges,
) -> bytes:
    pooled = tf.train.Example()
    features = pooled.features.feature
    features["id"].bytes_list.value.append(found.id)
    if found.labels is not None:
        features[labels_lib.LABELS_KEY].int64_list.value.extend(found.labels)
    for name, size in zip(spec.feature_names, spec.feature_sizes, strict=True):
        codes = _read_codes(message, name, size, spec.layout)
        values = describe_codes(codes, *ranges.get(name, ()))
        for statistic in statistics:
            if statistic != _LENGTH:
                features[f"{statistic}_{name}"].float_list.value.extend(
                    values[statistic]
                )
    if _LENGTH in statistics:
        features[_LENGTH].float_list.value.append(
            found.num_frames / FRAMES_OF_LENGTH_1
        )
    return pooled.SerializeToString(deterministic=True)


def _read_codes(
    message: tf.train.SequenceExample,
    name: str,
    size: int,
    layout: record_rules.Layout,
) -> np.ndarray:
    """Returns the codes of a good record, uint8 `[num_frames, size]`."""
    if layout is record_rules.Layout.FLOATS:
        frames = message.feature_lists.feature_list[name].feature
        values = np.array([f.float_list.value for f in frames], np.float32)
        return quantization.quantize(values).numpy()
    codes = messages.frame_codes(message, name)
    return np.frombuffer(codes, np.uint8).reshape(-1, size)


def describe_codes(
    codes: np.ndarray, min_value: float = -2.0, max_value: float = 2.0
) -> Mapping[str, np.ndarray]:
    """Computes mean and standard deviation of the features of codes.

    Features are a line of their codes, so that whole numbers are added up:
    both are as exact as float64 is. The standard deviation is that of the
    frames themselves, `sqrt(sum (x_i - mean)^2 / n)`: 0 for one frame.

    Args:
        codes: uint8 `[num_frames, size]`, one frame or more.
        min_value: The range that the codes stand for.
        max_value: Its other end.

    Returns:
        `mean` and `std`, float64 `[size]`.
    """
    count = len(codes)
    wide = codes.astype(np.int64)
    total = wide.sum(axis=0)
    # n times sum (q_i - mean)^2; below 2^63 for ten million frames.
    squares = count * np.square(wide).sum(axis=0) - np.square(total)
    step = quantization.step(min_value, max_value)
    offset = quantization.offset(min_value, max_value)
    return {
        "mean": total / count * step + offset,
        "std": np.sqrt(squares) / count * step,
    }


def _pool_file(
    file: str,
    spec: record_rules.RecordSpec,
    statistics: Sequence[str],
    skip: bool,
    ranges: _Ranges,
) -> Iterator[tuple[bytes | None, set[Hashable]]]:
    """Yields new records, and what is left out; see `rewriting.Rewrite`."""
    skipped = readers.SkippedData() if skip else None
    with readers.readable_errors():
        records = readers.read_records([file], skipped=skipped)
        for _, number, data in records.as_numpy_iterator():
            fault, message, found = _examine(data, spec)
            if fault is None:
                left_out = _left_out(message, spec)
                yield _pool(message, found, spec, statistics, ranges), left_out
            elif skipped is None:
                raise readers.DataError(f"{file}: record {number}: {fault}")
            else:
                skipped.add_record(file, int(number), fault)
                yield None, set()
    if skipped:
        yield None, set(skipped.files())


def _left_out(
    message: tf.train.SequenceExample, spec: record_rules.RecordSpec
) -> set[str]:
    kept = {*ids_lib.ID_KEYS, labels_lib.LABELS_KEY, *spec.feature_names}
    keys = {*message.context.feature, *message.feature_lists.feature_list}
    return keys - kept


def describe_left_out(keys: Sequence[str]) -> str:
    """Says what pooled records lack, and what that means.

    Args:
        keys: `Pooled.left_out`.

    Returns:
        A line to print.

    Example:
        >>> yt8m.datasets.describe_left_out(["title", "views"])
        'left out: title, views'
    """
    text = f"left out: {', '.join(keys)}"
    if set(keys) & set(windows.SEGMENT_KEYS):
        text += (
            "; the labels are those of whole videos, and ratings of segments "
            "are not kept"
        )
    return text
