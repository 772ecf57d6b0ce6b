"""Batches of videos from files."""

from collections.abc import Callable, Sequence
import functools
import os

import tensorflow as tf

from yt8m_compact.readers import batch_parser
from yt8m_compact.readers import frame_level
from yt8m_compact.readers import memory
from yt8m_compact.readers import records
from yt8m_compact.readers import skipped as skipped_lib

_PREFETCHED_BATCHES = 2

Reader = batch_parser.Reader


# Its functions are graphs as they are, and AutoGraph takes seconds to see it.
@tf.autograph.experimental.do_not_convert
def make_dataset(
    reader: Reader,
    files: Sequence[str],
    *,
    batch_size: int,
    shuffle_buffer: int = 0,
    seed: int = 0,
    epoch: int = 0,
    skip_examples: int = 0,
    num_readers: int = 8,
    drop_remainder: bool = False,
    batch_limit: int | None = None,
    num_epochs: int = 1,
    num_shards: int = 1,
    shard_index: int = 0,
    skipped: skipped_lib.SkippedData | None = None,
    count_records: bool = False,
    keep_empty_batches: bool = False,
    portable: bool = False,
) -> tf.data.Dataset:
    """Makes a dataset of batches, one pass over files or several.

    Order and frames are a function of the arguments alone: the same arguments
    give the same batches, and `skip_examples` continues a pass exactly where it
    was left. Frames of a video are sampled by `seed`, `epoch` and its id, so
    that they do not depend on `batch_size`.

    Args:
        reader: A `VideoLevelReader` or `FrameLevelReader`.
        files: Names of TFRecord files, from `expand_patterns`.
        batch_size: Videos in a batch.
        shuffle_buffer: Records among which the next one is drawn at random; 0
            for the files' order. A record is kept as in the file: about 5 kB
            at video level, 270 kB at frame level.
        seed: Decides the order and the frames sampled.
        epoch: The number of the pass, likewise.
        skip_examples: Videos to leave out at the start. They are read, but not
            parsed.
        num_readers: How many files to read at the same time.
        drop_remainder: Whether to leave out a last batch that is not full.
        batch_limit: Batches of a pass to stop after, None for all.
        num_epochs: Passes, one after the other, each with its own order and
            frames: those of `epoch`, `epoch + 1` and so on.
        num_shards: Workers that share the files, such as
            `num_input_pipelines` of a `tf.distribute.InputContext`.
        shard_index: Which of them this is, `input_pipeline_id`. It reads every
            `num_shards`-th file.
        skipped: Where to count what is damaged or does not fit, which is then
            left out, so that a batch may have fewer videos. None to stop with
            an error.
        count_records: Whether batches hold `records_read`, a scalar int64: the
            records of the pass that were read up to the end of the batch,
            those that were left out of it or of batches before too. With it as
            `skip_examples` the pass goes on after the batch.
        keep_empty_batches: Whether a batch that has lost all its records stays
            in its place, without a video; if not, it is left out.
        portable: Whether another process, such as a worker of tf.data service,
            can compute the dataset: the same batches, without Python, and so
            without `skipped`. A record that TensorFlow's parser refuses and
            protobuf reads is an error then, and so are some others by which
            that parser names no record.

    Returns:
        A dataset of batches, dicts as `reader.parse` returns them.

    Raises:
        DataError: If a file is missing or empty.
        ValueError: If a number is out of range.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> reader = yt8m.readers.FrameLevelReader(
        ...     ("rgb", "audio"), (4, 2), num_classes=10, max_frames=5
        ... )
        >>> files = yt8m.readers.expand_patterns("v/*.tfrecord")
        >>> dataset = yt8m.readers.make_dataset(reader, files, batch_size=64)
        >>> for batch in dataset:
        ...     print(batch["id"].numpy(), batch["frames"].shape)
        [b'a'] (1, 5, 6)
    """
    _expect_at_least(1, batch_size=batch_size)
    _expect_at_least(
        0,
        shuffle_buffer=shuffle_buffer,
        seed=seed,
        epoch=epoch,
        skip_examples=skip_examples,
    )
    if batch_limit is not None:
        _expect_at_least(1, batch_limit=batch_limit)
    _expect_at_least(1, num_epochs=num_epochs, num_shards=num_shards)
    if num_epochs > 1:
        passes = [
            make_dataset(
                reader,
                files,
                batch_size=batch_size,
                shuffle_buffer=shuffle_buffer,
                seed=seed,
                epoch=epoch + number,
                skip_examples=0 if number else skip_examples,
                num_readers=num_readers,
                drop_remainder=drop_remainder,
                batch_limit=batch_limit,
                num_shards=num_shards,
                shard_index=shard_index,
                skipped=skipped,
                count_records=count_records,
                keep_empty_batches=keep_empty_batches,
                portable=portable,
            )
            for number in range(num_epochs)
        ]
        return functools.reduce(tf.data.Dataset.concatenate, passes)
    files = shard_files(files, num_shards, shard_index)
    if drop_remainder and skipped is not None:
        raise ValueError(
            "`drop_remainder` is expected to be False where damaged records "
            "are skipped: batches may have fewer. Received: drop_remainder=True"
        )
    memory.keep_freed_memory()
    dataset = records.read_records(
        files,
        num_readers=num_readers,
        shuffle_buffer=shuffle_buffer,
        seed=(seed, epoch),
        skipped=skipped,
        portable=portable,
    )
    if skip_examples:
        dataset = dataset.skip(skip_examples)
    dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
    if batch_limit is not None:
        dataset = dataset.take(batch_limit)

    parse_batch = batch_parser.parse_function(reader)
    if not portable:
        parse_batch = batch_parser.BatchParser(
            parse_batch, reader.wanted, skipped
        )
    frame_seed = tf.constant([seed, epoch], tf.int64)

    def parse(files, indices, serialized):
        batch = parse_batch(files, indices, serialized, frame_seed)
        if not drop_remainder:
            return batch
        return {
            key: tf.ensure_shape(value, [batch_size, *value.shape[1:]])
            for key, value in batch.items()
        }

    if count_records:
        dataset = dataset.enumerate()
        parse = _counting(parse, batch_size, skip_examples)
    # How many processors another process has is for it to say.
    threads = tf.data.AUTOTUNE if portable else os.cpu_count() or 1
    dataset = dataset.map(parse, num_parallel_calls=threads, deterministic=True)
    may_be_empty = skipped is not None or _may_be_empty(reader)
    if may_be_empty and not keep_empty_batches:
        dataset = dataset.filter(lambda batch: tf.size(batch["id"]) > 0)
    dataset = dataset.prefetch(_PREFETCHED_BATCHES)
    if portable:
        return dataset
    options = tf.data.Options()
    # Fixed numbers of threads and batches bound the memory, and save the time
    # of tuning them.
    options.autotune.enabled = False
    return dataset.with_options(options)


