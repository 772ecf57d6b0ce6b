"""Makers of records for tests, with values that vary along every axis."""

from collections.abc import Iterable, Mapping, Sequence
import os

import numpy as np
import tensorflow as tf


def bytes_feature(*values: bytes) -> tf.train.Feature:
    """Returns a feature of bytes values."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def int64_feature(values: Iterable[int]) -> tf.train.Feature:
    """Returns a feature of int64 values."""
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def float_feature(values: Iterable[float]) -> tf.train.Feature:
    """Returns a feature of float values."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def video_values(index: int, size: int, feature: int = 0) -> np.ndarray:
    """Returns a feature of a video, float32 `[size]` in [-2, 2].

    It differs between videos, features and places in the vector.
    """
    rng = np.random.default_rng([1, index, feature])
    return rng.uniform(-2.0, 2.0, size).astype(np.float32)


def frame_values(
    index: int, num_frames: int, size: int, feature: int = 0
) -> np.ndarray:
    """Returns a feature of a video's frames, uint8 `[num_frames, size]`.

    It differs between videos, features, frames and places in the vector.
    """
    rng = np.random.default_rng([2, index, feature])
    return rng.integers(0, 256, (num_frames, size), np.uint8)


def video_id(index: int) -> bytes:
    """Returns the id of a video."""
    return b"v%05d" % index


def video_labels(index: int, num_classes: int) -> list[int]:
    """Returns one to three different labels of a video."""
    first = index * 7 % num_classes
    labels = [
        (first + step * 11) % num_classes for step in range(index % 3 + 1)
    ]
    return list(dict.fromkeys(labels))


def make_video_example(
    index: int = 0,
    *,
    feature_sizes: Mapping[str, int] | None = None,
    num_classes: int = 10,
    id_key: str | None = "id",
    labels: Sequence[int] | None = (),
    features: Mapping[str, Sequence[float]] | None = None,
) -> bytes:
    """Makes a serialized video-level record.

    Args:
        index: Number of the video, which decides all of its values.
        feature_sizes: Sizes by name, `{"mean_rgb": 6, "mean_audio": 3}` if
            None.
        num_classes: Labels are below this number.
        id_key: Key of the id, None for no id.
        labels: The labels; `video_labels` if empty, no key at all if None.
        features: Values to use instead of `video_values`, by name.

    Returns:
        A serialized `tf.train.Example`.
    """
    sizes = feature_sizes or {"mean_rgb": 6, "mean_audio": 3}
    context = _context(index, num_classes, id_key, labels)
    for number, (name, size) in enumerate(sizes.items()):
        context[name] = float_feature(video_values(index, size, number))
    for name, values in (features or {}).items():
        context[name] = float_feature(values)
    return tf.train.Example(
        features=tf.train.Features(feature=context)
    ).SerializeToString(deterministic=True)


def make_frame_example(
    index: int = 0,
    num_frames: int = 5,
    *,
    feature_sizes: Mapping[str, int] | None = None,
    num_classes: int = 10,
    id_key: str | None = "id",
    labels: Sequence[int] | None = (),
    frames: Mapping[str, Sequence[bytes]] | None = None,
    segments: Sequence[tuple[int, int, float]] | None = None,
) -> bytes:
    """Makes a serialized frame-level record.

    Args:
        index: Number of the video, which decides all of its values.
        num_frames: Frames of the video.
        feature_sizes: Sizes by name, `{"rgb": 6, "audio": 3}` if None.
        num_classes: Labels are below this number.
        id_key: Key of the id, None for no id.
        labels: The labels; `video_labels` if empty, no key at all if None.
        frames: Frames to use instead of `frame_values`, by name.
        segments: Start, label and score of rated segments of 5 s.

    Returns:
        A serialized `tf.train.SequenceExample`.
    """
    sizes = feature_sizes or {"rgb": 6, "audio": 3}
    lists = {
        name: [
            frame.tobytes()
            for frame in frame_values(index, num_frames, size, number)
        ]
        for number, (name, size) in enumerate(sizes.items())
    }
    lists.update(frames or {})
    context = _context(index, num_classes, id_key, labels)
    context.update(segment_features(segments))
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                name: tf.train.FeatureList(
                    feature=[bytes_feature(frame) for frame in values]
                )
                for name, values in lists.items()
            }
        ),
    ).SerializeToString(deterministic=True)


