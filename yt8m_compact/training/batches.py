"""What a replica trains on: batches of its shards of the files."""

from collections.abc import Mapping, Sequence
import threading
from typing import Any

import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import data_order
from yt8m_compact.training import data_service
from yt8m_compact.training import marked_ends
from yt8m_compact.training import strategies
from yt8m_compact.training import teachers as teachers_lib

# An element: what Keras trains on (inputs, labels, weights), and how many
# records of the pass were read up to its end.
Element = tuple[tuple[Any, ...], tf.Tensor]


def read(
    reader: readers.Reader,
    files: Sequence[str],
    training: config_lib.TrainingConfig,
    workers: strategies.Workers,
    *,
    epoch: int,
    skip_examples: int,
    skipped: readers.SkippedData | None,
    teachers: teachers_lib.Teachers | None = None,
) -> tf.data.Dataset:
    """Reads what is left of an epoch.

    The files are dealt out to shards, each with its own order and its part of
    every batch, and the shards to workers. So the batches depend on the number
    of shards, and not on how many workers share them.

    Args:
        reader: of the records.
        files: their names.
        training: batch size, order, shards.
        workers: who trains.
        epoch: which it is, from 0.
        skip_examples: records of the epoch that were read before.
        skipped: where to count what is damaged; None to stop at it.
        teachers: whose scores are looked up here, by the ids of the videos.

    Returns:
        A data set of dicts, as `readers.make_dataset` gives them: this worker's
        part of each batch.
    """
    num_shards = data_order.num_shards(training, workers.number)
    own = range(workers.index, num_shards, workers.number)
    # Of several workers all stop after the same step.
    stopped = threading.Event() if workers.number == 1 else None

    def make_shard(shard: int) -> tf.data.Dataset:
        settings = {
            "batch_size": training.batch_size // num_shards,
            "shuffle_buffer": training.shuffle_buffer,
            "seed": training.seed,
            "epoch": epoch,
            "num_readers": training.num_readers,
            "num_shards": num_shards,
            "shard_index": shard,
            "count_records": True,
            "keep_empty_batches": num_shards > 1,
        }
        skip = skip_examples // num_shards
        if training.data_service:
            return data_service.read(
                training.data_service,
                reader,
                files,
                settings,
                skip_examples=skip,
                timeout=training.connect_timeout,
                stopped=stopped,
            )
        return readers.make_dataset(
            reader, files, skip_examples=skip, skipped=skipped, **settings
        )

    dataset = join_shards([make_shard(shard) for shard in own])
    if teachers is None:
        return dataset
    # Beside the step that is done meanwhile.
    return dataset.map(teachers.add_scores).prefetch(1)


def distribute(dataset: tf.data.Dataset, workers: strategies.Workers) -> Any:
    """Makes what `TrainingStep` takes.

    Args:
        dataset: from `read`.
        workers: who trains.

    Returns:
        A data set of the strategy; of each replica's share of a batch.
    """
    dataset = dataset.map(to_keras)
    if workers.strategy.num_replicas_in_sync == 1:
        return dataset
    dataset = share_out(dataset, workers.local_replicas)
    return workers.strategy.distribute_datasets_from_function(
        lambda context: dataset
    )


def join_shards(shards: Sequence[tf.data.Dataset]) -> tf.data.Dataset:
    """Joins the parts of each batch, as long as any shard has one.

    Args:
        shards: of dicts of tensors, `[batch, ...]`, or scalars, of which the
            first shard's are taken.

    Returns:
        A data set of batches.
    """
    if len(shards) == 1:
        return shards[0]
    endless = [marked_ends.mark(shard, repeats=True) for shard in shards]

    def join(*parts: tuple[tf.Tensor, dict]) -> dict[str, tf.Tensor]:
        batches = [batch for _, batch in parts]
        return {
            name: _join([batch[name] for batch in batches])
            for name in batches[0]
        }

    return (
        tf.data.Dataset.zip(tuple(endless))
        .take_while(lambda *parts: tf.reduce_any([there for there, _ in parts]))
        .map(join)
    )


def _join(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    if not tensors[0].shape.rank:
        return tensors[0]
    return tf.concat(tensors, axis=0)


def share_out(dataset: tf.data.Dataset, number: int) -> tf.data.Dataset:
    """Cuts each batch into shares, one after the other, for replicas.

    Args:
        dataset: of `Element`s.
        number: of the shares of a batch. They differ by at most one video;
            some are empty where there are fewer videos.

    Returns:
        A data set of `number` times as many.
    """
    if number == 1:
        return dataset

    def cut(batch: tuple, records_read: tf.Tensor) -> tf.data.Dataset:
        videos = tf.shape(batch[1])[0]

        def share(index: tf.Tensor) -> Element:
            rows = slice(
                videos * index // number, videos * (index + 1) // number
            )
            return (
                tf.nest.map_structure(lambda values: values[rows], batch),
                records_read,
            )

        return tf.data.Dataset.range(number, output_type=tf.int32).map(share)

    return dataset.flat_map(cut).prefetch(number)


def to_keras(batch: Mapping[str, Any]) -> Element:
    """Makes what Keras trains on, and the place."""
    inputs = {
        name: batch[name]
        for name in (*teachers_lib.MODEL_INPUTS, *teachers_lib.SCORES)
        if name in batch
    }
    weights = [batch["label_weights"]] if "label_weights" in batch else []
    return (inputs, batch["labels"], *weights), batch["records_read"]
