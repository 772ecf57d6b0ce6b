"""A look at a TFRecord file in plain Python, to say what is wrong with it.

A record is its length (8 bytes), the length's CRC (4), the data and the data's
CRC (4). Nothing here is on the way of data that is read without an error.
"""

import codecs
from collections.abc import Iterator
import dataclasses
import functools
import itertools
import struct

import tensorflow as tf

from yt8m_compact.readers import crc32c
from yt8m_compact.readers import headers
from yt8m_compact.readers import messages
from yt8m_compact.readers.headers import FRAMING_BYTES
from yt8m_compact.readers.headers import HEADER_BYTES

_BATCH = 32  # records; one at a time takes a tenth of a millisecond each
_MISSING = "The file is missing"


def first_record_bytes(file: str) -> int | None:
    """Returns the length of a file's first record, None if it has none."""
    with tf.io.gfile.GFile(file, "rb") as stream:
        return read_length(stream.read(HEADER_BYTES))


def first_record_lengths(file: str, limit: int) -> list[int]:
    """Returns the lengths of up to `limit` records at a file's start."""
    lengths = []
    size = tf.io.gfile.stat(file).length
    with tf.io.gfile.GFile(file, "rb") as stream:
        offset = 0
        while len(lengths) < limit and offset < size:
            stream.seek(offset)
            length = read_length(stream.read(HEADER_BYTES))
            if length is None or offset + FRAMING_BYTES + length > size:
                break
            lengths.append(length)
            offset += FRAMING_BYTES + length
    return lengths


def read_record(file: str, index: int) -> bytes | None:
    """Returns the data of one record, None if the file can't be read so far."""
    try:
        return next(itertools.islice(iterate(file), index, None), None)
    except tf.errors.OpError:
        return None


def iterate(file: str, offset: int = 0) -> Iterator[bytes]:
    """Reads the records of a file up to its end or to damage.

    Args:
        file: Name of a TFRecord file.
        offset: Where a record starts.

    Yields:
        Their data.

    Raises:
        tf.errors.OpError: If there is no such file.
    """
    size = tf.io.gfile.stat(file).length
    while offset < size:
        stretch = headers.walk(file, offset, size, _BATCH)
        try:
            for data in iterate_stretch(stretch):
                yield data
                offset += len(data) + FRAMING_BYTES
        finally:
            headers.release(stretch)
        if not stretch.number or offset != stretch.end:
            return


def iterate_stretch(stretch: headers.Stretch) -> Iterator[bytes]:
    """Reads the records of a stretch up to its end or to damage.

    Args:
        stretch: From `headers.walk`.

    Yields:
        Their data.
    """
    dataset = records_until_error(
        tf.constant(stretch.path),
        tf.constant(stretch.start, tf.int64),
        tf.constant(stretch.number, tf.int64),
    )
    dataset = dataset.batch(_BATCH).with_options(_as_it_is())
    for _, batch in dataset.as_numpy_iterator():
        yield from batch


