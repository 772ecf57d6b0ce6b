"""Tests of the batches made from files."""

import dataclasses
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers

_VIDEO = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
_FRAMES = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10, 8)
_RANDOM = readers.FrameLevelReader(
    ("rgb", "audio"), (6, 3), 10, 8, readers.FrameSampling.RANDOM, 4
)
_NUM_VIDEOS = 23


def _write(folder, make, sizes=(9, 4, 10), **arguments):
    files, index = [], 0
    for number, size in enumerate(sizes):
        records = [
            make(video, **arguments) for video in range(index, index + size)
        ]
        files.append(
            record_makers.write_tfrecord(folder / f"{number}", records)
        )
        index += size
    return files


@pytest.fixture
def video_files(tmp_path):
    return _write(tmp_path, record_makers.make_video_example)


@pytest.fixture
def frame_files(tmp_path):
    return _write(
        tmp_path,
        lambda index: record_makers.make_frame_example(index, 1 + index % 11),
    )


def _collect(dataset):
    """All videos of a dataset, its batches put together."""
    with readers.readable_errors():
        batches = list(dataset.as_numpy_iterator())
    return {
        key: np.concatenate([batch[key] for batch in batches])
        for key in batches[0]
    }


def _assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


@pytest.mark.slow
def test_every_video_comes_once_with_its_own_values(video_files):
    found = _collect(readers.make_dataset(_VIDEO, video_files, batch_size=4))
    order = np.argsort(found["id"])
    assert found["id"][order].tolist() == [
        record_makers.video_id(index) for index in range(_NUM_VIDEOS)
    ]
    for place, index in zip(order, range(_NUM_VIDEOS), strict=True):
        np.testing.assert_array_equal(
            found["features"][place, :6], record_makers.video_values(index, 6)
        )
        labels = np.flatnonzero(found["labels"][place])
        assert labels.tolist() == sorted(record_makers.video_labels(index, 10))


@pytest.mark.slow
def test_batches_have_the_size_asked_for(video_files):
    dataset = readers.make_dataset(_VIDEO, video_files, batch_size=5)
    assert [len(batch["id"]) for batch in dataset] == [5, 5, 5, 5, 3]
    assert dataset.element_spec["features"].shape == [None, 9]
    dataset = readers.make_dataset(
        _VIDEO, video_files, batch_size=5, drop_remainder=True
    )
    assert [len(batch["id"]) for batch in dataset] == [5, 5, 5, 5]
    assert dataset.element_spec["features"].shape == [5, 9]
    assert dataset.element_spec["labels"].shape == [5, 10]


@pytest.mark.slow
def test_batch_limit(video_files):
    whole = list(readers.make_dataset(_VIDEO, video_files, batch_size=5))
    some = list(
        readers.make_dataset(_VIDEO, video_files, batch_size=5, batch_limit=2)
    )
    assert len(some) == 2
    for one, other in zip(some, whole, strict=False):
        _assert_same(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [0, 7, 100])
@pytest.mark.parametrize("reader", [_FRAMES, _RANDOM], ids=["all", "random"])
def test_batch_size_and_repetition_change_nothing(
    frame_files, reader, shuffle_buffer
):
    def collect(batch_size):
        return _collect(
            readers.make_dataset(
                reader,
                frame_files,
                batch_size=batch_size,
                shuffle_buffer=shuffle_buffer,
                seed=3,
                epoch=2,
            )
        )

    expected = collect(4)
    for batch_size in (1, 4, 5, 100):
        _assert_same(collect(batch_size), expected)


@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [0, 7])
def test_run_continues_exactly_where_it_stopped(frame_files, shuffle_buffer):
    def collect(skip_examples, batch_size=4):
        return _collect(
            readers.make_dataset(
                _RANDOM,
                frame_files,
                batch_size=batch_size,
                shuffle_buffer=shuffle_buffer,
                seed=3,
                epoch=1,
                skip_examples=skip_examples,
            )
        )

    tf.random.set_seed(1)
    whole = collect(0)
    tf.random.set_seed(2)
    # Nothing, whole batches, a file, and most.
    for skip in (0, 4, 9, 20):
        _assert_same(
            collect(skip), {key: value[skip:] for key, value in whole.items()}
        )


def _records_read(files, reader=_VIDEO, skip=0, **kwargs):
    """Counts after each batch, and the ids of the batches."""
    batches = list(
        readers.make_dataset(
            reader,
            files,
            batch_size=4,
            skip_examples=skip,
            count_records=True,
            **kwargs,
        ).as_numpy_iterator()
    )
    assert all(batch["records_read"].dtype == np.int64 for batch in batches)
    counts = [int(batch["records_read"]) for batch in batches]
    return counts, [list(batch["id"]) for batch in batches]


@pytest.mark.slow
def test_records_read(video_files):
    counts, ids = _records_read(video_files)
    assert counts == [4, 8, 12, 16, 20, 23]
    for number, count in enumerate(counts):
        again = _records_read(video_files, skip=count)
        assert again == (counts[number + 1 :], ids[number + 1 :])
    counts, _ = _records_read(video_files, num_epochs=2, skip=20)
    assert counts == [23, 4, 8, 12, 16, 20, 23]


