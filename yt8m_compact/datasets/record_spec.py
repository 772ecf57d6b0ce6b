"""What the records of a data set should hold, and what is wrong with one."""

from collections.abc import Sequence
import dataclasses
import enum

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import feature_spec

ID_KEYS = ("id", "video_id")
LABELS_KEY = "labels"
# Sizes of features, by their names in YouTube-8M and AudioSet.
_FRAME_SIZES = {"rgb": 1024, "audio": 128, "audio_embedding": 128}
_VIDEO_SIZES = {"mean_rgb": 1024, "mean_audio": 128}
_SEGMENT_KEYS = (
    "segment_labels",
    "segment_start_times",
    "segment_end_times",
    "segment_scores",
)
_NO_FEATURES = (*_SEGMENT_KEYS, "start_time_seconds", "end_time_seconds")


class Layout(enum.StrEnum):
    """How a record keeps its features.

    Attributes:
        VIDEO: `tf.train.Example`, one float list per feature.
        FRAMES: `tf.train.SequenceExample`, one bytes value per feature and
            frame.
        FLOATS: The same with one float list per feature and frame, such as
            those of MediaPipe.
        PACKED: `tf.train.Example`, one bytes value per feature: the frames one
            after the other.
    """

    VIDEO = "video"
    FRAMES = "frames"
    FLOATS = "float frames"
    PACKED = "packed"


@dataclasses.dataclass(frozen=True)
class RecordSpec:
    """What every record of a data set should hold.

    Attributes:
        layout: How features are kept.
        feature_names: Keys of the features.
        feature_sizes: Their sizes, floats or bytes per frame.
        num_classes: Labels are below this number.
    """

    layout: Layout
    feature_names: tuple[str, ...]
    feature_sizes: tuple[int, ...]
    num_classes: int


@dataclasses.dataclass(frozen=True)
class Examined:
    """What one record holds.

    Attributes:
        id: The video's id, None if there is none.
        labels: Its labels, None where there are none.
        num_frames: How many frames it has, None at video level.
        faults: `(kind, text)` of everything that is wrong with it.
    """

    id: bytes | None = None
    labels: tuple[int, ...] | None = None
    num_frames: int | None = None
    faults: tuple[tuple[str, str], ...] = ()


def parse(data: bytes) -> tf.train.SequenceExample | None:
    """Parses a record of either kind.

    Args:
        data: A serialized `tf.train.SequenceExample` or `tf.train.Example`,
            which reads as one whose context are its features.

    Returns:
        The message, None if `data` is neither.
    """
    message = tf.train.SequenceExample()
    try:
        message.ParseFromString(data)
    except Exception:  # DecodeError; which class depends on protobuf's build
        return None
    if not message.HasField("context") and not message.HasField(
        "feature_lists"
    ):
        return None
    return message


def read_id(message: tf.train.SequenceExample) -> bytes | None:
    """Returns the id of a video, None if no key holds exactly one."""
    features = message.context.feature
    for key in ID_KEYS:
        if key in features:
            values = features[key].bytes_list.value
            if len(values) == 1 and values[0]:
                return values[0]
    return None


def detect_spec(
    data: bytes,
    where: str,
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    num_classes: int,
) -> RecordSpec:
    """Finds out what records hold from one of them.

    Args:
        data: A serialized record.
        where: What to call it in errors.
        feature_names: Keys of the features, all of the record if empty.
        feature_sizes: Their sizes, those of the record if empty. Packed
            records don't say theirs: those of YouTube-8M and AudioSet.
        num_classes: The number of classes.

    Returns:
        What the others should hold.

    Raises:
        ValueError: If the record has no features that can be recognised.
    """
    message = parse(data)
    if message is None:
        raise ValueError(
            f"{where}: expected a tf.train.Example or tf.train.SequenceExample."
            f" Received: {len(data)} bytes that are neither"
        )
    if feature_sizes:
        feature_spec.validate(feature_names, feature_sizes, num_classes)
    layout, found = _find_features(message, feature_names)
    names = tuple(feature_names) or tuple(found)
    sizes = tuple(feature_sizes)
    if not sizes:
        for name in names:
            if not found.get(name):
                raise ValueError(
                    f"{where}: expected features whose names and sizes can be "
                    "recognised; set feature_names and feature_sizes. "
                    f"Received: {_describe(message)}"
                )
        sizes = tuple(found[name] for name in names)
    if not names:
        raise ValueError(
            f"{where}: expected features; set feature_names and "
            f"feature_sizes. Received: {_describe(message)}"
        )
    return RecordSpec(layout, names, sizes, num_classes)


