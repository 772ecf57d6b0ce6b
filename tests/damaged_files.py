"""TFRecord files with known damage, for tests."""

from collections.abc import Sequence
import struct

import tensorflow as tf

FRAMING = 16  # bytes of a record around its data


def read_framed(path) -> list[bytes]:
    """Returns the records of a good file, with what is around their data.

    Read with the `struct` module alone.
    """
    content = path.read_bytes()
    records = []
    while content:
        (length,) = struct.unpack_from("<Q", content)
        records.append(content[: length + FRAMING])
        content = content[length + FRAMING :]
    return records


def flip(data: bytes, place: int) -> bytes:
    """Returns the bytes with one bit of one of them flipped."""
    changed = bytearray(data)
    changed[place] ^= 4
    return bytes(changed)


def frame(path, records: Sequence[bytes]) -> list[bytes]:
    """Returns what a TFRecord file of these records consists of."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return read_framed(path)
