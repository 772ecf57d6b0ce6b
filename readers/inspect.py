"""What the records of a file hold, looked up before a run starts."""

from collections.abc import Sequence
import dataclasses
import os

from yt8m_compact.readers import dataset
from yt8m_compact.readers import errors
from yt8m_compact.readers import features_file
from yt8m_compact.readers import frame_level
from yt8m_compact.readers import framing
from yt8m_compact.readers import ids
from yt8m_compact.readers import labels
from yt8m_compact.readers import skipped as skipped_lib
from yt8m_compact.readers import windows

# Of so many folders the first file is looked at.
_MOST_FOLDERS = 16
_NAMES_ADVICE = "Set feature_names to those of the data."


@dataclasses.dataclass(frozen=True)
class RecordFormat:
    """What the first record of a file holds.

    Attributes:
        file: Name of the file.
        frame_features: Whether features come frame by frame.
        id_key: The key of the id, None if there is none.
        context_keys: `{key: (kind, number of values)}` of the features of the
            video; kind is "bytes", "int64", "float" or "empty".
        feature_keys: `{key: (number of frames, bytes per frame)}` of the
            features that come frame by frame.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7, 9]})
        >>> (file,) = yt8m.readers.expand_patterns("v/*.tfrecord")
        >>> found = yt8m.readers.inspect_file(file)
        >>> found.context_keys
        {'id': ('bytes', 1), 'labels': ('int64', 2)}
        >>> found.feature_keys
        {'audio': (3, '2'), 'rgb': (3, '4')}
    """

    file: str
    frame_features: bool
    id_key: str | None
    context_keys: dict[str, tuple[str, int]]
    feature_keys: dict[str, tuple[int, str]]

    @property
    def has_labels(self) -> bool:
        """Whether there are labels."""
        return labels.LABELS_KEY in self.context_keys


def inspect_file(file: str) -> RecordFormat:
    """Looks at the first record of a file.

    Args:
        file: Name of a TFRecord file.

    Returns:
        What the record holds.

    Raises:
        DataError: If the file is not a TFRecord file of `tf.train.Example` or
            `tf.train.SequenceExample` records.

    Example:
        >>> np.savez("c.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("c.npz", "my", labels={"c": [7, 9]})
        >>> (file,) = yt8m.readers.expand_patterns("my/*.tfrecord")
        >>> found = yt8m.readers.inspect_file(file)
        >>> found.frame_features, found.id_key, found.has_labels
        (True, 'id', True)
    """
    data = framing.read_record(file, 0)
    if data is None:
        raise errors.DataError(
            f"{file}: record 0 can't be read: expected a TFRecord file, "
            "complete and not compressed. Received: another file. Download or "
            "write it again, or leave it out. "
            f"{framing.describe_damage(file)}"
        )
    fields = framing.parse_fields(data)
    if fields is None:
        raise errors.DataError(
            f"{file}: record 0: expected a tf.train.Example or a "
            "tf.train.SequenceExample. Received: neither. Use files of "
            "YouTube-8M's format. "
            f"{framing.describe_data(data)}"
        )
    return _record_format(file, fields)


def _record_format(file: str, fields: tuple[dict, dict]) -> RecordFormat:
    video, frames = fields
    id_keys = [key for key in ids.ID_KEYS if video.get(key) == ("bytes", 1)]
    return RecordFormat(
        file=file,
        frame_features=bool(frames),
        id_key=id_keys[0] if id_keys else None,
        context_keys=video,
        feature_keys=frames,
    )


