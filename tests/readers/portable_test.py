"""Tests of data sets that other processes can compute."""

import re

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.readers import headers
from yt8m_compact.readers import normal_records
from yt8m_compact.readers import records


@pytest.fixture
def no_python(monkeypatch):
    """Fails where a record is read by Python, as in another process."""

    def fail(self, serialized):
        raise AssertionError("Python was asked")

    monkeypatch.setattr(normal_records.Wanted, "normalize", fail)


def assert_same(found, expected):
    assert found.element_spec == expected.element_spec
    for batch, wanted in zip(found, expected, strict=True):
        assert batch.keys() == wanted.keys()
        for name, value in wanted.items():
            np.testing.assert_array_equal(batch[name], value, err_msg=name)


def make_both(reader, pattern, **kwargs):
    files = readers.expand_patterns(pattern)
    values = {"batch_size": 8, "seed": 3, **kwargs}
    return [
        readers.make_dataset(reader, files, portable=portable, **values)
        for portable in (True, False)
    ]


def video_reader(names=("mean_rgb", "mean_audio")):
    return readers.VideoLevelReader(
        names,
        tuple(tiny_runs.VIDEO_SIZES[name] for name in names),
        tiny_runs.NUM_CLASSES,
    )


def frame_reader(names=("rgb", "audio"), **kwargs):
    return readers.FrameLevelReader(
        names,
        tuple(tiny_runs.FRAME_SIZES[name] for name in names),
        num_classes=tiny_runs.NUM_CLASSES,
        max_frames=tiny_runs.MAX_FRAMES,
        **kwargs,
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"shuffle_buffer": 16, "epoch": 2, "skip_examples": 5},
        {"num_shards": 2, "shard_index": 1, "num_readers": 1},
        {"drop_remainder": True, "count_records": True},
        {"num_epochs": 2, "shuffle_buffer": 8, "batch_limit": 3},
    ],
)
@pytest.mark.parametrize("kind", ["videos", "frames"])
def test_the_same_batches(tmp_path, no_python, kind, settings):
    del no_python
    if kind == "videos":
        pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
        reader = video_reader()
    else:
        pattern = tiny_runs.write_frames(tmp_path, 43, num_files=4)
        reader = frame_reader(
            frame_sampling=readers.FrameSampling.RANDOM,
            num_sampled_frames=3,
        )
    assert_same(*make_both(reader, pattern, **settings))


@pytest.mark.parametrize("kind", ["videos", "frames"])
def test_a_part_of_the_features(tmp_path, no_python, kind):
    """What is not read does not make a record unusual."""
    del no_python
    if kind == "videos":
        pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
        for name in tiny_runs.VIDEO_SIZES:
            assert_same(*make_both(video_reader((name,)), pattern))
    else:
        pattern = tiny_runs.write_frames(tmp_path, 43, num_files=4)
        for name in tiny_runs.FRAME_SIZES:
            assert_same(*make_both(frame_reader((name,)), pattern))


@pytest.mark.parametrize("walk_bytes", [200, 1000, 5000])
@pytest.mark.parametrize("chunk_bytes", [200, 400, 2000])
def test_the_same_turns_of_long_files(
    tmp_path, monkeypatch, walk_bytes, chunk_bytes
):
    """Where a file is read in several stretches, each ends with a turn."""
    monkeypatch.setattr(headers, "WALK_BYTES", walk_bytes)
    monkeypatch.setattr(records, "_CHUNK_BYTES", chunk_bytes)
    headers._walk_local.cache_clear()
    pattern = tiny_runs.write_videos(tmp_path, 150, num_files=4)
    assert_same(*make_both(video_reader(), pattern, num_readers=3))
    headers._walk_local.cache_clear()


@pytest.mark.parametrize("name", ["mean_rgb", "mean_audio"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_feature_that_is_not_read_may_be_of_any_size(tmp_path, name, number):
    """The bytes of one of a single number are for protobuf to read."""
    other = ({"mean_rgb", "mean_audio"} - {name}).pop()
    example = tf.train.Example.FromString(
        record_makers.make_video_example(1, num_classes=tiny_runs.NUM_CLASSES)
    )
    values = example.features.feature[other].float_list.value
    del values[number:]
    path = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(path, [example.SerializeToString()] * 3)
    found, expected = make_both(video_reader((name,)), path)
    (batch,) = expected
    assert batch["features"].shape == (3, tiny_runs.VIDEO_SIZES[name])
    assert_same(found, expected)


@pytest.mark.parametrize("cut", ["corrupt", "in a record", "in a header"])
def test_damage(tmp_path, cut):
    pattern = tiny_runs.write_videos(tmp_path, 43, num_files=4)
    path = tmp_path / "train2.tfrecord"
    data = bytearray(path.read_bytes())
    size = len(data) // 11
    if cut == "corrupt":
        data[5 * size + 30] ^= 0xFF
    else:
        data = data[: 5 * size + (30 if cut == "in a record" else 6)]
    path.write_bytes(data)
    messages = []
    for dataset in make_both(video_reader(), pattern):
        with (
            pytest.raises(readers.DataError) as error,
            readers.readable_errors(),
        ):
            list(dataset)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"{path}: record 5 (byte ")


def test_what_does_not_fit(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path)
    with pytest.raises(
        ValueError,
        match="^`skipped` is expected to be None where another process reads. "
        + re.escape("Received: skipped="),
    ):
        readers.make_dataset(
            video_reader(),
            readers.expand_patterns(pattern),
            batch_size=8,
            skipped=readers.SkippedData(),
            portable=True,
        )