def usual_sizes(spec: RecordSpec) -> dict[str, int]:
    """Lists features whose size in YouTube-8M and AudioSet is another one.

    Args:
        spec: What records hold.

    Returns:
        The size there of each feature that has another one in `spec`.
    """
    usual = _VIDEO_SIZES if spec.layout is Layout.VIDEO else _FRAME_SIZES
    return {
        name: usual[name]
        for name, size in zip(
            spec.feature_names, spec.feature_sizes, strict=True
        )
        if name in usual and usual[name] != size
    }


def examine(data: bytes, spec: RecordSpec) -> Examined:
    """Says what a record holds and everything that is wrong with it.

    Args:
        data: The serialized record.
        spec: What it should hold.

    Returns:
        What was found. The kinds of faults: `unparsable`, `no_id`, `bad_label`,
        `missing_feature`, `wrong_size`, `no_frames`, `frame_counts_differ`,
        `not_finite`, `bad_segments`.
    """
    message = parse(data)
    if message is None:
        text = f"{len(data)} bytes that are no tf.train.(Sequence)Example"
        return Examined(faults=(("unparsable", text),))
    faults = []
    video_id = read_id(message)
    if video_id is None:
        faults.append(("no_id", "expected one id under id or video_id"))
    features = message.context.feature
    labels = None
    if LABELS_KEY in features:
        labels = tuple(features[LABELS_KEY].int64_list.value)
        faults += _examine_labels(features[LABELS_KEY], labels, spec)
    if spec.layout is Layout.VIDEO:
        faults += _examine_video(message, spec)
        num_frames = None
    else:
        counts, found = _examine_frames(message, spec)
        faults += found
        num_frames = max(counts, default=0)
        if not found and num_frames == 0:
            faults.append(("no_frames", "expected at least one frame"))
        elif not found and min(counts) != num_frames:
            text = ", ".join(
                f"{count} of '{name}'"
                for name, count in zip(spec.feature_names, counts, strict=True)
            )
            faults.append(("frame_counts_differ", f"frames: {text}"))
    faults += _examine_segments(message, spec)
    return Examined(video_id, labels, num_frames, tuple(faults))


def _find_features(
    message: tf.train.SequenceExample, wanted: Sequence[str]
) -> tuple[Layout, dict[str, int | None]]:
    """Returns the layout and the features' sizes, None where not known."""
    lists = message.feature_lists.feature_list
    if lists:
        codes, floats = {}, {}
        for name in sorted(lists):
            frames = lists[name].feature
            kind = frames[0].WhichOneof("kind") if frames else None
            if kind is None:
                codes[name] = _FRAME_SIZES.get(name)
            elif kind == "bytes_list":
                values = frames[0].bytes_list.value
                codes[name] = len(values[0]) if values else None
            elif kind == "float_list":
                floats[name] = len(frames[0].float_list.value)
        if floats and not any(name in codes for name in wanted or codes):
            return Layout.FLOATS, _known_order(floats)
        return Layout.FRAMES, _known_order(codes)
    packed, video = {}, {}
    for name, feature in sorted(message.context.feature.items()):
        kind = feature.WhichOneof("kind")
        if kind == "bytes_list" and name not in ID_KEYS:
            packed[name] = _FRAME_SIZES.get(name)
        elif kind == "float_list" and name not in _NO_FEATURES:
            number = len(feature.float_list.value)
            video[name] = number or _VIDEO_SIZES.get(name)
    if any(name in packed for name in wanted or _FRAME_SIZES) or not video:
        if not wanted:
            known = {name: size for name, size in packed.items() if size}
            packed = known or packed
        return Layout.PACKED, _known_order(packed)
    return Layout.VIDEO, _known_order(video)


def _known_order(sizes: dict[str, int | None]) -> dict[str, int | None]:
    """Puts known features first: rgb before audio."""
    known = [name for name in (*_FRAME_SIZES, *_VIDEO_SIZES) if name in sizes]
    return {name: sizes[name] for name in dict.fromkeys([*known, *sizes])}


def _describe(message: tf.train.SequenceExample) -> str:
    keys = sorted(message.context.feature)
    lists = sorted(message.feature_lists.feature_list)
    return f"keys={','.join(keys)}; frame by frame: {','.join(lists) or 'none'}"


