"""Serialized records from TFRecord files, none of them lost silently."""

from collections.abc import Sequence
import concurrent.futures
import functools
import os

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import errors
from yt8m_compact.readers import framing
from yt8m_compact.readers import headers
from yt8m_compact.readers import skipped as skipped_lib
from yt8m_compact.readers import stretches as stretches_lib

# Records travel through the pipeline in chunks of about this many bytes. A
# function call, which adds up their bytes, takes 40 us: as long as the reading
# of eight video-level records (4.7 kB) or of half a frame-level one (270 kB).
_CHUNK_BYTES = 1 << 22
_MAX_CHUNK = 256
_ESTIMATE_RECORDS = 100


# Its functions are graphs as they are, and AutoGraph takes seconds to see it.
@tf.autograph.experimental.do_not_convert
def read_records(
    files: Sequence[str],
    *,
    num_readers: int = 8,
    shuffle_buffer: int = 0,
    seed: int | Sequence[int] = 0,
    deterministic: bool = True,
    skipped: skipped_lib.SkippedData | None = None,
    portable: bool = False,
) -> tf.data.Dataset:
    """Reads the records of TFRecord files, several files at a time.

    TensorFlow reads a file that was cut off inside a record's header, or that
    is empty, as a shorter file without an error, and reports damage without the
    file's name. Here the bytes of all records are added up and compared with
    the file's size, so that each of these is an error that names the file.

    Not detected: a file cut off exactly between two records, which is a valid,
    shorter TFRecord file. Only a count of the records known from elsewhere can
    tell.

    Args:
        files: Names of TFRecord files, not compressed.
        num_readers: How many files to read at the same time.
        shuffle_buffer: Records among which the next one is drawn at random; 0
            keeps the order of the files.
        seed: Non-negative integer(s) that decide the order of files and records
            where `shuffle_buffer` is not 0.
        deterministic: Whether the order is the same at every call. False is
            a little faster with slow storage.
        skipped: Where to count what can't be read, which is then left out; None
            to stop there with an error.
        portable: Whether another process, such as a worker of tf.data service,
            can compute the dataset, in the same order: without Python, and so
            without `skipped`. Lengths are not compared with the file's before
            memory is asked for.

    Returns:
        A dataset of `(file, index, serialized)`: string, int64 (the record's
        number in its file, from 0) and string, all scalars.

    Raises:
        ValueError: If an argument is out of range.
        DataError: If a file does not exist or is empty. While the dataset is
            iterated, a damaged or foreign file raises a `tf.errors.OpError`
            that `readable_errors` turns into a `DataError`.

    Example:
        >>> with tf.io.TFRecordWriter("c.tfrecord") as file:
        ...     file.write(b"one")
        ...     file.write(b"two")
        >>> dataset = yt8m.readers.read_records(["c.tfrecord"])
        >>> for file, index, serialized in dataset.as_numpy_iterator():
        ...     print(file, index, serialized)
        b'c.tfrecord' 0 b'one'
        b'c.tfrecord' 1 b'two'
    """
    if isinstance(files, str) or not files:
        raise ValueError(
            "`files` is expected to be a list of at least one file name. "
            f"Received: {files=}"
        )
    if num_readers < 1:
        raise ValueError(
            "`num_readers` is expected to be at least 1. Received: "
            f"{num_readers=}"
        )
    if shuffle_buffer < 0:
        raise ValueError(
            "`shuffle_buffer` is expected to be 0 or more. Received: "
            f"{shuffle_buffer=}"
        )
    if portable and skipped is not None:
        raise ValueError(
            "`skipped` is expected to be None where another process reads. "
            f"Received: {skipped=}"
        )
    files, sizes = filled_files(files, skipped)
    chunk = _chunk_records(files[0])
    order = np.arange(len(files))
    if shuffle_buffer:
        order = np.random.default_rng(seed).permutation(order)
    dataset = tf.data.Dataset.from_tensor_slices(
        (
            np.array(files, object)[order],
            np.array(sizes, np.int64)[order],
        )
    )
    cycle_length = min(num_readers, len(files))
    if portable:
        # How many processors there are is for the other process to say.
        threads = tf.data.AUTOTUNE
        may_have_others = max(sizes) > headers.WALK_BYTES
        read = functools.partial(
            _read_portable_chunks, chunk=chunk, may_have_others=may_have_others
        )
    else:
        threads = _parallel_reads(files, cycle_length)
        read = functools.partial(
            _read_chunks,
            chunk=chunk,
            stretches=stretches_lib.Stretches(chunk, skipped),
            may_have_others=skipped is not None
            or max(sizes) > headers.WALK_BYTES,
        )
    dataset = dataset.interleave(
        read,
        cycle_length=cycle_length,
        num_parallel_calls=threads,
        deterministic=deterministic if threads else None,
    )
    dataset = dataset.unbatch()
    if shuffle_buffer:
        dataset = _shuffle(dataset, shuffle_buffer, seed)
    return dataset


