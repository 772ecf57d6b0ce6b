"""Serialized records from TFRecord files, none of them lost silently."""

from collections.abc import Sequence
import concurrent.futures
import os

import numpy as np
import tensorflow as tf

from yt8m_compact.readers import errors
from yt8m_compact.readers import framing
from yt8m_compact.readers import skipped as skipped_lib

# Records travel through the pipeline in chunks of about this many bytes. A
# function call, which adds up their bytes, takes 40 us: as long as the reading
# of eight video-level records (4.7 kB) or of half a frame-level one (270 kB).
_CHUNK_BYTES = 1 << 22
_MAX_CHUNK = 256
_BUFFER_BYTES = 1 << 18
_ESTIMATE_RECORDS = 100
_PROBE_BYTES = 1 << 16


def read_records(
    files: Sequence[str],
    *,
    num_readers: int = 8,
    shuffle_buffer: int = 0,
    seed: int | Sequence[int] = 0,
    deterministic: bool = True,
    skipped: skipped_lib.SkippedData | None = None,
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

    Returns:
        A dataset of `(file, index, serialized)`: string, int64 (the record's
        number in its file, from 0) and string, all scalars.

    Raises:
        ValueError: If an argument is out of range.
        DataError: If a file does not exist or is empty. While the dataset is
            iterated, a damaged or foreign file raises a `tf.errors.OpError`
            that `readable_errors` turns into a `DataError`.
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
    files, sizes = _file_sizes(files, skipped)
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
    threads = _parallel_reads(files, cycle_length)
    dataset = dataset.interleave(
        lambda file, size: _read_chunks(file, size, chunk, skipped),
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
    """
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(_file_size, files))


def estimate_num_records(files: Sequence[str]) -> int | None:
    """Estimates how many records files hold, for bars that show progress.

    Args:
        files: Names of TFRecord files.

    Returns:
        The bytes of all files over the mean bytes of the first records of the
        first one that is not empty; None where that is no TFRecord file.

    Raises:
        DataError: If a file does not exist.
    """
    # Whether an empty file is an error is for what reads it to say.
    sizes = file_sizes(files)
    total = sum(sizes)
    if not total:
        return None
    first = next(f for f, size in zip(files, sizes, strict=True) if size)
    lengths = framing.first_record_lengths(first, _ESTIMATE_RECORDS)
    if not lengths:
        return None
    mean = framing.FRAMING_BYTES + sum(lengths) / len(lengths)
    return max(1, round(total / mean))


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
    skipped: skipped_lib.SkippedData | None,
) -> tf.data.Dataset:
    """Reads one file, in chunks, and compares its size with what was read.

    Args:
        file: Scalar string.
        size: Scalar int64, the file's bytes.
        chunk: Records in a chunk.
        skipped: Where to count what can't be read, None to raise an error.

    Returns:
        A dataset of `(files, indices, serialized)`, each `[chunk]`.
    """
    end = tf.data.Dataset.from_tensors(
        (tf.zeros([0], tf.string), tf.zeros([0], tf.int64))
    )
    chunks = _read_until_error(file, size, chunk).concatenate(end)
    fail = _raise_incomplete if skipped is None else skipped.note_damage

    def add_place(state, batch):
        serialized, _ = batch
        count, offset = state
        number = tf.size(serialized, out_type=tf.int64)
        complete = tf.cond(
            (number > 0) | (offset == size),
            lambda: tf.constant(True),
            lambda: fail(file, size, count, offset),
        )
        lengths = tf.cast(tf.strings.length(serialized), tf.int64)
        read = tf.reduce_sum(lengths) + number * framing.FRAMING_BYTES
        with tf.control_dependencies([complete]):
            files = tf.fill([number], file)
        return (
            (count + number, offset + read),
            (files, count + tf.range(number), serialized),
        )

    start = (tf.constant(0, tf.int64), tf.constant(0, tf.int64))
    chunks = chunks.scan(start, add_place)
    if skipped is None:
        return chunks
    return chunks.concatenate(_read_after_damage(file, chunk, skipped))


def _read_after_damage(
    file: tf.Tensor, chunk: int, skipped: skipped_lib.SkippedData
) -> tf.data.Dataset:
    """Reads what can be read of a file after a damaged record.

    Args:
        file: Scalar string.
        chunk: Records in a chunk.
        skipped: What `note_damage` was called of. It is asked when the file
            has been read so far, and knows of no damage in most.

    Returns:
        A dataset of `(files, indices, serialized)`, each `[chunk]`.
    """

    def read_run(run):
        records = framing.records_from(file, run[0])
        indices = tf.data.Dataset.range(run[1], run[1] + run[2])
        return tf.data.Dataset.zip((indices, records)).batch(chunk)

    def add_file(indices, serialized):
        return tf.fill(tf.shape(indices), file), indices, serialized

    runs = tf.data.Dataset.from_tensors(file).map(skipped.runs_after_damage)
    return runs.unbatch().flat_map(read_run).map(add_file)


def _read_until_error(
    file: tf.Tensor, size: tf.Tensor, chunk: int
) -> tf.data.Dataset:
    """Reads a file's records, up to its end or to damage, without an error.

    `ignore_errors` alone would try again for ever where a file can't be opened.
    A range zipped to the records loses one element in each attempt: with one
    element it shows whether the first record can be read, with more than the
    file can hold it bounds what happens if a second opening fails.

    Args:
        file: Scalar string.
        size: Scalar int64, the file's bytes.
        chunk: Records in a chunk.

    Returns:
        A dataset of `(serialized, attempt)`, string and int64 `[chunk]`.
    """
    first = tf.data.TFRecordDataset(file, buffer_size=_PROBE_BYTES)
    first = tf.data.Dataset.zip((tf.data.Dataset.range(1), first))
    attempts = tf.data.Dataset.range(size // framing.FRAMING_BYTES + 2)
    records = tf.data.TFRecordDataset(file, buffer_size=_BUFFER_BYTES)
    records = tf.data.Dataset.zip((records, attempts)).ignore_errors()
    # Dropping the attempts here would cost a function call per record.
    chunks = records.batch(chunk)
    return first.ignore_errors().flat_map(lambda *_: chunks)


def _raise_incomplete(
    file: tf.Tensor, size: tf.Tensor, count: tf.Tensor, offset: tf.Tensor
) -> tf.Tensor:
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
    with tf.control_dependencies([errors.raise_in_graph(message)]):
        return tf.constant(False)


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


def _file_sizes(
    files: Sequence[str], skipped: skipped_lib.SkippedData | None
) -> tuple[list[str], list[int]]:
    """Returns the files that are not empty, and their sizes."""
    sizes = dict(zip(files, file_sizes(files), strict=True))
    for file, size in sizes.items():
        if size:
            continue
        error = errors.DataError(
            f"{file}: expected a TFRecord file with at least one record. "
            "The file is empty (0 bytes). Download or write it again, or "
            "leave it out."
        )
        if skipped is None or not any(sizes.values()):
            raise error
        skipped.add_rest(file, 0, 0, "The file is empty (0 bytes).")
    files = [file for file in files if sizes[file]]
    return files, [sizes[file] for file in files]


def _file_size(file: str) -> int:
    try:
        status = tf.io.gfile.stat(file)
    except tf.errors.OpError as error:
        raise errors.DataError(
            f"{file}: expected a TFRecord file. It can't be opened: "
            f"{error.message}."
        ) from None
    if status.is_directory:
        raise errors.DataError(
            f"{file}: expected a TFRecord file, found a folder. Name the files "
            f"in it, such as '{file}/*.tfrecord'."
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
