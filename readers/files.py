"""Patterns of file names to lists of files."""

from collections.abc import Sequence
import os

import tensorflow as tf

from yt8m_compact.readers import errors
from yt8m_compact.readers import tfds_files

_MAGIC = "*?["


def expand_patterns(patterns: str | Sequence[str]) -> list[str]:
    """Lists the files that patterns match.

    Args:
        patterns: File names or glob patterns, local or of any file system that
            TensorFlow knows (`gs://...`): one, several in a list, or several
            separated by commas. `tfds:NAME/CONFIG/SPLIT` names the files of a
            data set that TensorFlow Datasets prepared; see `tfds_files`.

    Returns:
        The files, sorted within each pattern, the patterns in their order, and
        no file twice.

    Raises:
        DataError: If a pattern matches no file; the message names the pattern
            and says what its folder holds.
    """
    if isinstance(patterns, str):
        patterns = [patterns]
    split = [
        part.strip()
        for pattern in patterns
        for part in os.fspath(pattern).split(",")
        if part.strip()
    ]
    if not split:
        raise errors.DataError(
            "expected a file name or a pattern such as "
            "'data/train*.tfrecord', or several separated by commas. "
            f"Received: patterns={patterns!r}"
        )
    files = {}
    for pattern in split:
        if pattern.startswith(tfds_files.PREFIX):
            files.update(dict.fromkeys(tfds_files.list_files(pattern)))
            continue
        matches = sorted(_glob(pattern))
        if not matches:
            raise errors.DataError(_describe_missing(pattern))
        files.update(dict.fromkeys(matches))
    return list(files)


def _glob(pattern: str) -> list[str]:
    try:
        names = tf.io.gfile.glob(pattern)
    except tf.errors.NotFoundError:
        return []
    return [name for name in names if not tf.io.gfile.isdir(name)]


def _describe_missing(pattern: str) -> str:
    message = (
        f"no file matches the pattern '{pattern}': expected at least one "
        "TFRecord file."
    )
    folder = os.path.dirname(pattern)
    while any(sign in folder for sign in _MAGIC):
        folder = os.path.dirname(folder)
    folder = folder or "."
    if not tf.io.gfile.isdir(folder):
        return (
            f"{message} The folder '{folder}' does not exist: check the path."
        )
    names = sorted(tf.io.gfile.listdir(folder))
    if not names:
        return f"{message} The folder '{folder}' is empty."
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return (
        f"{message} The folder '{folder}' holds {len(names)} name(s): {shown}. "
        "Correct the pattern (and quote it, so that the shell leaves it alone)."
    )