@functools.cache
def _as_it_is() -> tf.data.Options:
    """Returns the options of a dataset that TensorFlow does not rewrite.

    TensorFlow 2.21 fails to rewrite a reader that starts at a byte, unless a
    function around it is traced, which takes as long as three thousand records.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def records_until_error(
    file: tf.Tensor, offset: tf.Tensor, number: tf.Tensor
) -> tf.data.Dataset:
    """Reads records in a graph, all or up to damage, without an error.

    `ignore_errors` alone would try again for ever where a file can't be opened.
    A range zipped to the records loses one element in each attempt.

    Args:
        file: Scalar string.
        offset: Scalar int64, where a record starts.
        number: Scalar int64, records that `headers.walk` counted.

    Returns:
        A dataset of `(attempt, serialized)`, scalars, int64 and string.
    """
    # A zip asks for one record more than its range has: `take` has no more. It
    # needs a tensor that is the only output of its operation, as `identity` is:
    # TensorFlow 2.21's optimiser dies of one of the outputs of `unstack`.
    records = _records_from(file, offset).take(tf.identity(number))
    attempts = tf.data.Dataset.range(number)
    return tf.data.Dataset.zip((attempts, records)).ignore_errors()


def _records_from(file: tf.Tensor, offset: tf.Tensor) -> tf.data.Dataset:
    """Reads the records of a file from a byte on, inside a graph.

    No more of them may be taken than `headers.walk` counted.

    Args:
        file: Scalar string.
        offset: Scalar int64, where a record starts.

    Returns:
        A dataset of scalar strings.
    """
    return tf.data.experimental.from_variant(
        tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.reshape(file, [1]),
            compression_type="",
            buffer_size=tf.constant(1 << 18, tf.int64),
            byte_offsets=tf.reshape(offset, [1]),
        ),
        tf.TensorSpec([], tf.string),
    )


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """What reading leaves out: a record, or the rest of a file.

    Attributes:
        index: Number of the record.
        num_bytes: The bytes from there to the file's end where no record can
            be found in them, None where it is one record alone.
        reason: What is wrong, in a sentence.
    """

    index: int
    num_bytes: int | None
    reason: str


def find_runs(
    file: str, index: int, offset: int, size: int | None = None
) -> tuple[list[tuple[int, headers.Stretch]], list[LeftOut]]:
    """Lists the runs of good records after a damaged one.

    A record whose length can be trusted can be stepped over; where it can't,
    nothing says where the next record starts.

    Args:
        file: Name of the file.
        index: Number of the damaged record.
        offset: The byte at which it starts.
        size: The bytes that the file had before, None for those it has.

    Returns:
        The runs, each with the number of its first record, and what is left
        out, both in the order of the file.
    """
    runs, left_out = [], []
    try:
        now = tf.io.gfile.stat(file).length
        size = now if size is None else size
        while offset < min(size, now):
            with tf.io.gfile.GFile(file, "rb") as stream:
                stream.seek(offset)
                length = read_length(stream.read(HEADER_BYTES))
            left = min(size, now) - offset
            if length is None or length + FRAMING_BYTES > left:
                if size != now:
                    break
                if length is not None:
                    reason = (
                        f"The record takes {length + FRAMING_BYTES} bytes and "
                        f"{left} are left."
                    )
                elif left < HEADER_BYTES:
                    reason = f"A record's header is cut off after {left} bytes."
                elif offset == 0:
                    reason = describe_damage(file)
                else:
                    reason = "The header of a record is corrupt."
                left_out.append(LeftOut(index, left, reason))
                break
            # The caller, or the loop before, could not read this one.
            left_out.append(
                LeftOut(index, None, "The data's checksum differs.")
            )
            index += 1
            offset += length + FRAMING_BYTES
            number, end = _count_readable(file, offset, size)
            if number:
                stretch = headers.Stretch(number, end, file, offset)
                runs.append((index, stretch))
            index += number
            offset = end
        if size != now:
            left = max(size, now) - offset
            reason = f"{_describe_change(size, now)}."
            left_out.append(LeftOut(index, left, reason))
    except tf.errors.NotFoundError:
        left = max(size or 0, offset) - offset
        left_out.append(LeftOut(index, left, f"{_MISSING}."))
    except tf.errors.OpError as error:
        left = max(size or 0, offset) - offset
        reason = f"The file can't be opened: {error.message}."
        left_out.append(LeftOut(index, left, reason))
    return runs, left_out


def has_changed(file: str, size: int) -> bool:
    """Whether a file has another number of bytes than it had.

    One that is gone has not: this is asked when all of it was read.
    """
    try:
        return tf.io.gfile.stat(file).length != size
    except tf.errors.OpError:
        return False


def _describe_change(before: int, now: int) -> str:
    return (
        f"The file changed while it was read: it had {before} bytes and has "
        f"{now} now"
    )


def describe_damage(file: str, before: int | None = None) -> str:
    """Says where a file stops being a TFRecord file.

    Args:
        file: Name of the file.
        before: The bytes it had when the reading began, None where nobody
            noted them.

    Returns:
        One or two sentences.
    """
    try:
        size = tf.io.gfile.stat(file).length
        if before not in (None, size):
            return f"{_describe_change(before, size)}; start again."
        count, offset = _count_readable(file)
        if size > 0 and offset == size:
            return (
                "A second reading found no damage: try again, and look at the "
                "storage if this comes back."
            )
        with tf.io.gfile.GFile(file, "rb") as stream:
            stream.seek(offset)
            head = stream.read(512)
    except tf.errors.NotFoundError:
        return f"{_MISSING}: it was removed, or its folder is not mounted."
    except tf.errors.OpError as error:
        return f"The file can't be opened: {error.message}."
    if size == 0:
        return "The file is empty (0 bytes)."
    if offset == 0:
        kind = _foreign_kind(head)
        if kind:
            return f"The file is {kind}, not a TFRecord file."
    where = f"after {count} good record(s), at byte {offset} of {size}"
    left = size - offset
    if left < HEADER_BYTES:
        return (
            f"The file is truncated {where}: a record starts with "
            f"{HEADER_BYTES} bytes and {left} are left."
        )
    length = read_length(head)
    if length is None:
        if offset == 0:
            return "The file does not start as a TFRecord file does."
        return f"The header of a record is corrupt {where}."
    if length + FRAMING_BYTES > left:
        return (
            f"The file is truncated {where}: the next record takes "
            f"{length + FRAMING_BYTES} bytes and {left} are left."
        )
    return f"The data of a record is corrupt {where}: its checksum differs."


def describe_data(data: bytes) -> str:
    """Says what the data of one record holds, in a sentence."""
    if not data:
        return "The record is empty (0 bytes)."
    fields = parse_fields(data)
    if fields is None:
        return (
            f"The record ({len(data)} bytes, starting {data[:16]!r}) is "
            "neither a tf.train.Example nor a tf.train.SequenceExample."
        )
    return describe_fields(*fields)


def describe_fields(
    video: dict[str, tuple[str, int]], frames: dict[str, tuple[int, str]]
) -> str:
    """Puts the result of `parse_fields` into a sentence."""
    listed = [f"'{key}' ({kind} x {n})" for key, (kind, n) in video.items()]
    text = f"The record holds {', '.join(listed) or 'no feature'}"
    if frames:
        listed = [
            f"'{key}' ({number} frames of {size}"
            f"{'' if size.endswith('floats') else ' bytes'})"
            for key, (number, size) in frames.items()
        ]
        text += f", and frame by frame {', '.join(listed)}"
    return f"{text}."


def parse_fields(
    data: bytes,
) -> tuple[dict[str, tuple[str, int]], dict[str, tuple[int, str]]] | None:
    """Lists the features of a record.

    Args:
        data: A serialized tf.train.Example or tf.train.SequenceExample.

    Returns:
        Two dicts, sorted by key: `{key: (kind, number of values)}` of the
        features of the video (kind is "bytes", "int64", "float" or "empty"),
        and `{key: (number of frames, bytes per frame)}` of the features that
        come frame by frame, their size a text such as "1024", "1000 to
        1024" or "1024 floats". None if `data` is neither.
    """
    message = messages.parse(data)
    if message is None:
        return None
    video = {}
    for key in sorted(message.context.feature):
        feature = message.context.feature[key]
        kind = feature.WhichOneof("kind")
        number = len(getattr(feature, kind).value) if kind else 0
        video[key] = (kind.removesuffix("_list") if kind else "empty", number)
    frames = {}
    for key in sorted(message.feature_lists.feature_list):
        steps = message.feature_lists.feature_list[key].feature
        floats = {len(step.float_list.value) for step in steps} or {0}
        sizes = {sum(map(len, step.bytes_list.value)) for step in steps} or {0}
        if max(floats):
            sizes = floats
        low, high = min(sizes), max(sizes)
        size = f"{low}" if low == high else f"{low} to {high}"
        if max(floats):
            size += " floats"
        frames[key] = (len(steps), size)
    return video, frames


def _count_readable(
    file: str, offset: int = 0, size: int | None = None
) -> tuple[int, int]:
    """Counts records from `offset` on, and says where they end."""
    count = 0
    for record in iterate(file, offset):
        end = offset + len(record) + FRAMING_BYTES
        if size is not None and end > size:
            break
        count, offset = count + 1, end
    return count, offset


def read_length(header: bytes) -> int | None:
    """Returns the length a record's header gives, None if its CRC differs."""
    if len(header) < HEADER_BYTES:
        return None
    length, expected = struct.unpack("<QI", header[:HEADER_BYTES])
    return length if crc32c.masked_crc32c(header[:8]) == expected else None


def _foreign_kind(head: bytes) -> str | None:
    if head.startswith(b"\x1f\x8b"):
        return "compressed with gzip (decompress it with `gunzip` first)"
    start = head.lstrip()[:64].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page (HTML or XML; a failed download looks like this)"
    try:
        # The last character may be cut off.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    if text and all(sign.isprintable() or sign in "\r\n\t" for sign in text):
        first = text.splitlines()[0][:60]
        return f"a text file that starts with {first!r}"
    return None