def _examine_labels(
    feature: tf.train.Feature, labels: Sequence[int], spec: RecordSpec
) -> list[tuple[str, str]]:
    kind = feature.WhichOneof("kind")
    if kind not in ("int64_list", None):
        return [("bad_label", f"expected int64 labels, found a {kind}")]
    return _outside(labels, spec.num_classes, "labels")


def _outside(
    labels: Sequence[int], num_classes: int, what: str
) -> list[tuple[str, str]]:
    bad = [label for label in labels if not 0 <= label < num_classes]
    if not bad:
        return []
    text = f"expected {what} from 0 to {num_classes - 1}, found {bad[0]}"
    return [("bad_label", text)]


def _examine_video(
    message: tf.train.SequenceExample, spec: RecordSpec
) -> list[tuple[str, str]]:
    faults = []
    features = message.context.feature
    for name, size in zip(spec.feature_names, spec.feature_sizes, strict=True):
        if name not in features:
            faults.append(("missing_feature", f"no '{name}'"))
            continue
        values = features[name].float_list.value
        if len(values) != size:
            text = f"expected {size} floats of '{name}', found {len(values)}"
            faults.append(("wrong_size", text))
        elif not np.isfinite(np.array(values, np.float32)).all():
            faults.append(("not_finite", f"NaN or infinity in '{name}'"))
    return faults


def _examine_frames(
    message: tf.train.SequenceExample, spec: RecordSpec
) -> tuple[list[int], list[tuple[str, str]]]:
    counts, faults = [], []
    for name, size in zip(spec.feature_names, spec.feature_sizes, strict=True):
        if spec.layout is Layout.PACKED:
            count, fault = _examine_packed(message, name, size)
        else:
            count, fault = _examine_list(message, name, size, spec.layout)
        counts.append(count)
        faults += fault
    return counts, faults


def _examine_packed(
    message: tf.train.SequenceExample, name: str, size: int
) -> tuple[int, list[tuple[str, str]]]:
    if name not in message.context.feature:
        return 0, [("missing_feature", f"no '{name}'")]
    values = message.context.feature[name].bytes_list.value
    if len(values) != 1 or len(values[0]) % size:
        found = f"{len(values[0])} bytes" if len(values) == 1 else "another"
        text = (
            f"expected one value of a multiple of {size} bytes of '{name}', "
            f"found {found}"
        )
        return 0, [("wrong_size", text)]
    return len(values[0]) // size, []


def _examine_list(
    message: tf.train.SequenceExample, name: str, size: int, layout: Layout
) -> tuple[int, list[tuple[str, str]]]:
    if name not in message.feature_lists.feature_list:
        return 0, [("missing_feature", f"no '{name}'")]
    frames = message.feature_lists.feature_list[name].feature
    for number, frame in enumerate(frames):
        if layout is Layout.FLOATS:
            values = np.array(frame.float_list.value, np.float32)
            if len(values) != size:
                text = (
                    f"expected {size} floats of '{name}' in frame {number}, "
                    f"found {len(values)}"
                )
                return len(frames), [("wrong_size", text)]
            if not np.isfinite(values).all():
                text = f"NaN or infinity in '{name}', frame {number}"
                return len(frames), [("not_finite", text)]
            continue
        values = frame.bytes_list.value
        if len(values) != 1 or len(values[0]) != size:
            found = f"{len(values[0])} bytes" if len(values) == 1 else "another"
            text = (
                f"expected one value of {size} bytes of '{name}' in frame "
                f"{number}, found {found}"
            )
            return len(frames), [("wrong_size", text)]
    return len(frames), []


def _examine_segments(
    message: tf.train.SequenceExample, spec: RecordSpec
) -> list[tuple[str, str]]:
    features = message.context.feature
    counts = {}
    for key in _SEGMENT_KEYS:
        if key in features:
            feature = features[key]
            kind = feature.WhichOneof("kind")
            counts[key] = len(getattr(feature, kind).value) if kind else 0
    if not counts:
        return []
    faults = []
    if len(set(counts.values())) > 1:
        text = ", ".join(f"{n} {key}" for key, n in counts.items())
        faults.append(("bad_segments", f"expected equal numbers: {text}"))
    if "segment_labels" in features:
        labels = features["segment_labels"].int64_list.value
        faults += _outside(labels, spec.num_classes, "segment_labels")
    return faults