def _counting(
    parse: Callable[..., dict[str, tf.Tensor]],
    batch_size: int,
    skip_examples: int,
) -> Callable[..., dict[str, tf.Tensor]]:
    """Adds `records_read` to what is parsed of numbered batches."""

    def parse_and_count(number, batch):
        # All batches before are full.
        read = skip_examples + number * batch_size
        read += tf.size(batch[-1], out_type=tf.int64)
        return {**parse(*batch), "records_read": read}

    return parse_and_count


def shard_files(
    files: Sequence[str], num_shards: int, shard_index: int
) -> Sequence[str]:
    """Returns the files of one of several workers, every `num_shards`-th.

    Args:
        files: Names of files.
        num_shards: How many workers share them.
        shard_index: Which of them this is.

    Returns:
        The names of its files.

    Raises:
        ValueError: If there is no such worker, or no file for some.

    Example:
        >>> files = ["0.tfrecord", "1.tfrecord", "2.tfrecord"]
        >>> yt8m.readers.shard_files(files, num_shards=2, shard_index=0)
        ['0.tfrecord', '2.tfrecord']
    """
    _expect_at_least(1, num_shards=num_shards)
    if not 0 <= shard_index < num_shards:
        raise ValueError(
            f"expected shard_index to be from 0 to {num_shards - 1}, below "
            f"num_shards. Received: shard_index={shard_index}, "
            f"num_shards={num_shards}"
        )
    if num_shards == 1:
        return files
    if len(files) < num_shards:
        raise ValueError(
            "expected num_shards to be at most the number of files, "
            f"{len(files)}. Received: num_shards={num_shards}"
        )
    return files[shard_index::num_shards]


def _may_be_empty(reader: Reader) -> bool:
    return (
        reader.frame_features
        and reader.parts is frame_level.VideoParts.SEGMENTS
    )


def _expect_at_least(least: int, **numbers: int) -> None:
    for name, value in numbers.items():
        if value < least:
            raise ValueError(
                f"`{name}` is expected to be at least {least}. Received: "
                f"{name}={value}"
            )