def segment_features(
    segments: Sequence[tuple[int, int, float]] | None,
) -> dict[str, tf.train.Feature]:
    """Makes the features of rated segments of 5 s: start, label and score."""
    if segments is None:
        return {}
    starts = [start for start, _, _ in segments]
    return {
        "segment_start_times": int64_feature(starts),
        "segment_end_times": int64_feature(start + 5 for start in starts),
        "segment_labels": int64_feature(label for _, label, _ in segments),
        "segment_scores": float_feature(score for _, _, score in segments),
    }


def make_packed_example(
    index: int = 0,
    num_frames: int = 5,
    *,
    feature_sizes: Mapping[str, int] | None = None,
    num_classes: int = 10,
    id_key: str | None = "id",
    labels: Sequence[int] | None = (),
    packed: Mapping[str, bytes] | None = None,
    segments: Sequence[tuple[int, int, float]] | None = None,
) -> bytes:
    """Makes a serialized packed record: one bytes value for all frames.

    Args:
        index: As for `make_frame_example`, whose values it has.
        num_frames: Likewise.
        feature_sizes: Likewise.
        num_classes: Likewise.
        id_key: Likewise.
        labels: Likewise.
        packed: Values to use instead, by name.
        segments: As for `make_frame_example`.

    Returns:
        A serialized `tf.train.Example`.
    """
    sizes = feature_sizes or {"rgb": 6, "audio": 3}
    values = {
        name: frame_values(index, num_frames, size, number).tobytes()
        for number, (name, size) in enumerate(sizes.items())
    }
    values.update(packed or {})
    context = _context(index, num_classes, id_key, labels)
    context.update(segment_features(segments))
    for name, value in values.items():
        context[name] = bytes_feature(value)
    return tf.train.Example(
        features=tf.train.Features(feature=context)
    ).SerializeToString(deterministic=True)


def make_float_frame_example(
    index: int,
    frames: Mapping[str, np.ndarray],
    num_classes: int = 10,
) -> bytes:
    """Makes a serialized frame-level record of floats, as MediaPipe does.

    Args:
        index: Number of the video, which decides its id and labels.
        frames: float `[num_frames, size]` by name.
        num_classes: Labels are below this number.

    Returns:
        A serialized `tf.train.SequenceExample`.
    """
    return tf.train.SequenceExample(
        context=tf.train.Features(
            feature=_context(index, num_classes, "id", ())
        ),
        feature_lists=tf.train.FeatureLists(
            feature_list={
                name: tf.train.FeatureList(
                    feature=[float_feature(row) for row in values]
                )
                for name, values in frames.items()
            }
        ),
    ).SerializeToString(deterministic=True)


def make_packed_zeros(**sizes: int) -> bytes:
    """Makes a packed record: an id, and so many zero bytes of each feature."""
    message = tf.train.Example()
    message.features.feature["id"].bytes_list.value.append(b"abc")
    for name, size in sizes.items():
        message.features.feature[name].bytes_list.value.append(bytes(size))
    return message.SerializeToString()


def write_tfrecord(path: str | os.PathLike, records: Iterable[bytes]) -> str:
    """Writes records to a TFRecord file and returns its name."""
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for record in records:
            writer.write(record)
    return os.fspath(path)


def _context(index, num_classes, id_key, labels):
    context = {}
    if id_key is not None:
        context[id_key] = bytes_feature(video_id(index))
    if labels is not None:
        context["labels"] = int64_feature(
            labels or video_labels(index, num_classes)
        )
    return context
