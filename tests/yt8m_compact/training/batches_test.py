"""Tests of what replicas train on."""

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import readers
from yt8m_compact.training import batches
from yt8m_compact.training import strategies


def make_dataset(config, **kwargs):
    settings = {"epoch": 0, "skip_examples": 0, "skipped": None}
    workers = strategies.Workers(tf.distribute.get_strategy())
    dataset = batches.read(
        config.reader(training=True),
        readers.expand_patterns(config.training.train_data_pattern),
        config.training,
        workers,
        **{**settings, **kwargs},
    )
    return batches.distribute(dataset, workers)


def rows_of(dataset):
    """Returns the features of each batch."""
    return [batch[0]["features"].numpy() for batch, _ in dataset]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return tiny_runs.write_videos(
        tmp_path_factory.mktemp("videos"), 43, num_files=4
    )


@pytest.mark.slow
def test_shards_fill_each_batch_together(videos):
    """Batches hold a part of each shard's, in the order of the shards."""
    config = tiny_runs.video_config(videos, data_shards=4, shuffle_buffer=0)
    parts = []
    for shard in range(4):
        dataset = readers.make_dataset(
            config.reader(training=True),
            readers.expand_patterns(videos),
            batch_size=2,
            num_shards=4,
            shard_index=shard,
            num_readers=2,
        )
        parts.append([batch["features"].numpy() for batch in dataset])
    # 11, 11, 11 and 10 videos: the last batch has a video of three shards.
    assert [len(part) for part in parts] == [6, 6, 6, 5]
    found = rows_of(make_dataset(config))
    assert [len(rows) for rows in found] == [8, 8, 8, 8, 8, 3]
    for number, rows in enumerate(found):
        expected = [part[number] for part in parts if number < len(part)]
        np.testing.assert_array_equal(rows, np.concatenate(expected))


@pytest.mark.slow
@pytest.mark.parametrize("data_shards", [None, 2, 4])
def test_every_video_once(videos, data_shards):
    config = tiny_runs.video_config(videos, data_shards=data_shards)
    rows = np.concatenate(rows_of(make_dataset(config)))
    assert len(rows) == 43
    assert len(np.unique(rows, axis=0)) == 43


@pytest.mark.slow
@pytest.mark.parametrize("data_shards", [None, 2, 4])
def test_continues_after_a_batch(videos, data_shards):
    config = tiny_runs.video_config(videos, data_shards=data_shards)
    whole = rows_of(make_dataset(config))
    for number in (1, 3, 5, 6):
        rest = rows_of(make_dataset(config, skip_examples=8 * number))
        assert len(rest) == len(whole) - number
        for rows, expected in zip(rest, whole[number:], strict=True):
            np.testing.assert_array_equal(rows, expected)


@pytest.mark.slow
def test_frames_of_shards(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path, 20, num_files=2)
    config = tiny_runs.frame_config(
        pattern,
        tiny_runs.models.FrameLevelLogisticConfig(),
        data_shards=2,
        batch_size=2,
        shuffle_buffer=0,
    )
    for (inputs, labels), _ in make_dataset(config):
        assert len(labels) == len(inputs["frames"]) == 2
        assert inputs["frames"].shape[1] == tiny_runs.MAX_FRAMES


@pytest.mark.slow
def test_a_shard_that_lost_its_records_keeps_its_place(videos, tmp_path):
    """Damaged data in one shard doesn't move the others' against it."""
    files = readers.expand_patterns(videos)
    for file in files:
        data = tf.io.gfile.GFile(file, "rb").read()
        (tmp_path / file.rsplit("/", 1)[1]).write_bytes(data)
    damaged = tmp_path / "train1.tfrecord"
    content = bytearray(damaged.read_bytes())
    content[len(content) // 3] ^= 255
    damaged.write_bytes(content)
    config = tiny_runs.video_config(
        str(tmp_path / "train*.tfrecord"),
        data_shards=4,
        shuffle_buffer=0,
        on_data_error="skip",
    )
    good = tiny_runs.video_config(videos, data_shards=4, shuffle_buffer=0)
    skipped = readers.SkippedData()
    found = rows_of(make_dataset(config, skipped=skipped))
    expected = rows_of(make_dataset(good))
    assert skipped.num_records or skipped.num_bytes
    assert len(np.concatenate(found)) < len(np.concatenate(expected))
    assert len(found) == len(expected)
    for rows, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows[:1], wanted[:1])  # of shard 0
        assert len(rows) <= len(wanted)


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_shares_of_a_batch(number):
    batch = (
        ({"features": tf.range(8)}, tf.range(10, 18)),
        tf.constant(8, tf.int64),
    )
    last = (
        ({"features": tf.range(3)}, tf.range(10, 13)),
        tf.constant(11, tf.int64),
    )
    dataset = tf.data.Dataset.from_generator(
        lambda: iter([batch, last]),
        output_signature=(
            (
                {"features": tf.TensorSpec([None], tf.int32)},
                tf.TensorSpec([None], tf.int32),
            ),
            tf.TensorSpec([], tf.int64),
        ),
    )
    shares = list(batches.share_out(dataset, number))
    assert len(shares) == 2 * number
    for start, size, place in [(0, 8, 8), (number, 3, 11)]:
        own = shares[start : start + number]
        features = [share[0][0]["features"].numpy() for share in own]
        labels = [share[0][1].numpy() for share in own]
        np.testing.assert_array_equal(np.concatenate(features), range(size))
        np.testing.assert_array_equal(
            np.concatenate(labels), range(10, 10 + size)
        )
        sizes = [len(rows) for rows in features]
        assert max(sizes) - min(sizes) <= 1
        assert {int(share[1]) for share in own} == {place}
