"""Every record of a TFRecord file that can still be read, and what can't."""

from collections.abc import Callable, Iterator
import dataclasses

import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.readers import crc32c
from yt8m_compact.readers import framing

_HEADER = framing.HEADER_BYTES
_FOOTER = framing.FRAMING_BYTES - _HEADER  # the data's checksum
_SEARCH_BYTES = 1 << 20

BAD_CHECKSUM = "bad_checksum"
BAD_HEADER = "bad_header"
TRUNCATED = "truncated"


@dataclasses.dataclass(frozen=True)
class Record:
    """A record whose checksums fit.

    Attributes:
        offset: The byte of the file at which it starts.
        data: What it holds.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"one")
        >>> next(yt8m.datasets.scan_records("a.tfrecord"))
        Record(offset=0, data=b'one')
    """

    offset: int
    data: bytes


@dataclasses.dataclass(frozen=True)
class Damage:
    """Bytes of a file that hold no record that can be read.

    Attributes:
        offset: The first of them.
        num_bytes: How many there are.
        kind: `BAD_CHECKSUM` (a record whose data changed), `BAD_HEADER` (no
            record starts here), or `TRUNCATED` (the file ends inside a record).

    Example:
        >>> import os
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"one")
        ...     file.write(b"two")
        >>> os.truncate("a.tfrecord", 30)
        >>> list(yt8m.datasets.scan_records("a.tfrecord"))[-1]
        Damage(offset=19, num_bytes=11, kind='truncated')
    """

    offset: int
    num_bytes: int
    kind: str


def scan_records(file: str) -> Iterator[Record | Damage]:
    """Reads a TFRecord file to its end, whatever is in the way.

    A record whose data changed is left out and the reading goes on with the
    next one. Where no record starts, the rest of the file is searched for the
    next header whose checksum fits and whose record ends inside the file.
    Records and damage together cover every byte of the file.

    Args:
        file: Name of the file.

    Yields:
        Records and damage, in the order of the file.

    Raises:
        tf.errors.OpError: If the file can't be opened.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"one")
        ...     file.write(b"two")
        >>> with open("a.tfrecord", "ab") as file:
        ...     _ = file.write(b"rest")
        >>> for step in yt8m.datasets.scan_records("a.tfrecord"):
        ...     print(step)
        Record(offset=0, data=b'one')
        Record(offset=19, data=b'two')
        Damage(offset=38, num_bytes=4, kind='truncated')
    """
    size = tf.io.gfile.stat(file).length
    offset = 0
    # This is ten times as fast as what follows, up to the batch that has
    # damage.
    for data in framing.iterate(file):
        end = offset + framing.FRAMING_BYTES + len(data)
        if end > size:  # it grew meanwhile
            break
        yield Record(offset, data)
        offset = end
    if offset < size:
        yield from _scan_damaged(file, offset, size)


def read_good(file: str) -> Iterator[tuple[int, bytes]]:
    """Reads the records of a file that must have no damage.

    Args:
        file: Name of the file.

    Yields:
        Numbers from 0, and data of the records.

    Raises:
        DataError: If there is no such file or record, or anything else in it.
    """
    number = 0
    try:
        for step in scan_records(file):
            if isinstance(step, Damage):
                raise readers.DataError(
                    f"{file}: record {number} (byte {step.offset:,}): expected "
                    f"a record. Received: {step.kind}. "
                    f"{framing.describe_damage(file)} `yt8m-data verify` "
                    "can write what is good to a new file"
                )
            yield number, step.data
            number += 1
    except tf.errors.OpError as error:
        raise readers.DataError(
            f"{file}: expected a TFRecord file that can be opened. "
            f"Received: {error.message}"
        ) from None
    if not number:
        raise readers.DataError(
            f"{file}: expected at least one record. Received: an empty file"
        )


def _scan_damaged(
    file: str, offset: int, size: int
) -> Iterator[Record | Damage]:
    with tf.io.gfile.GFile(file, "rb") as stream:

        def read(start: int, number: int) -> bytes:
            stream.seek(start)
            return stream.read(number)

        while offset < size:
            step = _next(read, offset, size)
            yield step
            if isinstance(step, Record):
                offset += _HEADER + len(step.data) + _FOOTER
            else:
                offset += step.num_bytes


def _next(
    read: Callable[[int, int], bytes], offset: int, size: int
) -> Record | Damage:
    length = framing.read_length(read(offset, _HEADER))
    if length is None:
        end = _find_header(read, offset + 1, size)
        short = size - offset < _HEADER
        return Damage(offset, end - offset, TRUNCATED if short else BAD_HEADER)
    end = offset + _HEADER + length + _FOOTER
    if end > size:
        end = _find_header(read, offset + _HEADER, size)
        return Damage(offset, end - offset, TRUNCATED)
    data = read(offset + _HEADER, length)
    expected = int.from_bytes(read(end - _FOOTER, _FOOTER), "little")
    if crc32c.masked_crc32c(data) == expected:
        return Record(offset, data)
    # The length is to be trusted if it leads to another header; if not, bytes
    # may be missing from the data, and a record may start inside.
    if end < size and framing.read_length(read(end, _HEADER)) is None:
        end = _find_header(read, offset + _HEADER, size)
    return Damage(offset, end - offset, BAD_CHECKSUM)


def _find_header(
    read: Callable[[int, int], bytes], start: int, size: int
) -> int:
    """Returns where the next record starts, `size` where none does."""
    while start + _HEADER + _FOOTER <= size:
        data = read(start, _SEARCH_BYTES + _HEADER - 1)
        offsets, lengths = crc32c.find_headers(data)
        for offset, length in zip(
            offsets.tolist(), lengths.tolist(), strict=True
        ):
            if start + offset + _HEADER + length + _FOOTER <= size:
                return start + offset
        start += _SEARCH_BYTES
    return size
