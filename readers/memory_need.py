"""How much memory the reading of records will take, asked before it starts."""

from collections.abc import Sequence
import os

from yt8m_compact.readers import batch_parser
from yt8m_compact.readers import records

# Batches of serialized records that are there at the same time: one for each
# processor that parses, one that is put together, and what the two ready ones
# and glibc hold of those before.
_OTHER_BATCHES = 3
# Decoded batches: those that are cut out, decoded and joined, and those ready.
_DECODED_BATCHES = 6
# Of a process in a container, by version of Linux's control groups. A number,
# or the word "max".
_LIMITS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def needed_bytes(
    reader: batch_parser.Reader,
    files: Sequence[str],
    batch_size: int,
    shuffle_buffer: int,
) -> int | None:
    """Estimates the bytes of records and frames that are in memory together.

    `(shuffle_buffer + (processors + 3) * batch_size) * mean`, of the mean bytes
    of the first records, and `6 * batch_size` rows of decoded frames; neither
    the program itself nor the model. No more records than all files hold.

    Args:
        reader: What decodes them.
        files: Names of TFRecord files.
        batch_size: Videos in a batch.
        shuffle_buffer: Records among which the next one is drawn.

    Returns:
        The bytes; None where the first file is no TFRecord file.

    Raises:
        DataError: If a file does not exist.
    """
    sizes = records.file_sizes(files)
    mean = records.mean_record_bytes(files, sizes)
    if mean is None:
        return None
    total = sum(sizes)
    batches = (os.cpu_count() or 1) + _OTHER_BATCHES
    row = 0
    if reader.frame_features:
        row = reader.num_output_frames * reader.feature_dim
    return round(
        min(shuffle_buffer * mean, total)
        + min(batches * batch_size * mean, total)
        + _DECODED_BATCHES * batch_size * row
    )


def machine_bytes() -> int | None:
    """Returns the memory that this process may have, None if nobody says."""
    limits = []
    for path in _LIMITS:
        try:
            with open(path, encoding="ascii") as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):  # another system, or "max"
            continue
    try:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):  # not POSIX
        pass
    return min(limits, default=None)


def describe_lack(
    reader: batch_parser.Reader,
    files: Sequence[str],
    batch_size: int,
    shuffle_buffer: int,
) -> str | None:
    """Says that records will not fit into memory, None where they will.

    Args:
        reader: What decodes them.
        files: Names of TFRecord files.
        batch_size: Videos in a batch.
        shuffle_buffer: Records among which the next one is drawn.

    Returns:
        A line that names what to make smaller.

    Raises:
        DataError: If a file does not exist.

    Example:
        >>> import tensorflow as tf
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"a small record")
        >>> files = ["a.tfrecord"]
        >>> reader = yt8m.readers.FrameLevelReader()
        >>> print(yt8m.readers.describe_lack(reader, files, 64, 1000))
        None
        >>> lack = yt8m.readers.describe_lack(reader, files, 10**9, 1000)
        >>> lack.rpartition("Received: ")[2]
        'shuffle_buffer=1000, batch_size=1000000000'
    """
    needed = needed_bytes(reader, files, batch_size, shuffle_buffer)
    available = machine_bytes()
    if needed is None or available is None or needed < available:
        return None
    return (
        "the records in memory are expected to take about "
        f"{needed / 1e9:.1f} GB, more than the {available / 1e9:.1f} GB of "
        "this machine: choose a smaller shuffle_buffer or batch_size. "
        f"Received: shuffle_buffer={shuffle_buffer}, batch_size={batch_size}"
    )
