"""Splits records into two sets, by their ids."""

from collections.abc import Sequence
import contextlib
import functools
import hashlib
import os

import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact.datasets import record_writer
from yt8m_compact.readers import messages

_ID_KEYS = ("id", "video_id")
_BUCKETS = 10_000


def is_held_out(video_id: bytes, percent: float) -> bool:
    """Whether a video belongs to the smaller set.

    It depends on the id alone: the first 8 bytes of its SHA-256, as a
    big-endian number, modulo 10,000, is below `percent` of 10,000.

    Args:
        video_id: id of the video.
        percent: share of the videos in the smaller set.

    Returns:
        True for about `percent` of all ids.
    """
    digest = hashlib.sha256(video_id).digest()
    bucket = int.from_bytes(digest[:8], "big") % _BUCKETS
    return bucket < percent / 100 * _BUCKETS


def split_records(
    input_data_pattern: str,
    output_dir: str,
    percent: float,
    *,
    overwrite: bool = False,
) -> dict[str, int]:
    """Writes records, unchanged, to `train.tfrecord` and `validate.tfrecord`.

    Args:
        input_data_pattern: files to split: glob patterns, comma-separated.
        output_dir: folder to write to.
        percent: share of the videos in `validate.tfrecord`.
        overwrite: whether files of these names, from another split, are
            replaced.

    Returns:
        Number of records of each file.

    Raises:
        ValueError: if `percent` is not between 0 and 100, `output_dir` is that
            of an input, a file would replace another one, or one of the two
            would be empty.
        OSError: if the folder or a file can't be written.
        DataError: if a file is missing or broken, or a record has no id.

    Example:
        >>> np.savez("v.npz", ids=["abcd", "efgh", "ijkl"], mean_rgb=np.eye(3))
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video", feature_names=("mean_rgb",), keep_unlabelled=True
        ... )
        >>> _ = yt8m.datasets.convert_files("v.npz", "all", config)
        >>> yt8m.datasets.split_records("all/*.tfrecord", "split", percent=50)
        {'train.tfrecord': 1, 'validate.tfrecord': 2}
    """
    if not 0 < percent < 100:
        raise ValueError(
            "expected a number between 0 and 100. Received: "
            f"validate_percent={percent}"
        )
    output_dir = files_lib.expand_user(output_dir)
    files = readers.expand_patterns(input_data_pattern)
    counts = {"train.tfrecord": 0, "validate.tfrecord": 0}
    paths = {name: os.path.join(output_dir, name) for name in counts}
    _check_free(list(paths.values()), files, overwrite)
    features = readers.expect_place(
        output_dir, readers.derive_features(files), overwrite=overwrite
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(files_lib.removing_new_folders(output_dir))
        place = functools.partial(readers.place_features, output_dir, features)
        opened = stack.enter_context(
            record_writer.writing_all([*paths.values()], before=place)
        )
        writers = dict(zip(paths, opened, strict=True))
        bar = stack.enter_context(progress.video_bar("split", files))
        stack.enter_context(readers.readable_errors())
        for record in readers.read_records(files).as_numpy_iterator():
            file, index, serialized = record
            held_out = is_held_out(_read_id(file, index, serialized), percent)
            name = "validate.tfrecord" if held_out else "train.tfrecord"
            writers[name].write(serialized)
            counts[name] += 1
            bar.update()
        progress.finish(bar)
        if not all(counts.values()):
            raise ValueError(
                f"expected videos on both sides. Received: {counts} with "
                f"validate_percent={percent}; choose another percentage"
            )
    return counts


def _check_free(
    paths: Sequence[str], inputs: Sequence[str], overwrite: bool
) -> None:
    # Beside the input, a pattern such as *.tfrecord would take these files for
    # input the next time.
    for file in inputs:
        folder, output_dir = map(os.path.dirname, (file, paths[0]))
        if os.path.realpath(folder) == os.path.realpath(output_dir):
            raise ValueError(
                f"{output_dir}: expected another folder than that of the "
                f"input, choose another output_dir. Received: {file}"
            )
    for path in paths:
        if tf.io.gfile.exists(path) and not overwrite:
            raise ValueError(
                f"{path}: expected a file that does not exist yet. "
                "Received: a file that is there; choose another output_dir, "
                "or set overwrite to replace it"
            )


def _read_id(file: bytes, index: int, serialized: bytes) -> bytes:
    # A tf.train.Example reads as a SequenceExample: its features are the
    # context.
    record_name = f"{file.decode()}: record {index}"
    message = messages.parse(serialized)
    if message is None:
        raise readers.DataError(
            f"{record_name}: expected a tf.train.Example or "
            f"tf.train.SequenceExample. Received: {len(serialized)} bytes that "
            "are neither; leave the record out with `yt8m-data verify`"
        )
    features = message.context.feature
    for key in _ID_KEYS:
        if features[key].bytes_list.value:
            return features[key].bytes_list.value[0]
    raise readers.DataError(
        f"{record_name}: expected an id under "
        f"{' or '.join(_ID_KEYS)}, to split by. Received: keys="
        f"{sorted(features)}; leave the record out"
    )
