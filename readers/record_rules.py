"""The rules of records, in Python: what one holds and what is wrong with it.

What protobuf's own parser reads of a record is what it holds, however it is
encoded. Readers check whole batches by the same rules in a graph.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import enum

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import ids
from yt8m_compact.readers import labels as labels_lib
from yt8m_compact.readers import messages
from yt8m_compact.readers import windows


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

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> yt8m.datasets.verify_files("v/*.tfrecord").spec.layout
        <Layout.FRAMES: 'frames'>
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

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "in", labels={"b": [7]})
        >>> spec = yt8m.datasets.verify_files(
        ...     "in/*.tfrecord", num_classes=10
        ... ).spec
        >>> spec.feature_names, spec.feature_sizes
        (('rgb', 'audio'), (4, 2))
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


def read_id(message: tf.train.SequenceExample) -> bytes | None:
    """Returns the id of a video, None if no key holds exactly one."""
    features = message.context.feature
    for key in ids.ID_KEYS:
        if key in features:
            values = features[key].bytes_list.value
            if len(values) == 1 and values[0]:
                return values[0]
    return None


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
    return examine_message(messages.parse(data), data, spec)


def examine_message(
    message: tf.train.SequenceExample | None, data: bytes, spec: RecordSpec
) -> Examined:
    """Says what a record holds that was parsed; see `examine`.

    Args:
        message: What `messages.parse` made of it.
        data: The serialized record.
        spec: What it should hold.

    Returns:
        What was found.
    """
    if message is None:
        return unparsable(data)
    faults = []
    features = message.context.feature
    video_id = read_id(message)
    other = [
        (key, kind)
        for key in ids.ID_KEYS
        if (kind := _kind(features, key)) not in ("bytes_list", None)
    ]
    if other:
        key, kind = other[0]
        text = f"expected bytes under '{key}'. Received: a {kind}"
        faults.append(("no_id", text))
    elif video_id is None:
        faults.append(("no_id", "expected one id under id or video_id"))
    labels = None
    if labels_lib.LABELS_KEY in features:
        labels = tuple(features[labels_lib.LABELS_KEY].int64_list.value)
        faults += _examine_labels(features[labels_lib.LABELS_KEY], labels, spec)
    if spec.layout is Layout.VIDEO:
        faults += _examine_video(message, spec)
        num_frames = None
    else:
        counts, frame_faults = _examine_frames(message, spec)
        faults += frame_faults
        num_frames = max(counts, default=0)
        if not frame_faults and num_frames == 0:
            faults.append(("no_frames", "expected at least one frame"))
        elif not frame_faults and min(counts) != num_frames:
            text = ", ".join(
                f"{count} of '{name}'"
                for name, count in zip(spec.feature_names, counts, strict=True)
            )
            faults.append(("frame_counts_differ", f"frames: {text}"))
    faults += _examine_segments(message, spec, num_frames)
    return Examined(video_id, labels, num_frames, tuple(faults))


def unparsable(data: bytes) -> Examined:
    """Says what is wrong with a record that can't be parsed.

    Args:
        data: The serialized record.

    Returns:
        The fault alone.
    """
    text = f"{len(data)} bytes that are no tf.train.(Sequence)Example"
    return Examined(faults=(("unparsable", text),))


def _kind(features: Mapping[str, tf.train.Feature], key: str) -> str | None:
    """Returns the kind of a feature's list, None if there is none."""
    return features[key].WhichOneof("kind") if key in features else None


def _examine_labels(
    feature: tf.train.Feature, labels: Sequence[int], spec: RecordSpec
) -> list[tuple[str, str]]:
    kind = feature.WhichOneof("kind")
    if kind not in ("int64_list", None):
        return [("bad_label", f"expected int64 labels. Received: a {kind}")]
    return _outside(labels, spec.num_classes, "labels")


def _outside(
    labels: Sequence[int], num_classes: int, what: str
) -> list[tuple[str, str]]:
    bad = [label for label in labels if not 0 <= label < num_classes]
    if not bad:
        return []
    text = f"expected {what} from 0 to {num_classes - 1}. Received: {bad[0]}"
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
            text = (
                f"expected {size} floats of '{name}'. Received: {len(values)}"
            )
            faults.append(("wrong_size", text))
        elif not np.isfinite(np.array(values, np.float32)).all():
            faults.append(("not_finite", f"NaN or infinity in '{name}'"))
    return faults


def _examine_frames(
    message: tf.train.SequenceExample, spec: RecordSpec
) -> tuple[list[int], list[tuple[str, str]]]:
    counts, faults = [], []
    # A set may hold both kinds of records with 8-bit codes.
    packed = (
        spec.layout is not Layout.FLOATS
        and not messages.has_frames(message, spec.feature_names)
        and spec.feature_names[0] in message.context.feature
    )
    for name, size in zip(spec.feature_names, spec.feature_sizes, strict=True):
        if packed:
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
        received = f"{len(values[0])} bytes" if len(values) == 1 else "another"
        text = (
            f"expected one value of a multiple of {size} bytes of '{name}'. "
            f"Received: {received}"
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
                    f"expected {size} floats of '{name}' in frame {number}. "
                    f"Received: {len(values)}"
                )
                return len(frames), [("wrong_size", text)]
            if not np.isfinite(values).all():
                text = f"NaN or infinity in '{name}', frame {number}"
                return len(frames), [("not_finite", text)]
            continue
        values = frame.bytes_list.value
        if len(values) != 1 or len(values[0]) != size:
            received = (
                f"{len(values[0])} bytes" if len(values) == 1 else "another"
            )
            text = (
                f"expected one value of {size} bytes of '{name}' in frame "
                f"{number}. Received: {received}"
            )
            return len(frames), [("wrong_size", text)]
    return len(frames), []


def _examine_segments(
    message: tf.train.SequenceExample,
    spec: RecordSpec,
    num_frames: int | None,
) -> list[tuple[str, str]]:
    """Says what is wrong with rated segments, as `windows.check_segments`."""
    features = message.context.feature
    kinds = {
        key: kind
        for key in windows.SEGMENT_KEYS
        if (kind := _kind(features, key)) is not None
    }
    for key, kind in kinds.items():
        if kind != windows.SEGMENT_KINDS[key]:
            text = (
                f"expected {windows.SEGMENT_KINDS[key]} {key}. Received: {kind}"
            )
            return [("bad_segments", text)]
    segments = {
        key: getattr(features[key], kinds[key]).value if key in kinds else ()
        for key in windows.SEGMENT_KEYS
    }
    faults = []
    if len({len(values) for values in segments.values()}) > 1:
        text = ", ".join(f"{len(values)} {k}" for k, values in segments.items())
        faults.append(("bad_segments", f"expected equal numbers: {text}"))
    labels, starts, ends, scores = segments.values()
    faults += _outside(labels, spec.num_classes, "segment_labels")
    length = windows.SEGMENT_FRAMES
    for start, end in zip(starts, ends, strict=False):
        late = num_frames is not None and start >= num_frames
        if start < 0 or late or end - start != length:
            text = (
                f"expected segments of {length} s that start inside of the "
                f"video. Received: {start} to {end} s"
            )
            faults.append(("bad_segments", text))
            break
    other = [score for score in scores if score not in (0, 1)]
    if other:
        text = f"expected segment scores of 0 or 1. Received: {other[0]}"
        faults.append(("bad_segments", text))
    return faults