def file_sizes(files: Sequence[str]) -> list[int]:
    """Asks for the sizes of files, several at a time.

    Args:
        files: Names of files.

    Returns:
        The bytes of each.

    Raises:
        DataError: If one does not exist, or is a folder.

    Example:
        >>> with tf.io.TFRecordWriter("b.tfrecord") as file:
        ...     file.write(b"abcd")
        >>> yt8m.readers.file_sizes(["b.tfrecord"])
        [20]
    """
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(_file_size, files))


def filled_files(
    files: Sequence[str], skipped: skipped_lib.SkippedData | None
) -> tuple[list[str], list[int]]:
    """Leaves out files that are empty, which is an error or is counted.

    Args:
        files: Names of files.
        skipped: Where to count what is left out; None to stop with an error.

    Returns:
        The others, and their sizes.

    Raises:
        DataError: If one is empty and that is not counted, or all are.

    Example:
        >>> with open("a", "wb") as full, open("b", "wb") as empty:
        ...     full.write(b"a record")
        8
        >>> skipped = skipped_lib.SkippedData(tells=False)
        >>> filled_files(["a", "b"], skipped)
        (['a'], [8])
        >>> skipped.num_files
        1
    """
    sizes = dict(zip(files, file_sizes(files), strict=True))
    for file, size in sizes.items():
        if size:
            continue
        error = errors.DataError(
            f"{file}: expected a TFRecord file with at least one record. "
            "Received: an empty file (0 bytes). Download or write it again, "
            "or leave it out."
        )
        if skipped is None or not any(sizes.values()):
            raise error
        skipped.add_rest(file, 0, 0, "The file is empty (0 bytes).")
    files = [file for file in files if sizes[file]]
    return files, [sizes[file] for file in files]


def estimate_num_records(files: Sequence[str]) -> int | None:
    """Estimates how many records files hold, for bars that show progress.

    Args:
        files: Names of TFRecord files.

    Returns:
        The bytes of all files over the mean bytes of the first records of the
        first one that is not empty; None where that is no TFRecord file.

    Raises:
        DataError: If a file does not exist.

    Example:
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     for record in (b"one", b"two", b"three"):
        ...         file.write(record)
        >>> yt8m.readers.estimate_num_records(["a.tfrecord", "a.tfrecord"])
        6
    """
    sizes = file_sizes(files)
    mean = mean_record_bytes(files, sizes)
    if mean is None:
        return None
    return max(1, round(sum(sizes) / (framing.FRAMING_BYTES + mean)))


def mean_record_bytes(
    files: Sequence[str], sizes: Sequence[int]
) -> float | None:
    """Returns the mean length of the first records.

    Args:
        files: Names of TFRecord files.
        sizes: Their bytes.

    Returns:
        That of the first file that is not empty; None where there is none, or
        it is no TFRecord file.
    """
    # Whether an empty file is an error is for what reads it to say.
    filled = (f for f, size in zip(files, sizes, strict=True) if size)
    first = next(filled, None)
    if first is None:
        return None
    lengths = framing.first_record_lengths(first, _ESTIMATE_RECORDS)
    return sum(lengths) / len(lengths) if lengths else None