def check_format(
    files: Sequence[str],
    reader: dataset.Reader,
    *,
    require_labels: bool = False,
    skipped: skipped_lib.SkippedData | None = None,
    others: Sequence[str] = (),
) -> RecordFormat:
    """Checks that a reader fits the first record of the first file.

    Where files lie in several folders, the features of the first record of each
    folder are looked at. It takes milliseconds, and its messages can say more
    than those for a record in the middle of a pass, which is checked as well.

    Args:
        files: Names of TFRecord files.
        reader: The reader they are meant for.
        require_labels: Whether labels are needed, as in training.
        skipped: Given where damaged data is left out: then the first file whose
            first record can be read is looked at, or else the first record of
            any that can be. None for the first file.
        others: Files by which the reader may have been chosen, such as those to
            train on: what is said beside them is named where it does not fit.

    Returns:
        What the first record holds.

    Raises:
        DataError: If the reader does not fit.
        ValueError: If there is no file, or what is said beside one is damaged.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "in", labels={"b": [7, 9]})
        >>> files = yt8m.readers.expand_patterns("in/*.tfrecord")
        >>> reader = yt8m.readers.FrameLevelReader(feature_sizes=(4, 2))
        >>> yt8m.readers.check_format(files, reader).has_labels
        True
        >>> reader = yt8m.readers.VideoLevelReader()
        >>> try:
        ...     yt8m.readers.check_format(files, reader)
        ... except yt8m.readers.DataError as error:
        ...     print(str(error).split(". ")[1])
        Received: features that come frame by frame
    """
    if isinstance(files, str) or not files:
        raise ValueError(
            "`files` is expected to be a list of at least one file name. "
            f"Received: {files=}"
        )
    record_format, index = _inspect_first(files, skipped is not None)
    record_name = f"{record_format.file}: record {index}"
    holds = framing.describe_fields(
        record_format.context_keys, record_format.feature_keys
    )
    _check_features(record_format, index, reader, [*files, *others])
    if record_format.id_key is None:
        raise errors.DataError(
            f"{record_name}: expected an id, one bytes value under the key "
            "'id' or 'video_id'. Received: none. Write the records with one. "
            f"{holds}"
        )
    if require_labels and not record_format.has_labels:
        raise errors.DataError(
            f"{record_name}: expected labels, int64 values under the key "
            "'labels'. Received: none. Use files of a split that has labels: "
            "YouTube-8M's test files have none (training by a --teacher with "
            f"--teacher_weight=1 needs none). {holds}"
        )
    if (
        reader.frame_features
        and reader.parts is frame_level.VideoParts.SEGMENTS
    ):
        missing = [
            key
            for key in windows.SEGMENT_KEYS
            if key not in record_format.context_keys
        ]
        if missing:
            raise errors.DataError(
                f"{record_name}: expected rated segments, the keys "
                f"{', '.join(windows.SEGMENT_KEYS)}. Received: no "
                f"{', '.join(missing)}. Use YouTube-8M's files of 2019, or "
                f"leave segment_labels out. {holds}"
            )
    if skipped is None:
        for file in _first_of_folders(files)[1:]:
            try:
                found = inspect_file(file)
            except errors.DataError:
                continue  # told where it is read
            _check_features(found, 0, reader, [*files, *others])
    return record_format


def _check_features(
    record_format: RecordFormat,
    index: int,
    reader: dataset.Reader,
    files: Sequence[str],
) -> None:
    """Refuses other features than those of a reader."""
    record_name = f"{record_format.file}: record {index}"
    holds = framing.describe_fields(
        record_format.context_keys, record_format.feature_keys
    )
    said, mixed = _find_said(record_format.file, reader, files)
    packed = reader.frame_features and _is_packed(
        record_format, reader.feature_names
    )
    if not packed and record_format.frame_features != reader.frame_features:
        expected, advice = _level_message(record_format)
        raise errors.DataError(
            f"{record_name}: {expected.format(said=said)} {mixed or advice} "
            f"{holds}"
        )
    keys = (
        record_format.feature_keys
        if record_format.frame_features
        else record_format.context_keys
    )
    for name, size in zip(
        reader.feature_names, reader.feature_sizes, strict=True
    ):
        if name not in keys:
            raise errors.DataError(
                f"{record_name}: expected a feature named '{name}'{said}. "
                f"Received: none. {mixed or _NAMES_ADVICE} {holds}"
            )
        if packed:
            continue  # the size of what is packed is checked when it is read
        expected, number = _expected(reader, size)
        received = _feature_format(record_format, name)
        if received != number:
            advice = mixed or (
                "Set feature_names and feature_sizes to those of the data"
                f"{_float_advice(reader, record_format, name)}."
            )
            raise errors.DataError(
                f"{record_name}: expected the feature '{name}' to be "
                f"{expected}{said}. Received: {_name_values(received)}. "
                f"{advice} {holds}"
            )


def _first_of_folders(files: Sequence[str]) -> list[str]:
    """Lists the first file of each folder, of some where there are many."""
    firsts: dict[str, str] = {}
    for file in files:
        firsts.setdefault(os.path.dirname(file), file)
        if len(firsts) == _MOST_FOLDERS:
            break
    return [*firsts.values()]


