"""Lengths in the headers of records, looked at before TensorFlow reads them.

A record is its length (8 bytes), the length's CRC (4), the data and the data's
CRC (4). TensorFlow's reader asks for as much memory as a length says, and the
process dies where there is not as much: a length must fit into its file before
that reader gets the file. Whoever reads records asks here first.
"""

from collections.abc import Callable
import contextlib
import dataclasses
import functools
import os
import secrets

import tensorflow as tf

from yt8m_compact import files as files_lib

HEADER_BYTES = 12
FRAMING_BYTES = 16  # header and the CRC after the data

_LENGTH_BYTES = 8
# A walk goes no further ahead of the reading than this: what it fetches from a
# slow disk is then still there when it is read.
WALK_BYTES = 64 << 20
# What is not local is fetched in steps of this.
_FETCH_BYTES = 4 << 20
# Where it is walked through and read from: it crosses the network once.
_MEMORY = "ram://yt8m_compact/"
# Files that were walked through and did not change need no second walk in the
# next epoch; YouTube-8M has 3,844 of a split, with up to 6 stretches each.
_REMEMBERED = 1 << 15


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Records of a file that follow one another and fit into it.

    Attributes:
        number: How many there are.
        end: The byte at which they end.
        path: The file to read them from: the file itself, or what was fetched
            of one that is not local.
        start: The byte of `path` at which they start.
    """

    number: int
    end: int
    path: str
    start: int


def walk(file: str, offset: int, size: int, chunk: int) -> Stretch:
    """Walks through the headers of records, by their lengths alone.

    Checksums are for the reader to check: it reads no further than to the
    first that differs.

    Args:
        file: Name of a TFRecord file.
        offset: The byte at which a record starts.
        size: The bytes of the file that count.
        chunk: The walk ends after a multiple of as many records, unless there
            are no more that fit.

    Returns:
        The records, to be given to `release` when they were read. None where
        the next one does not fit into the file, or it can't be read.
    """
    try:
        if not files_lib.is_local(file):
            return _fetch(file, offset, size, chunk)
        status = os.stat(file)
        # What identifies the content of a file.
        content = status.st_dev, status.st_ino, status.st_mtime_ns
        size = min(size, status.st_size)
        return Stretch(
            *_walk_local(file, offset, size, chunk, *content), file, offset
        )
    except (OSError, tf.errors.OpError):
        return Stretch(0, offset, file, offset)


def release(stretch: Stretch) -> None:
    """Frees the memory of what was fetched."""
    if stretch.path.startswith(_MEMORY):
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(stretch.path)


@functools.lru_cache(maxsize=_REMEMBERED)
def _walk_local(
    file: str, offset: int, size: int, chunk: int, *content: int
) -> tuple[int, int]:
    del content  # For the cache.
    descriptor = os.open(file, os.O_RDONLY)
    try:
        # Not by mmap, in half the time: a file that is cut off meanwhile would
        # kill the process.
        read = functools.partial(os.pread, descriptor)
        return _walk(read, offset, size, chunk)
    finally:
        os.close(descriptor)


def _fetch(file: str, offset: int, size: int, chunk: int) -> Stretch:
    """Copies records into memory, up to where a walk ends."""
    data = bytearray()

    def read(number: int, offset: int) -> bytes:
        return data[offset : offset + number]

    with tf.io.gfile.GFile(file, "rb") as stream:
        stream.seek(offset)
        while True:
            step = _FETCH_BYTES if data else WALK_BYTES + _FETCH_BYTES
            fetched = stream.read(min(step, size - offset - len(data)))
            data += fetched
            number, end = _walk(read, 0, len(data), chunk)
            head = read(_LENGTH_BYTES, end)
            following = int.from_bytes(head, "little") + FRAMING_BYTES
            if (
                not fetched
                or (end >= WALK_BYTES and number % chunk == 0)
                # With less of a header the next step has the rest.
                or (
                    len(head) == _LENGTH_BYTES
                    and following > size - offset - end
                )
            ):
                break
    path = f"{_MEMORY}{secrets.token_hex(16)}"
    with tf.io.gfile.GFile(path, "wb") as copy:
        copy.write(bytes(data[:end]))
    return Stretch(number, offset + end, path, 0)


def _walk(
    read: Callable[[int, int], bytes], offset: int, size: int, chunk: int
) -> tuple[int, int]:
    """Walks by `read(bytes, offset)`; returns how far, as in `Stretch`."""
    number, enough = 0, offset + WALK_BYTES
    last = size - FRAMING_BYTES
    while offset <= last:
        length = read(_LENGTH_BYTES, offset)
        if len(length) < _LENGTH_BYTES:  # it was cut off meanwhile
            break
        end = offset + int.from_bytes(length, "little") + FRAMING_BYTES
        if end > size:
            break
        number += 1
        offset = end
        if offset >= enough and number % chunk == 0:
            break
    return number, offset
