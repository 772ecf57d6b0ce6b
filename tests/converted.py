"""What `convert_files` wrote, read by TensorFlow and protobuf alone."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from yt8m_compact import datasets


@dataclasses.dataclass(frozen=True)
class Video:
    """A record: its labels, and `[num_frames, size]` or `[size]` by name."""

    labels: tuple[int, ...]
    features: dict[str, np.ndarray]


def convert(
    folder: pathlib.Path, pattern: str, labels=None, **kwargs
) -> datasets.ConvertReport:
    """Converts files of a folder to its folder `out`."""
    dry_run = kwargs.pop("dry_run", False)
    named = {
        name: kwargs.pop(name)
        for name in ("class_names", "vocabulary")
        if name in kwargs
    }
    files = sorted(map(str, folder.glob(pattern)))
    return datasets.convert_files(
        files,
        str(folder / "out"),
        datasets.ConvertConfig(**kwargs),
        labels=labels,
        overwrite=True,
        dry_run=dry_run,
        **named,
    )


def _read(folder: pathlib.Path):
    for path in sorted((folder / "out").glob("*.tfrecord")):
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()


def read_frames(folder: pathlib.Path) -> dict[str, Video]:
    """Reads frame-level records, of codes or of floats."""
    found = {}
    for data in _read(folder):
        message = tf.train.SequenceExample.FromString(data)
        features = {}
        for name, frames in message.feature_lists.feature_list.items():
            rows = [
                list(step.float_list.value)
                or np.frombuffer(step.bytes_list.value[0], np.uint8)
                for step in frames.feature
            ]
            features[name] = np.array(rows)
        context = message.context.feature
        found[context["id"].bytes_list.value[0].decode()] = Video(
            tuple(context["labels"].int64_list.value), features
        )
    return found


def read_videos(folder: pathlib.Path) -> dict[str, Video]:
    """Reads video-level records."""
    found = {}
    for data in _read(folder):
        features = tf.train.Example.FromString(data).features.feature
        found[features["id"].bytes_list.value[0].decode()] = Video(
            tuple(features["labels"].int64_list.value),
            {
                name: np.array(feature.float_list.value)
                for name, feature in features.items()
                if feature.WhichOneof("kind") == "float_list"
            },
        )
    return found


def codes(
    values: np.ndarray, low: float = -2.0, high: float = 2.0
) -> np.ndarray:
    """Returns the nearest codes q, of q * r / 255 + r / 512 + low."""
    size = high - low
    found = (values.astype(np.float64) - size / 512 - low) * 255 / size
    return np.clip(np.rint(found), 0, 255).astype(np.uint8)