def _find_said(
    file: str, reader: dataset.Reader, files: Sequence[str]
) -> tuple[str, str]:
    """Finds out whether what a reader expects is said beside other files.

    Args:
        file: That of a record that may not fit.
        reader: The reader.
        files: All files.

    Returns:
        Who says it, and what to do then; empty where nobody does.
    """
    folder = os.path.dirname(file)
    for other in _first_of_folders(files):
        path = features_file.path_beside(other)
        if os.path.dirname(other) == folder or path is None:
            continue
        if not _says(features_file.read_features(path), reader):
            continue
        own = features_file.path_beside(file)
        beside = "nothing is said"
        if own is not None:
            features = features_file.read_features(own)
            sizes = zip(
                features.feature_names, features.feature_sizes, strict=True
            )
            beside = f"{own} says " + ", ".join(
                f"{name} ({size})" for name, size in sizes
            )
        return (
            f", as {path} says of others",
            f"Beside this file {beside}: name files of one kind in a call, or "
            f"write these by `yt8m-data convert --features_file={path}`.",
        )
    return "", ""


def _says(
    features: features_file.RecordFeatures, reader: dataset.Reader
) -> bool:
    """Whether what is said of records is what a reader expects."""
    sizes = dict(
        zip(features.feature_names, features.feature_sizes, strict=True)
    )
    return (features.level == "frame") == reader.frame_features and all(
        sizes.get(name) == size
        for name, size in zip(
            reader.feature_names, reader.feature_sizes, strict=True
        )
    )


def _inspect_first(
    files: Sequence[str], skip: bool
) -> tuple[RecordFormat, int]:
    """Returns what the record holds that is looked at, and its number."""
    if not skip:
        return inspect_file(files[0]), 0
    for file in files:
        try:
            return inspect_file(file), 0
        except errors.DataError:
            continue  # the reading counts it
    for file in files:
        first = _inspect_later(file)
        if first:
            return first
    return inspect_file(files[-1]), 0


def _inspect_later(file: str) -> tuple[RecordFormat, int] | None:
    """Looks at the first record that can be read after a bad first one."""
    runs, _ = framing.find_runs(file, 0, 0)
    for first, stretch in runs:
        for index, data in enumerate(framing.iterate_stretch(stretch), first):
            fields = framing.parse_fields(data)
            if fields is not None:
                return _record_format(file, fields), index
    return None


def _is_packed(record_format: RecordFormat, names: Sequence[str]) -> bool:
    return not record_format.frame_features and all(
        record_format.context_keys.get(name) == ("bytes", 1) for name in names
    )


def _float_advice(
    reader: dataset.Reader, record_format: RecordFormat, name: str
) -> str:
    if not record_format.frame_features:
        return ""
    has_floats = record_format.feature_keys[name][1].endswith("floats")
    if has_floats and not reader.float_frames:
        return ", and float_frames=True for frames of floats"
    if reader.float_frames and not has_floats:
        return ", and float_frames=False for 8-bit codes"
    return ""


def _level_message(record_format: RecordFormat) -> tuple[str, str]:
    """Returns what was expected, with a place for who says so, and advice."""
    if record_format.frame_features:
        return (
            "expected video-level features{said}. Received: features that come "
            "frame by frame.",
            "Use the frame-level reader (frame_features=True) and a model of "
            "frames, or pool the frames by `yt8m-data pool`.",
        )
    return (
        "expected features that come frame by frame{said}. Received: "
        "video-level features.",
        "Use the video-level reader (frame_features=False) and a model of such "
        "features, or files that have frames.",
    )


def _expected(
    reader: dataset.Reader, size: int
) -> tuple[str, str | tuple[str, int]]:
    if reader.frame_features:
        if reader.float_frames:
            return f"{size} floats in every frame", f"{size} floats"
        return f"{size} bytes (8-bit codes) in every frame", str(size)
    return f"{size} float values", ("float", size)


def _feature_format(
    record_format: RecordFormat, name: str
) -> str | tuple[str, int]:
    if record_format.frame_features:
        return record_format.feature_keys[name][1]
    return record_format.context_keys[name]


def _name_values(received: str | tuple[str, int]) -> str:
    if isinstance(received, tuple):
        kind, number = received
        return "none" if kind == "empty" else f"{number} {kind} values"
    return received if received.endswith("floats") else f"{received} bytes"
