"""Files of any file system, to be read as Python's own."""

from __future__ import annotations

import io
import os

from yt8m_compact import files
from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf


def open_binary(path: str) -> io.BufferedReader:
    """Opens a file to read its bytes, from any place in it.

    Args:
        path: the file, local or of any file system that TensorFlow knows.

    Returns:
        The open file.
    """
    path = files.expand_user(path)
    if files.is_local(path):
        return open(path, "rb")
    return io.BufferedReader(_Remote(path))


class _Remote(io.RawIOBase):
    """A file of one of TensorFlow's file systems."""

    def __init__(self, path: str) -> None:
        self._file = tf.io.gfile.GFile(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {
            os.SEEK_SET: lambda: 0,
            os.SEEK_CUR: self._file.tell,
            os.SEEK_END: self._file.size,
        }[whence]()
        self._file.seek(start + offset)
        return start + offset

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