def _parallel_reads(files: Sequence[str], cycle_length: int) -> int | None:
    """Decides how many threads read.

    Most of the time of a local file goes into its checksums, so that every
    processor reads. What comes over a network waits, so there every file has a
    thread of its own.
    """
    if any("://" in file for file in files):
        return cycle_length
    threads = min(cycle_length, os.cpu_count() or 1)
    return threads if threads > 1 else None


def _read_chunks(
    file: tf.Tensor,
    size: tf.Tensor,
    chunk: int,
    stretches: stretches_lib.Stretches,
    may_have_others: bool,
) -> tf.data.Dataset:
    """Reads one file, in chunks, and compares its size with what was read.

    Args:
        file: Scalar string.
        size: Scalar int64, the file's bytes.
        chunk: Records in a chunk.
        stretches: What says which records are read.
        may_have_others: Whether there may be more than one stretch.

    Returns:
        A dataset of `(files, indices, serialized)`, each `[chunk]`.
    """
    # Instead of records: nothing where a stretch ends, and the bounds of the
    # next one where that starts.
    nothing = tf.zeros([0], tf.string)
    end_of_stretch = tf.data.Dataset.from_tensors(
        (tf.zeros([0], tf.int64), nothing)
    )

    def read_stretch(path, bounds):
        _, _, number, start, _, _ = tf.unstack(bounds)
        # Dropping the attempts here would cost a function call per record.
        records = framing.records_until_error(path, start, number)
        return records.batch(chunk).concatenate(end_of_stretch)

    def read_other(path, bounds):
        start = tf.data.Dataset.from_tensors((bounds, nothing))
        return start.concatenate(read_stretch(path, bounds))

    def add_origins(state, batch):
        bounds, serialized = batch
        count, offset, end = state
        number = tf.size(serialized, out_type=tf.int64)
        complete = tf.cond(
            (number > 0) | (tf.size(bounds) > 0),
            lambda: tf.constant(True),
            lambda: finish(count, offset, end),
        )
        lengths = tf.cast(tf.strings.length(serialized), tf.int64)
        read = tf.reduce_sum(lengths) + number * framing.FRAMING_BYTES
        with tf.control_dependencies([complete]):
            files = tf.fill([number], file)
        state = count + number, offset + read, end
        if may_have_others:
            is_start = tf.equal(number, 0) & (tf.size(bounds) > 0)
            first_six = tf.concat([bounds, tf.zeros([6], tf.int64)], axis=0)[:6]
            state = tuple(
                tf.where(is_start, first_six[field], value)
                for field, value in zip((1, 4, 5), state, strict=True)
            )
        return state, (files, count + tf.range(number), serialized)

    def finish(count, offset, end):
        good = stretches.end(file, size, reading, (count, offset), end)
        return _raise_incomplete(file, size, count, offset, good)

    path, bounds = stretches.first(file, size)
    reading, first, _, _, offset, end = tf.unstack(bounds)
    chunks = read_stretch(path, bounds)

    # A function more takes as long to start as a hundred records to read.
    if may_have_others:
        others = stretches.others(reading, file, size).flat_map(read_other)
        chunks = chunks.concatenate(others)
    else:
        end = size
    return chunks.scan((first, offset, end), add_origins)


