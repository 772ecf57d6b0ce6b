"""Makes records of videos that come one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
import os
from typing import Any

from yt8m_compact import lazy
from yt8m_compact import readers
from yt8m_compact.datasets import convert_config
from yt8m_compact.datasets import convert_report
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.predictions import label_reader
from yt8m_compact.readers import features_file

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import alignment
    from yt8m_compact.datasets import repack
    from yt8m_compact.datasets.sources import array_files
    from yt8m_compact.datasets.sources import hdf5_files
    from yt8m_compact.datasets.sources import mediapipe_files
    from yt8m_compact.datasets.sources import parquet_files
    from yt8m_compact.ops import quantization

MEDIAPIPE_SOURCES = ("RGB/feature/floats", "AUDIO/feature/floats")
# How files of arrays end.
_KINDS = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
}


def kind_of(file: str) -> str:
    """Says which extractor's file it is, by its ending.

    Args:
        file: Its name.
    """
    return _KINDS.get(os.path.splitext(file)[1].lower(), "mediapipe")


def list_names(
    file: str, config: convert_config.ConvertConfig
) -> tuple[str, ...]:
    """Lists what may be the features of a file of arrays.

    Args:
        file: Its name: .npz, Parquet or HDF5.
        config: What else there is in it.

    Returns:
        The names of all that is no id, label or number of frames.
    """
    kind = kind_of(file)
    if kind == "npz":
        names = array_files.list_npz(file)
    elif kind == "parquet":
        names = parquet_files.list_columns(file)
    else:
        names = hdf5_files.list_datasets(file)
    others = (
        *source_video.ID_NAMES,
        config.source_id,
        config.source_labels,
        config.frame_order,
    )
    return tuple(
        name
        for name in names
        if name not in others and not name.startswith(source_video.LENGTHS)
    )


class Conversion:
    """What is known of the features while videos come one by one."""

    def __init__(
        self,
        config: convert_config.ConvertConfig,
        report: convert_report.ConvertReport,
        ranges: tuple[tuple[float, ...], tuple[float, ...]],
        vocabulary: Mapping[str, int | None] | None = None,
    ):
        self._config = config
        self._report = report
        self._ranges = ranges
        self._sources: dict[str, str] = {}
        self.labels = label_reader.LabelReader(config.num_classes, vocabulary)
        self._sizes = dict(
            zip(config.feature_names, config.feature_sizes, strict=False)
        )
        self._max_frames = 0
        self.seen: dict[str, str] = {}

    def features(
        self, class_names: Sequence[str] = ()
    ) -> features_file.RecordFeatures:
        """Says what the records hold."""
        config = self._config
        has_codes = config.level == "frame" and not config.float_frames
        lows, highs = self._ranges if has_codes else ((), ())
        return features_file.RecordFeatures(
            level=config.level,
            feature_names=config.feature_names,
            feature_sizes=tuple(
                self._sizes[name] for name in config.feature_names
            ),
            num_classes=self.labels.num_classes,
            class_names=tuple(class_names),
            float_frames=config.float_frames,
            packed=config.packed,
            min_quantized_value=lows,
            max_quantized_value=highs,
            max_frames=self._max_frames if config.level == "frame" else None,
        )

    def read(
        self,
        files: Sequence[str],
        labels: Mapping[str, Sequence[int]] | None,
        update: Callable[[], Any],
    ) -> Iterator[tuple[source_video.SourceVideo, Sequence[int] | None]]:
        """Yields the videos to write, with their labels."""
        config = self._config
        advice = ""
        if config.level == "frame" and kind_of(files[0]) == "parquet":
            advice = (
                "; where each row is a frame, sort the rows by id, as those of "
                "a video have to follow each other"
            )
        for video in self.open(files):
            update()
            name = video.video_id
            if name in self.seen:
                raise ValueError(
                    f"{video.where}: expected every id once. Received: "
                    f"{name!r}, which {self.seen[name]} has too{advice}"
                )
            self.seen[name] = video.where
            video_labels = None
            if labels is not None or config.source_labels:
                if labels is not None:
                    video_labels = labels.get(name)
                else:
                    video_labels = self.labels.read(video.labels, video.where)
                if not video_labels:
                    self._report.without_labels.append(name)
                    if not config.keep_unlabelled:
                        continue
            yield video, video_labels or None

    def open(self, files: Sequence[str]) -> Iterator[source_video.SourceVideo]:
        """Yields the videos of files, of which nothing is checked."""
        config = self._config
        kind = kind_of(files[0])
        names = config.source_features or (
            MEDIAPIPE_SOURCES if kind == "mediapipe" else config.feature_names
        )
        self._sources = dict(zip(config.feature_names, names, strict=True))
        wanted = source_video.Wanted(
            features=tuple(names),
            ids=(config.source_id,)
            if config.source_id
            else source_video.ID_NAMES,
            labels=config.source_labels or None,
            video_level=config.level == "video",
            frame_order=config.frame_order or None,
        )
        yield from _read_videos(kind, files, wanted)

    def frames(self, video: source_video.SourceVideo) -> dict[str, np.ndarray]:
        """Returns the features that a video has, `[num_frames, size]`.

        All have as many frames: one at video level.
        """
        features = {}
        for name, source in self._sources.items():
            if source in video.features:
                array = video.features[source]
                features[name] = self._check(
                    self._without_padding(array), video.where, name, source
                )
        missing = len(self._sources) - len(features)
        if missing and (not self._config.fill_missing or not features):
            raise readers.DataError(
                f"{video.where}: expected frames of the features "
                f"{','.join(self._sources.values())}. Received: "
                f"{video.found or 'none'}; set fill_missing to "
                "fill what one of them lacks with zeros"
            )
        if missing:
            self._report.filled.append(video.video_id)
        return self._align(features, video)

    def serialize(
        self, video: source_video.SourceVideo, labels: Sequence[int] | None
    ) -> bytes:
        """Returns the record of a video."""
        features = self.frames(video)
        num_frames = len(next(iter(features.values())))
        self._max_frames = max(self._max_frames, num_frames)
        values = {}
        for index, name in enumerate(self._config.feature_names):
            if name not in features:
                if name not in self._sizes:
                    raise readers.DataError(
                        f"{video.where}: expected the size of '{name}' to be "
                        "known, to fill it with zeros; set feature_sizes. "
                        "Received: no video that has it until here"
                    )
                shape = num_frames, self._sizes[name]
                features[name] = np.zeros(shape, np.float32)
            values[name] = self._encode(features[name], index)
        return _serialize(video.video_id, labels, values, self._config)

    def _without_padding(self, array: Any) -> Any:
        """Leaves out what only fills up the end of a video."""
        padding = self._config.padding
        array = source_video.as_numbers(array)
        if (
            padding == "none"
            or len(array.shape) != 2
            or array.dtype.kind not in "fiu"
        ):
            return array
        is_filler = array == 0 if padding == "zeros" else array != array
        frames = np.flatnonzero(~np.asarray(is_filler).all(axis=1))
        return array[: frames[-1] + 1 if frames.size else 0]

    def _check(
        self, array: Any, where: str, name: str, source: str
    ) -> np.ndarray:
        """Refuses what is no feature; returns codes, or float32."""
        is_video = self._config.level == "video"
        shape = list(array.shape)
        size = self._sizes.get(name, shape[-1] if shape else 0)
        if (
            len(shape) != (1 if is_video else 2)
            or shape[-1] != size
            or not size
        ):
            raise readers.DataError(
                f"{where}: expected {size or 'some'} values of '{source}'"
                f"{'' if is_video else ' in every frame, [frames, size]'}. "
                f"Received: shape={shape}"
            )
        if not shape[0]:
            raise readers.DataError(
                f"{where}: expected a frame of '{source}' or more. Received: "
                f"shape={shape}"
            )
        if array.dtype.kind not in "fiu":
            raise readers.DataError(
                f"{where}: expected numbers as '{source}'. Received: "
                f"dtype={array.dtype}"
            )
        is_codes = array.dtype == np.uint8
        if is_codes and self._config.float_frames:
            raise readers.DataError(
                f"{where}: expected floats of '{source}', to keep them. "
                "Received: dtype=uint8, which are taken for codes; leave "
                "float_frames out"
            )
        if is_codes and not is_video:
            values = np.asarray(array)
        else:
            with np.errstate(over="ignore"):
                values = np.asarray(array, np.float32)
            finite = np.isfinite(values)
            if not finite.all():
                place = np.argwhere(~finite)[0]
                frame = "" if is_video else f" in frame {place[0]}"
                raise readers.DataError(
                    f"{where}: expected finite values of '{source}'. Received: "
                    f"{array[tuple(place)]}{frame}, value {place[-1]}"
                )
        self._sizes[name] = size
        return values.reshape(-1, size)

    def _align(
        self,
        features: dict[str, np.ndarray],
        video: source_video.SourceVideo,
    ) -> dict[str, np.ndarray]:
        """Brings features to one number of frames."""
        how = alignment.Align(self._config.align)
        lengths = {name: len(values) for name, values in features.items()}
        first, *others = features
        if how is alignment.Align.CUT:
            num_frames = min(lengths.values())
            if num_frames < max(lengths.values()):
                self._report.shortened.append(video.video_id)
            return {name: v[:num_frames] for name, v in features.items()}
        rates = dict(
            zip(
                self._config.feature_names,
                self._config.frame_rates,
                strict=False,
            )
        )
        # How many frames of a feature there are in one of the first.
        ratios = {
            name: rates[name] / rates[first]
            if rates
            else lengths[name] / lengths[first]
            for name in others
        }
        num_frames = (
            min(
                lengths[first],
                *(
                    alignment.count_frames(
                        lengths[first], lengths[name], ratios[name]
                    )
                    for name in others
                ),
            )
            if others
            else lengths[first]
        )
        if not num_frames:
            raise readers.DataError(
                f"{video.where}: expected features that last as long as a "
                "frame of the first; check frame_rates. Received: "
                + ", ".join(f"{n} frames of {k}" for k, n in lengths.items())
            )
        if num_frames < lengths[first]:
            self._report.shortened.append(video.video_id)
        aligned = {first: features[first][:num_frames]}
        for name in others:
            values = alignment.align(
                features[name], num_frames, ratios[name], how
            )
            if features[name].dtype == np.uint8:
                values = np.rint(values)
            aligned[name] = values.astype(features[name].dtype)
        return aligned

    def _encode(self, values: np.ndarray, index: int) -> np.ndarray:
        """Returns codes, or floats where they are kept."""
        low, high = self._ranges[0][index], self._ranges[1][index]
        self._report.num_values += values.size
        if values.dtype == np.uint8 or self._config.level == "video":
            return values
        step = quantization.step(low, high)
        least = quantization.offset(low, high) - step / 2
        outside = (values < least) | (values > least + 256 * step)
        self._report.num_clipped += int(outside.sum())
        if self._config.float_frames:
            return values
        return quantization.quantize(values, low, high).numpy()


def _read_videos(
    kind: str, files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    if kind == "npy":
        return array_files.read_npy(files, wanted)
    if kind == "npz":
        return array_files.read_npz(files, wanted)
    if kind == "parquet":
        return parquet_files.read(files, wanted)
    if kind == "hdf5":
        return hdf5_files.read(files, wanted)
    return mediapipe_files.read(files, wanted)


def _serialize(
    video_id: str,
    labels: Sequence[int] | None,
    values: Mapping[str, np.ndarray],
    config: convert_config.ConvertConfig,
) -> bytes:
    is_video = config.level == "video"
    message = tf.train.Example() if is_video else tf.train.SequenceExample()
    features = (message.features if is_video else message.context).feature
    # A file's name may be any bytes.
    name = video_id.encode("utf-8", "surrogateescape")
    features["id"].bytes_list.value.append(name)
    if labels is not None:
        features["labels"].int64_list.value.extend(labels)
    for name, rows in values.items():
        if is_video:
            features[name].float_list.value.extend(rows[0])
            continue
        frames = message.feature_lists.feature_list[name].feature
        for frame in rows:
            if config.float_frames:
                frames.add().float_list.value.extend(frame)
            else:
                frames.add().bytes_list.value.append(frame.tobytes())
    data = message.SerializeToString(deterministic=True)
    return repack.pack(data) if config.packed else data
