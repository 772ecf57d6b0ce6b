"""Videos of MediaPipe's YouTube-8M graph, a `tf.train.SequenceExample` each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import os

from yt8m_compact import lazy
from yt8m_compact.datasets.sources import source_video
from yt8m_compact.readers import errors
from yt8m_compact.readers import ids as ids_lib

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.datasets import scan
    from yt8m_compact.readers import messages

_ID_KEYS = (*ids_lib.ID_KEYS, "example/id")
_PATH_KEY = "clip/data_path"


def read(
    files: Sequence[str], wanted: source_video.Wanted
) -> Iterator[source_video.SourceVideo]:
    """Reads `.pb` files of one video each, and TFRecord files.

    Args:
        files: Their names.
        wanted: The feature lists of floats to read.

    Yields:
        The videos.

    Raises:
        DataError: If a record is anything else.
    """
    for where, name, data in _read_records(files):
        message = messages.parse(data)
        if message is None:
            raise errors.DataError(
                f"{where}: expected a tf.train.SequenceExample. Received: "
                f"{len(data)} bytes that are none"
            )
        lists = message.feature_lists.feature_list
        features = {}
        for source in wanted.features:
            if source not in lists or not lists[source].feature:
                continue
            frames = [step.float_list.value for step in lists[source].feature]
            lengths = {len(frame) for frame in frames}
            if len(lengths) > 1:
                raise errors.DataError(
                    f"{where}: expected {len(frames[0])} floats of '{source}' "
                    "in every frame. Received: "
                    f"{', '.join(map(str, sorted(lengths)))}"
                )
            features[source] = np.array(frames, np.float32)
        yield source_video.SourceVideo(
            where,
            _find_id(message, name, where),
            features,
            ",".join(sorted(lists)),
        )


def _read_records(
    files: Sequence[str],
) -> Iterator[tuple[str, str | None, bytes]]:
    """Yields what to call each video in errors, its file's name, its data."""
    for file in files:
        if file.endswith(".pb"):
            with tf.io.gfile.GFile(file, "rb") as stream:
                yield (
                    file,
                    os.path.basename(file).removesuffix(".pb"),
                    stream.read(),
                )
            continue
        for number, data in scan.read_good(file):
            yield f"{file}: record {number}", None, data


def _find_id(
    message: tf.train.SequenceExample, name: str | None, where: str
) -> str:
    features = message.context.feature
    for key in _ID_KEYS:
        if key in features and len(features[key].bytes_list.value) == 1:
            return features[key].bytes_list.value[0].decode("utf-8", "replace")
    if not name and _PATH_KEY in features:
        values = features[_PATH_KEY].bytes_list.value
        path = values[0].decode("utf-8", "replace") if values else ""
        name = os.path.splitext(os.path.basename(path))[0]
    if not name:
        raise errors.DataError(
            f"{where}: expected an id under {', '.join(_ID_KEYS)} or the "
            f"video's file under {_PATH_KEY}. Received: "
            f"keys={','.join(sorted(features))}"
        )
    return name