def _read_portable_chunks(
    file: tf.Tensor, size: tf.Tensor, chunk: int, may_have_others: bool
) -> tf.data.Dataset:
    """Does what `_read_chunks` does, without Python.

    A stretch ends where `headers.walk` would end it. Chunks without a record
    are where `_read_chunks` has them, so that as many files take turns.

    Args:
        file: Scalar string.
        size: Scalar int64, the file's bytes.
        chunk: Records in a chunk.
        may_have_others: Whether there may be more than one stretch.

    Returns:
        A dataset of `(files, indices, serialized)`, each `[chunk]`.
    """
    zero = tf.zeros([], tf.int64)
    end_of_file = tf.data.Dataset.from_tensors(
        (
            tf.zeros([0], tf.int64),
            tf.zeros([0], tf.string),
        )
    )
    # More than the file has, and no reason to try again for ever.
    most = size // framing.FRAMING_BYTES + 1
    chunks = framing.records_until_error(file, zero, most).batch(chunk)

    def add_origins(state, batch):
        _, serialized = batch
        count, offset, start = state
        number = tf.size(serialized, out_type=tf.int64)
        good = (number > 0) | tf.equal(offset, size)
        complete = tf.cond(
            good,
            lambda: tf.constant(True),
            lambda: _raise_incomplete(file, size, count, offset, good),
        )
        lengths = tf.cast(tf.strings.length(serialized), tf.int64)
        end = offset + tf.reduce_sum(lengths) + number * framing.FRAMING_BYTES
        with tf.control_dependencies([complete]):
            files = tf.fill([number], file)
        is_last = (
            (end - start >= headers.WALK_BYTES)
            & tf.equal(number, chunk)
            & tf.not_equal(end, size)
        )
        state = count + number, end, tf.where(is_last, end, start)
        records = files, count + tf.range(number), serialized
        return state, (is_last, records)

    chunks = chunks.concatenate(end_of_file)
    chunks = chunks.scan((zero, zero, zero), add_origins)
    if not may_have_others:
        return chunks.map(lambda is_last, records: records)

    def add_ends(is_last, records):
        # One chunk where a stretch ends, and one where the next starts.
        empty = tf.nest.map_structure(lambda column: column[:0], records)
        ends = tf.data.Dataset.from_tensors(empty)
        ends = ends.repeat(tf.where(is_last, tf.constant(2, tf.int64), 0))
        return tf.data.Dataset.from_tensors(records).concatenate(ends)

    return chunks.flat_map(add_ends)


def _raise_incomplete(
    file: tf.Tensor,
    size: tf.Tensor,
    count: tf.Tensor,
    offset: tf.Tensor,
    good: tf.Tensor,
) -> tf.Tensor:
    """Raises an error in a graph, unless `good`, which it returns."""
    message = tf.strings.join(
        [
            file,
            ": record ",
            tf.strings.as_string(count),
            " (byte ",
            tf.strings.as_string(offset),
            " of ",
            tf.strings.as_string(size),
            ") can't be read: expected a TFRecord file, complete and not "
            "compressed. Download or write the file again, or leave it out.",
        ]
    )
    with tf.control_dependencies([errors.raise_in_graph(message, good)]):
        return tf.identity(good)


def _shuffle(
    dataset: tf.data.Dataset, buffer_size: int, seed: int | Sequence[int]
) -> tf.data.Dataset:
    """Shuffles by `seed` alone.

    `Dataset.shuffle` mixes in the seed of `tf.random.set_seed`, so that a run
    continued under another global seed would skip other records than those it
    has seen. A function's graph has a global seed of its own.
    """
    words = np.random.SeedSequence(seed).generate_state(2)
    first, second = (int(word) for word in words)

    def shuffled(_):
        tf.random.set_seed(first)
        return dataset.shuffle(
            buffer_size, seed=second, reshuffle_each_iteration=False
        )

    return tf.data.Dataset.from_tensors(0).flat_map(shuffled)


def _file_size(file: str) -> int:
    try:
        status = tf.io.gfile.stat(file)
    except tf.errors.OpError as error:
        raise errors.DataError(
            f"{file}: expected a TFRecord file that can be opened. "
            f"Received: {error.message}."
        ) from None
    if status.is_directory:
        raise errors.DataError(
            f"{file}: expected a TFRecord file. Received: a folder. Name the "
            f"files in it, such as '{file}/*.tfrecord'."
        )
    return status.length


def _chunk_records(file: str) -> int:
    try:
        length = framing.first_record_bytes(file)
    except tf.errors.OpError:
        length = None
    if length is None:  # not a TFRecord file: the reading will say so
        return 1
    return max(1, min(_MAX_CHUNK, _CHUNK_BYTES // (length + 1)))