@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [0, 5])
def test_records_read_count_those_that_are_left_out(tmp_path, shuffle_buffer):
    # 20 of 24: the second batch, the last one, and one of the third.
    bad = {4, 5, 6, 7, 9, 20, 21, 22, 23}
    records = [
        b"bad" if index in bad else record_makers.make_video_example(index)
        for index in range(24)
    ]
    file = record_makers.write_tfrecord(tmp_path / "a", records)

    def read(skip=0):
        return _records_read(
            [file],
            skip=skip,
            shuffle_buffer=shuffle_buffer,
            skipped=readers.SkippedData(),
        )

    counts, ids = read()
    assert sum(map(len, ids)) == 24 - len(bad)
    if not shuffle_buffer:
        assert counts == [4, 12, 16, 20]
        assert list(map(len, ids)) == [4, 3, 4, 4]
    for number, count in enumerate(counts):
        assert read(count) == (counts[number + 1 :], ids[number + 1 :])


@pytest.mark.slow
def test_records_read_are_not_the_rows_of_halves_and_segments(tmp_path):
    def write(name, **kwargs):
        return record_makers.write_tfrecord(
            tmp_path / name,
            [
                record_makers.make_frame_example(
                    index, 10, **(kwargs if index < 4 or index > 7 else {})
                )
                for index in range(10)
            ],
        )

    halves = dataclasses.replace(_FRAMES, parts=readers.VideoParts.HALVES)
    counts, ids = _records_read([write("halves")], halves)
    assert counts == [4, 8, 10]
    assert list(map(len, ids)) == [8, 8, 4]
    segments = dataclasses.replace(_FRAMES, parts=readers.VideoParts.SEGMENTS)
    rated = [(0, 1, 1.0), (1, 2, 0.0)]
    # The second batch has no segment that was rated.
    counts, ids = _records_read([write("segments", segments=rated)], segments)
    assert counts == [4, 10]
    assert list(map(len, ids)) == [8, 4]


@pytest.mark.slow
def test_skipping_everything_leaves_nothing(frame_files):
    for skip in (_NUM_VIDEOS, 1000):
        dataset = readers.make_dataset(
            _FRAMES, frame_files, batch_size=4, skip_examples=skip
        )
        assert not list(dataset)


@pytest.mark.slow
def test_skipped_records_are_not_parsed(tmp_path):
    good = record_makers.make_video_example()
    file = record_makers.write_tfrecord(tmp_path / "a", [b"bad", good])
    with pytest.raises(readers.DataError, match=f"^{file}: record 0: "):
        _collect(readers.make_dataset(_VIDEO, [file], batch_size=1))
    found = _collect(
        readers.make_dataset(_VIDEO, [file], batch_size=1, skip_examples=1)
    )
    assert len(found["id"]) == 1


@pytest.mark.slow
def test_seed_and_epoch_change_order_and_frames(frame_files):
    def collect(shuffle_buffer, **arguments):
        return _collect(
            readers.make_dataset(
                _RANDOM,
                frame_files,
                batch_size=4,
                shuffle_buffer=shuffle_buffer,
                **arguments,
            )
        )

    settings = [
        {"seed": 0, "epoch": 0},
        {"seed": 0, "epoch": 1},
        {"seed": 1, "epoch": 0},
    ]
    shuffled = [collect(100, **setting) for setting in settings]
    straight = [collect(0, **setting) for setting in settings]
    for number in range(len(settings)):
        assert sorted(shuffled[number]["id"]) == sorted(straight[0]["id"])
        np.testing.assert_array_equal(straight[number]["id"], straight[0]["id"])
        # A video's frames are the same wherever it comes.
        places = {
            one: place for place, one in enumerate(straight[number]["id"])
        }
        order = [places[one] for one in shuffled[number]["id"]]
        np.testing.assert_array_equal(
            shuffled[number]["frames"], straight[number]["frames"][order]
        )
        for other in range(number):
            assert (shuffled[number]["id"] != shuffled[other]["id"]).any()
            assert (
                straight[number]["frames"] != straight[other]["frames"]
            ).any()


@pytest.mark.slow
def test_even_frames_depend_on_nothing(frame_files):
    reader = readers.FrameLevelReader(
        ("rgb", "audio"), (6, 3), 10, 8, readers.FrameSampling.EVEN, 4
    )
    first, second = (
        _collect(
            readers.make_dataset(
                reader, frame_files, batch_size=4, seed=seed, epoch=seed
            )
        )
        for seed in (0, 5)
    )
    _assert_same(first, second)


@pytest.mark.slow
def test_dataset_can_be_iterated_again(frame_files):
    dataset = readers.make_dataset(
        _RANDOM, frame_files, batch_size=4, shuffle_buffer=7
    )
    _assert_same(_collect(dataset), _collect(dataset))


def _damage(files):
    path = pathlib.Path(files[1])
    path.write_bytes(path.read_bytes()[:-2])
    return rf"^{path}: record 3 \(byte \d+ of \d+\) can't be read: expected a"


