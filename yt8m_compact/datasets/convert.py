"""Features of an extractor, with labels, to records.

Files are those of MediaPipe's YouTube-8M graph, one `tf.train.SequenceExample`
for each video, or of NumPy, Parquet or HDF5. Models of frames are trained on,
and exported for, the 8-bit codes of YouTube-8M.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import os
from typing import Any

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.datasets import conversion as conversion_lib
from yt8m_compact.datasets import convert_config
from yt8m_compact.datasets import convert_report
from yt8m_compact.datasets import vocabulary as vocabulary_lib
from yt8m_compact.predictions import label_reader
from yt8m_compact.readers import features_file

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import parallel
    from yt8m_compact.datasets import record_writer
    from yt8m_compact.datasets import verify
    from yt8m_compact.readers import record_rules

_USUAL_NAMES = ("rgb", "audio")


def convert_files(
    patterns: str | Sequence[str],
    output_dir: str,
    config: convert_config.ConvertConfig | None = None,
    *,
    labels: Mapping[str, Sequence[int]] | None = None,
    vocabulary: Mapping[str, int | None] | None = None,
    class_names: Sequence[str] = (),
    overwrite: bool = False,
    dry_run: bool = False,
) -> convert_report.ConvertReport:
    """Writes records in YouTube-8M's frame-level or video-level format.

    Args:
        patterns: Files as in `readers.expand_patterns`, of one kind:

            * MediaPipe's, one video each, named `*.pb`, or TFRecord files of
              them. The id of a video is in its context (`id`, `video_id` or
              `example/id`), or else the name of its `.pb` file or of the
              video's file (`clip/data_path`), without ending;
            * `*.npz`: see `array_files.read_npz`;
            * `*.npy`: see `array_files.read_npy`;
            * `*.parquet`, `*.pq`: see `parquet_files.read`;
            * `*.h5`, `*.hdf5`: see `hdf5_files.read`.
        output_dir: Folder to write `videos-00000-of-00001.tfrecord` to, and
            `yt8m_features.json`, which says what the records hold.
        config: What to do, the defaults if None.
        labels: Labels by id; None if there are none, as for prediction, or
            they are in the same files (`source_labels`).
        vocabulary: The class by its name, which labels in the same files may
            be, as of `read_vocabulary`; if None, by `class_names`.
        class_names: The name of each class, if they are known.
        overwrite: Whether to replace files that are there.
        dry_run: Whether everything is read and checked, and nothing written.

    Returns:
        What became of the videos.

    Raises:
        ValueError: If an id occurs twice, no video would be written, or a file
            would be replaced.
        DataError: If a record does not hold what it should.
        OSError: If a file can't be written.

    Example:
        >>> np.savez("clip.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> report = yt8m.datasets.convert_files(
        ...     "clip.npz", "records", labels={"clip": [7, 9]}
        ... )
        >>> report.files, report.features.feature_sizes
        ({'records/videos-00000-of-00001.tfrecord': 1}, (4, 2))
    """
    config = config or convert_config.ConvertConfig()
    if labels is not None and config.source_labels:
        raise ValueError(
            "expected labels, or source_labels, which are in the same files as "
            f"the features. Received: both, source_labels="
            f"{config.source_labels!r}"
        )
    output_dir = files_lib.expand_user(output_dir)
    files = readers.expand_patterns(patterns)
    paths = [
        os.path.join(
            output_dir, f"videos-{i:05d}-of-{config.num_shards:05d}.tfrecord"
        )
        for i in range(config.num_shards)
    ]
    features_path = os.path.join(output_dir, features_file.FEATURES_NAME)
    inputs = {*map(os.path.realpath, files)}
    for path in (*paths, features_path):
        if tf.io.gfile.exists(path) and not overwrite:
            raise ValueError(
                f"{path}: expected a file that does not exist yet. "
                "Received: a file that is there; choose another output_dir, "
                "or set overwrite to replace it"
            )
        if os.path.realpath(path) in inputs:
            raise ValueError(
                f"{path}: expected another folder than that of the input, "
                "which is never replaced. Received: a file of the input; "
                "choose another output_dir"
            )
    _expect_one_kind(files)
    config = _with_names(files, config)
    _expect_fitting(files[0], config)
    ranges = config.ranges
    if config.find_classes and config.source_labels:
        class_names = _find_classes(files, config)
    elif class_names and config.num_classes is None and not config.find_classes:
        config = dataclasses.replace(config, num_classes=len(class_names))
    if vocabulary is None:
        vocabulary = vocabulary_lib.number_classes(class_names)
    if config.find_range:
        ranges = _find_ranges(files, config, labels, vocabulary)
    report = convert_report.ConvertReport(dry_run=dry_run)
    conversion = conversion_lib.Conversion(config, report, ranges, vocabulary)
    for video_id, classes in (labels or {}).items():
        conversion.labels.read([*classes], f"labels of {video_id!r:.80}")
    counts = [0] * len(paths)
    with contextlib.ExitStack() as stack:
        stack.enter_context(files_lib.removing_new_folders(output_dir))
        bar = stack.enter_context(
            progress.video_bar("convert", files, total=_total(files))
        )
        writers = None
        if not dry_run:
            writers = stack.enter_context(
                record_writer.writing_all(
                    paths,
                    before=lambda: readers.place_features(
                        output_dir, report.features
                    ),
                )
            )
        for video, video_labels in conversion.read(files, labels, bar.update):
            record = conversion.serialize(video, video_labels)
            shard = report.num_written % len(paths)
            if writers:
                writers[shard].write(record)
            counts[shard] += 1
            report.num_written += 1
        progress.finish(bar)
        if report.num_written < len(paths):
            raise ValueError(
                f"expected at least one video a file. Received: "
                f"{report.num_written} of {len(conversion.seen)} videos to be "
                f"written to {len(paths)} file(s), "
                f"{len(report.without_labels)} without labels; check that "
                f"{_what_labels_need(config)} the videos, such as "
                f"{next(iter(conversion.seen), None)!r}"
            )
        report.features = conversion.features(class_names)
    report.files = dict(zip(paths, counts, strict=True))
    report.without_features = [
        name for name in labels or () if name not in conversion.seen
    ]
    if not dry_run:
        _verify(report)
    return report


def _what_labels_need(config: convert_config.ConvertConfig) -> str:
    if config.source_labels:
        return f"'{config.source_labels}' holds labels of"
    return "the ids of the labels are those of"


def _verify(report: convert_report.ConvertReport) -> None:
    """Opens what was written, and holds it to the rules of readers."""
    features = report.features
    layout = record_rules.Layout.FRAMES
    if features.level == "video":
        layout = record_rules.Layout.VIDEO
    elif features.float_frames:
        layout = record_rules.Layout.FLOATS
    elif features.packed:
        layout = record_rules.Layout.PACKED
    spec = record_rules.RecordSpec(
        layout,
        features.feature_names,
        features.feature_sizes,
        features.num_classes or 1,  # where there are no labels
    )
    paths = [*report.files]
    num_bytes = sum(tf.io.gfile.stat(path).length for path in paths)
    with progress.video_bar("verify", paths, total=report.num_written) as bar:
        for (path, _), found in parallel.map_tasks(
            verify.check_file,
            [(path, spec) for path in paths],
            num_processes=parallel.choose_num_processes(
                0, len(paths), num_bytes
            ),
            bar=bar,
        ):
            if found.faults or found.num_videos != report.files[path]:
                text = found.faults[0].text if found.faults else "no fault"
                raise readers.DataError(
                    f"{path}: expected {report.files[path]} records as they "
                    f"were written; write them again. Received: "
                    f"{found.num_videos} records, {text}"
                )
        progress.finish(bar)


def _expect_one_kind(files: Sequence[str]) -> None:
    kind = conversion_lib.kind_of(files[0])
    other = next(
        (file for file in files if conversion_lib.kind_of(file) != kind), None
    )
    if other is not None:
        raise readers.DataError(
            f"{other}: expected a file of the same kind as {files[0]}; convert "
            "files of one kind at a time. Received: another ending"
        )


def _expect_fitting(file: str, config: convert_config.ConvertConfig) -> None:
    """Refuses settings that say nothing of such files."""
    kind = conversion_lib.kind_of(file)
    if config.frame_order and kind != "parquet":
        raise ValueError(
            "expected no frame_order of files that are no Parquet. Received: "
            f"frame_order={config.frame_order!r}, {file}"
        )
    if kind != "mediapipe":
        return
    if config.source_labels:
        raise ValueError(
            "expected no source_labels of MediaPipe's files, which have none; "
            "set labels_file. Received: "
            f"source_labels={config.source_labels!r}"
        )
    if config.level == "video":
        raise readers.DataError(
            f"{file}: expected level to be 'frame', as MediaPipe's "
            "features are frame by frame. Received: level='video'"
        )
    if not config.source_features and len(config.feature_names) != 2:
        raise ValueError(
            "expected as many source_features as feature_names. Received: "
            f"source_features={','.join(conversion_lib.MEDIAPIPE_SOURCES)}, "
            f"feature_names={','.join(config.feature_names)}"
        )


def _with_names(
    files: Sequence[str], config: convert_config.ConvertConfig
) -> convert_config.ConvertConfig:
    """Finds what the features are called, where it was not said."""
    if config.feature_names:
        return config
    kind = conversion_lib.kind_of(files[0])
    names = config.source_features
    if not names and kind == "npy":
        folders = (
            os.path.basename(os.path.dirname(os.path.abspath(file)))
            for file in files
        )
        found = dict.fromkeys(folders)
        found.pop(config.source_labels, None)
        names = tuple(found)
    elif kind == "mediapipe":
        names = _USUAL_NAMES
    elif not names:
        found = conversion_lib.list_names(files[0], config)
        names = _USUAL_NAMES if {*_USUAL_NAMES} <= {*found} else found
        if len(found) != 1 and names != _USUAL_NAMES:
            raise ValueError(
                f"expected feature_names, which of {files[0]} are features. "
                f"Received: none; there are {', '.join(found) or 'none'}"
            )
    return dataclasses.replace(config, feature_names=names)


def _find_classes(
    files: Sequence[str], config: convert_config.ConvertConfig
) -> tuple[str, ...]:
    """Finds the names of classes that labels beside the features have."""
    conversion = conversion_lib.Conversion(
        config, convert_report.ConvertReport(), config.ranges
    )

    def read(bar: Any) -> Iterator[tuple[str, Any]]:
        for video in conversion.open(files):
            bar.update()
            yield video.where, video.labels

    with progress.video_bar("classes", files, total=_total(files)) as bar:
        names = label_reader.find_names(read(bar))
        progress.finish(bar)
    return names


def _find_ranges(
    files: Sequence[str],
    config: convert_config.ConvertConfig,
    labels: Mapping[str, Sequence[int]] | None,
    vocabulary: Mapping[str, int | None],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Finds the least and the largest value of each feature."""
    conversion = conversion_lib.Conversion(
        config, convert_report.ConvertReport(), config.ranges, vocabulary
    )
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    with progress.video_bar("range", files, total=_total(files)) as bar:
        for video, _ in conversion.read(files, labels, bar.update):
            for name, values in conversion.frames(video).items():
                if values.dtype == np.uint8:
                    raise readers.DataError(
                        f"{video.where}: expected floats of '{name}' where the "
                        "range is to be found. Received: uint8, which are "
                        "taken for codes; set min_quantized_value and "
                        "max_quantized_value"
                    )
                low, high = float(values.min()), float(values.max())
                lows[name] = min(low, lows.get(name, low))
                highs[name] = max(high, highs.get(name, high))
        progress.finish(bar)
    for name in config.feature_names:
        if not lows.get(name, 0.0) < highs.get(name, 0.0):
            raise readers.DataError(
                f"expected values of '{name}' that differ, to find a range. "
                f"Received: {lows.get(name, 'none')}; set min_quantized_value "
                "and max_quantized_value"
            )
    return (
        tuple(lows[name] for name in config.feature_names),
        tuple(highs[name] for name in config.feature_names),
    )


def _total(files: Sequence[str]) -> int | None:
    kind = conversion_lib.kind_of(files[0])
    if kind in ("npy", "npz") or all(file.endswith(".pb") for file in files):
        return len({os.path.basename(file) for file in files})
    if kind != "mediapipe":
        return 0
    try:
        return readers.estimate_num_records(files)
    except readers.DataError:
        return None
