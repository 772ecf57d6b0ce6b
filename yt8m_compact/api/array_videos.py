"""Videos that are given as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.api import label_lists
from yt8m_compact.readers import regular_frames
from yt8m_compact.run import config as config_lib

# Features of videos, or frames of videos; by the name of a feature, or of all.
Arrays = (
    npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, Sequence[Any] | Any]
)

_NUM_FRAMES = "num_frames"


@dataclasses.dataclass(frozen=True)
class ArrayVideos:
    """Videos in memory.

    Attributes:
        features: by the name of each feature what the videos have: float32
            `[size]`, or of frames float32 or uint8 codes, `[frames, size]`.
        frame_features: whether they are frames.
    """

    features: dict[str, list[np.ndarray]]
    frame_features: bool

    def __len__(self) -> int:
        """The number of videos."""
        return len(next(iter(self.features.values())))

    @property
    def feature_sizes(self) -> tuple[int, ...]:
        """The size of each feature."""
        return tuple(rows[0].shape[-1] for rows in self.features.values())

    @property
    def most_frames(self) -> int:
        """The frames of the longest video."""
        return max(map(len, next(iter(self.features.values()))))

    def to_records(
        self, data: config_lib.DataConfig, labels: label_lists.LabelLists | None
    ) -> Iterator[bytes]:
        """Writes records, as the data sets have them.

        Args:
            data: what they should hold.
            labels: of each video; None for none.

        Yields:
            A serialized record of each video, whose id is its number.
        """
        for video in range(len(self)):
            context = {"id": _bytes(str(video).encode())}
            if labels is not None:
                context["labels"] = tf.train.Feature(
                    int64_list=tf.train.Int64List(value=labels.of_video(video))
                )
            rows = {name: rows[video] for name, rows in self.features.items()}
            if self.frame_features:
                yield _frame_record(context, rows, data.float_frames)
            else:
                context |= {name: _floats(row) for name, row in rows.items()}
                yield tf.train.Example(
                    features=tf.train.Features(feature=context)
                ).SerializeToString()


def read_arrays(
    x: Arrays,
    *,
    frame_features: bool,
    data: config_lib.DataConfig | None = None,
    name: str = "x",
) -> ArrayVideos:
    """Reads arrays of features, or of frames.

    Args:
        x: of video-level features an array, float `[videos, size]`; of frames
            an array, `[videos, frames, size]`, or a list of arrays, `[frames,
            size]` each: 8-bit codes (uint8), or floats, which become the
            nearest codes. Or a dict of these: by the names of the features, or
            as models take them, `{"features": ...}`, `{"frames": ...,
            "num_frames": ...}`.
        frame_features: whether they are frames.
        data: what they must be; None where that follows from them.
        name: what to call them in errors.

    Returns:
        The videos.

    Raises:
        ValueError: if they are anything else, empty or not finite, or do not
            fit `data`.
    """
    joint = "frames" if frame_features else "features"
    parts = dict(x) if isinstance(x, Mapping) else {joint: x}
    counts = parts.pop(_NUM_FRAMES, None) if frame_features else None
    read = _read_frames if frame_features else _read_features
    features = {
        str(key): read(value, name if value is x else f"{name}[{key!r}]")
        for key, value in parts.items()
    }
    _check_alike(features, name)
    if counts is not None:
        features = _cut(features, counts, f"{name}['{_NUM_FRAMES}']")
    if data is not None:
        features = _fit(features, data, joint, name)
    return ArrayVideos(features, frame_features)


def _read_features(value: Any, name: str) -> list[np.ndarray]:
    array = _numbers(value, name)
    if array.ndim != 2 or not array.size:
        advice = ""
        if array.ndim == 1 and array.size:
            advice = f"; of one video, {name}[np.newaxis]"
        raise ValueError(
            f"expected {name} of shape [videos, size], of at least one video"
            f"{advice}. Received: {name}.shape={list(array.shape)}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    _check_finite(array, name)
    return list(array)


def _read_frames(value: Any, name: str) -> list[np.ndarray]:
    if not hasattr(value, "__len__") or isinstance(value, (str, bytes)):
        raise ValueError(
            f"expected {name} to be a list of arrays, [frames, size] each. "
            f"Received: {name}={value!r:.80}"
        )
    if not len(value):
        raise ValueError(
            f"expected {name} of at least one video. Received: len({name})=0"
        )
    return [
        _read_video(video, f"{name}[{index}]")
        for index, video in enumerate(value)
    ]


def _read_video(value: Any, name: str) -> np.ndarray:
    array = _numbers(value, name)
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"expected {name} of shape [frames, size], of at least one frame. "
            f"Received: {name}.shape={list(array.shape)}"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise ValueError(
            f"expected {name} of 8-bit codes (uint8) or of floats. Received: "
            f"{name}.dtype={array.dtype}"
        )
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    _check_finite(array, name)
    return array


def _numbers(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError as error:  # Rows of several lengths.
        raise ValueError(
            f"expected {name} to be an array of numbers. Received: {error}"
        ) from None
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"expected {name} of numbers. Received: {name}.dtype={array.dtype}"
        )
    return array


def _check_finite(array: np.ndarray, name: str) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"expected finite {name}. Received: {name}[{row}, {column}]="
            f"{array[row, column]}, the first of {np.count_nonzero(~finite)} "
            "that are not, in float32"
        )


def _check_alike(features: Mapping[str, list[np.ndarray]], name: str) -> None:
    """Checks that features are of as many videos, and frames of as many."""
    if not features:
        raise ValueError(
            f"expected {name} with at least one feature. Received: none"
        )
    counts = {key: len(rows) for key, rows in features.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"expected as many videos of each feature of {name}. Received: "
            f"{counts}"
        )
    for key, rows in features.items():
        for video, row in enumerate(rows):
            if row.shape[-1] != rows[0].shape[-1]:
                raise ValueError(
                    f"expected {key} of {name} to be of one size. Received: "
                    f"{rows[0].shape[-1]} of video 0, {row.shape[-1]} of video "
                    f"{video}"
                )
    for video, several in enumerate(zip(*features.values(), strict=True)):
        if several[0].ndim == 2 and len(set(map(len, several))) > 1:
            raise ValueError(
                f"expected as many frames of each feature of {name}. Received: "
                f"{dict(zip(features, map(len, several), strict=True))} of "
                f"video {video}"
            )


def _cut(
    features: Mapping[str, list[np.ndarray]], counts: Any, name: str
) -> dict[str, list[np.ndarray]]:
    """Leaves out the padding behind the frames of each video."""
    rows = next(iter(features.values()))
    counts = np.asarray(counts)
    most = np.array([len(row) for row in rows])
    right = counts.shape == most.shape and counts.dtype.kind in "iu"
    if not right or (counts < 1).any() or (counts > most).any():
        raise ValueError(
            f"expected {name} of {len(rows)} whole numbers, from 1 to the "
            f"frames of each video. Received: {counts!r:.80}"
        )
    return {
        key: [row[:count] for row, count in zip(rows, counts, strict=True)]
        for key, rows in features.items()
    }


def _fit(
    features: dict[str, list[np.ndarray]],
    data: config_lib.DataConfig,
    joint: str,
    name: str,
) -> dict[str, list[np.ndarray]]:
    """Brings features in the order of a configuration."""
    sizes = dict(zip(data.feature_names, data.feature_sizes, strict=True))
    found = {key: rows[0].shape[-1] for key, rows in features.items()}
    if found.keys() == sizes.keys():
        if found != sizes:
            raise ValueError(
                f"expected {name} of the sizes {sizes}. Received: {found}"
            )
        return {key: features[key] for key in sizes}
    if found.keys() != {joint} or found[joint] != sum(sizes.values()):
        last = ", ".join(["videos", *(["frames"] if joint == "frames" else [])])
        raise ValueError(
            f"expected {name} of shape [{last}, {sum(sizes.values())}], the "
            f"features {sizes} side by side, or a dict of them. Received: "
            f"{found}"
        )
    edges = np.cumsum(data.feature_sizes)[:-1]
    pieces = [np.split(row, edges, axis=-1) for row in features[joint]]
    return {
        key: [piece[place] for piece in pieces]
        for place, key in enumerate(sizes)
    }


def _frame_record(
    context: dict[str, tf.train.Feature],
    rows: Mapping[str, np.ndarray],
    as_floats: bool,
) -> bytes:
    lists = {}
    for name, frames in rows.items():
        if as_floats:
            if frames.dtype == np.uint8:
                frames = ops.dequantize(frames).numpy()
            values = [_floats(frame) for frame in frames]
        else:
            if frames.dtype != np.uint8:
                frames = ops.quantize(frames).numpy()
            values = [_bytes(frame.tobytes()) for frame in frames]
        lists[name] = tf.train.FeatureList(feature=values)
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    ).SerializeToString()


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _floats(value: np.ndarray) -> tf.train.Feature:
    # As protobuf writes a list of floats: a tenth of the time of giving it each
    # of 1,152.
    content = value.astype("<f4").tobytes()
    floats = tf.train.FloatList.FromString(
        b"\x0a" + regular_frames.varint(len(content)) + content
    )
    return tf.train.Feature(float_list=floats)