def _spoil(files):
    record_makers.write_tfrecord(
        files[1],
        [
            record_makers.make_video_example(0),
            record_makers.make_video_example(1, labels=[3, 12]),
        ],
    )
    return f"^{files[1]}: record 1: expected labels from 0 to 9. Received: 12. "


def _replace(files):
    record_makers.write_tfrecord(files[1], [b"index,mid,display_name"])
    return f"^{files[1]}: record 0: expected a tf.train.Example whose features"


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [_damage, _spoil, _replace])
def test_errors_name_the_file_and_the_record(video_files, spoil):
    match = spoil(video_files)
    for arguments in ({}, {"shuffle_buffer": 9}):
        dataset = readers.make_dataset(
            _VIDEO, video_files, batch_size=4, **arguments
        )
        with pytest.raises(readers.DataError, match=match):
            _collect(dataset)


def _model():
    model = keras.Sequential([keras.Input([9]), keras.layers.Dense(10)])
    model.compile("sgd", "mse")
    return model


def _pairs(files):
    dataset = readers.make_dataset(_VIDEO, files, batch_size=4)
    return dataset.map(lambda batch: (batch["features"], batch["labels"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "run_eagerly", "spoil"),
    [
        ("fit", False, _damage),
        ("fit", False, _spoil),
        ("fit", False, _replace),
        ("fit", True, _spoil),
        ("evaluate", False, _damage),
        ("predict", False, _replace),
    ],
)
def test_errors_come_through_keras(video_files, method, run_eagerly, spoil):
    match = spoil(video_files)
    model = _model()
    model.run_eagerly = run_eagerly
    with pytest.raises(readers.DataError, match=match) as raised:
        with readers.readable_errors():
            arguments = {"shuffle": False} if method == "fit" else {}
            getattr(model, method)(_pairs(video_files), verbose=0, **arguments)
    assert "Graph execution error" not in str(raised.value)


def test_keras_trains(video_files):
    with readers.readable_errors():
        history = _model().fit(_pairs(video_files), shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"batch_size": 0}, "at least 1. Received: batch_size=0"),
        ({"shuffle_buffer": -1}, "at least 0. Received: shuffle_buffer=-1"),
        ({"seed": -1}, "at least 0. Received: seed=-1"),
        ({"epoch": -1}, "at least 0. Received: epoch=-1"),
        ({"skip_examples": -1}, "at least 0. Received: skip_examples=-1"),
        ({"batch_limit": 0}, "at least 1. Received: batch_limit=0"),
        ({"num_readers": 0}, "at least 1. Received: num_readers=0"),
    ],
)
def test_arguments_out_of_range(video_files, arguments, text):
    with pytest.raises(ValueError, match=text):
        readers.make_dataset(
            _VIDEO, video_files, **({"batch_size": 4} | arguments)
        )


@pytest.mark.slow
@pytest.mark.parametrize("num_shards", [1, 2, 3])
def test_workers_share_the_files(video_files, num_shards):
    shards = [
        _collect(
            readers.make_dataset(
                _VIDEO,
                video_files,
                batch_size=4,
                num_shards=num_shards,
                shard_index=index,
            )
        )["id"].tolist()
        for index in range(num_shards)
    ]
    every = [one for shard in shards for one in shard]
    assert sorted(every) == [
        record_makers.video_id(index) for index in range(_NUM_VIDEOS)
    ]
    # Every num_shards-th file: of 9, 4 and 10 records.
    sizes = {1: [23], 2: [19, 4], 3: [9, 4, 10]}
    assert [len(shard) for shard in shards] == sizes[num_shards]


@pytest.mark.slow
def test_several_passes_are_those_of_their_epochs(frame_files):
    kwargs = {"batch_size": 4, "shuffle_buffer": 7, "seed": 3}
    found = _collect(
        readers.make_dataset(
            _RANDOM,
            frame_files,
            epoch=1,
            num_epochs=2,
            skip_examples=5,
            **kwargs,
        )
    )
    first = _collect(
        readers.make_dataset(
            _RANDOM, frame_files, epoch=1, skip_examples=5, **kwargs
        )
    )
    second = _collect(
        readers.make_dataset(_RANDOM, frame_files, epoch=2, **kwargs)
    )
    _assert_same(
        found,
        {key: np.concatenate([first[key], second[key]]) for key in first},
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num_epochs": 0}, "at least 1. Received: num_epochs=0"),
        ({"num_shards": 0}, "at least 1. Received: num_shards=0"),
        (
            {"num_shards": 2, "shard_index": 2},
            "from 0 to 1, below num_shards. Received: shard_index=2",
        ),
        (
            {"shard_index": -1},
            "from 0 to 0, below num_shards. Received: shard_index=-1",
        ),
        ({"num_shards": 4}, "number of files, 3. Received: num_shards=4"),
    ],
)
def test_passes_and_workers_out_of_range(video_files, arguments, text):
    with pytest.raises(ValueError, match=text):
        readers.make_dataset(_VIDEO, video_files, batch_size=4, **arguments)
