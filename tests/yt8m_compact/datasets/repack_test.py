"""Tests of packed records."""

import os

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets import manifest

_FEATURES = (("rgb", "audio"), (6, 3))


def _read(path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def _write(folder, name, indices) -> list[bytes]:
    folder.mkdir(exist_ok=True)
    records = [record_makers.make_frame_example(i, i % 4 + 1) for i in indices]
    record_makers.write_tfrecord(folder / name, records)
    return records


def _files(*args, **kwargs):
    repacked = datasets.repack_files(*args, **kwargs)
    assert repacked.left_out == ()
    return repacked.files


def test_frames_are_one_after_the_other():
    data = record_makers.make_frame_example(5, 4)
    packed = tf.train.Example.FromString(datasets.pack(data))
    features = packed.features.feature
    assert sorted(features) == ["audio", "id", "labels", "rgb"]
    for number, (name, size) in enumerate(zip(*_FEATURES, strict=True)):
        (value,) = features[name].bytes_list.value
        frames = np.frombuffer(value, np.uint8).reshape(4, size)
        expected = record_makers.frame_values(5, 4, size, number)
        np.testing.assert_array_equal(frames, expected)
    assert features["id"].bytes_list.value == [b"v00005"]
    expected = record_makers.video_labels(5, 10)
    assert features["labels"].int64_list.value == expected


def test_segments_and_other_keys_are_kept():
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1)
    )
    message.context.feature["segment_labels"].int64_list.value.extend([4, 4, 7])
    message.context.feature["segment_scores"].float_list.value.extend([0, 1, 1])
    message.context.feature["note"].bytes_list.value.extend([b"a", b""])
    data = message.SerializeToString(deterministic=True)
    packed = tf.train.Example.FromString(datasets.pack(data))
    for key in message.context.feature:
        assert packed.features.feature[key] == message.context.feature[key]


@pytest.mark.parametrize("num_frames", [0, 1, 7])
def test_unpack_inverts_pack(num_frames):
    data = record_makers.make_frame_example(3, num_frames)
    assert datasets.unpack(datasets.pack(data), *_FEATURES) == data


def test_real_records_come_back(shared_data):
    file = str(shared_data / "audioset" / "bal_train.tfrecord")
    for data in tf.data.TFRecordDataset(file).shard(100, 0).as_numpy_iterator():
        back = datasets.unpack(
            datasets.pack(data), ("audio_embedding",), (128,)
        )
        assert tf.train.SequenceExample.FromString(
            back
        ) == tf.train.SequenceExample.FromString(data)


def _float_frames() -> bytes:
    message = tf.train.SequenceExample()
    frames = message.feature_lists.feature_list["rgb"].feature
    frames.add().float_list.value.extend([1.0, 2.0])
    return message.SerializeToString()


def _with_times(index: int, kind: str = "int64_list") -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(index, 3)
    )
    for number in range(3):
        step = message.feature_lists.feature_list["times"].feature.add()
        getattr(step, kind).value.append(number)
    return message.SerializeToString()


@pytest.mark.parametrize("kind", ["int64_list", "float_list"])
def test_features_are_chosen(kind):
    packed = datasets.pack(_with_times(5, kind), feature_names=("rgb", "audio"))
    assert tf.train.Example.FromString(packed) == tf.train.Example.FromString(
        datasets.pack(record_makers.make_frame_example(5, 3))
    )
    only = datasets.pack(
        _with_times(5, kind), feature_names=("rgb",), feature_sizes=(6,)
    )
    assert sorted(tf.train.Example.FromString(only).features.feature) == [
        "id",
        "labels",
        "rgb",
    ]
    with pytest.raises(
        readers.DataError,
        match="here: expected the feature 'flow' frame by frame. Received: "
        "audio, rgb, times; set feature_names",
    ):
        datasets.pack(_with_times(5), "here", feature_names=("flow",))
    with pytest.raises(
        readers.DataError, match="'rgb', of 7. Received: frame 0 with 6 bytes"
    ):
        datasets.pack(
            _with_times(5), feature_names=("rgb",), feature_sizes=(7,)
        )


def test_what_is_left_out_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    record_makers.write_tfrecord(
        tmp_path / "in" / "a.tfrecord",
        [record_makers.make_frame_example(0, 3), _with_times(1)],
    )
    record_makers.write_tfrecord(
        tmp_path / "in" / "b.tfrecord", [_with_times(2)]
    )
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    with pytest.raises(
        readers.DataError, match="a.tfrecord: record 1: .*times"
    ):
        datasets.repack_files(*arguments)
    names = {"feature_names": ("rgb", "audio")}
    for _ in range(2):  # the second time from what is there
        repacked = datasets.repack_files(*arguments, **names)
        assert repacked.left_out == ("times",)
        assert [e.num_videos for e in repacked.files.values()] == [2, 1]
    # Other settings than those of the call that wrote what is there.
    with pytest.raises(ValueError, match="gives with these settings, or no"):
        datasets.repack_files(*arguments, feature_names=("rgb",))
    with pytest.raises(ValueError, match="one size above 0 for each feature"):
        datasets.repack_files(*arguments, **names, unpacking=True)
    with pytest.raises(ValueError, match="at least one name"):
        datasets.repack_files(*arguments, feature_sizes=(6,))


def _same_key() -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1)
    )
    message.context.feature["rgb"].bytes_list.value.append(b"x")
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no message", "here: expected a tf.train.SequenceExample with"),
        (
            record_makers.make_video_example(),
            "here: expected a tf.train.SequenceExample with",
        ),
        (
            record_makers.make_frame_example(1, frames={"rgb": [b"ab", b"a"]}),
            "in each frame of 'rgb', all.*frame 1 with 1 bytes",
        ),
        (
            _float_frames(),
            r"frame 0 with 2 values \(float_list\); `yt8m-data convert` quan"
            "tises floats$",
        ),
        (
            _with_times(1),
            r"'times', all equally long. Received: frame 0 with 1 values \(int"
            r"64_list\); only codes .*; feature_names=audio,rgb chooses what "
            "is packed and leaves out 'times'$",
        ),
        (
            record_makers.make_video_example(1),
            "frame by frame. Received: a record without any; video-level and",
        ),
        (
            _same_key(),
            "expected another name for 'rgb'.*Received: 'rgb' among these",
        ),
    ],
)
def test_what_cannot_be_packed(data, message):
    with pytest.raises(readers.DataError, match=message):
        datasets.pack(data, "here")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            record_makers.make_frame_example(1),
            "here: expected a packed tf.train.Example. Received: features that "
            "come frame by frame$",
        ),
        (
            datasets.pack(
                record_makers.make_frame_example(1, feature_sizes={"rgb": 6})
            ),
            r"here: expected 'audio' to be one value.*values of \[\] bytes, "
            "keys=id,labels,rgb",
        ),
        (
            datasets.pack(
                record_makers.make_frame_example(
                    1, 1, feature_sizes={"rgb": 7, "audio": 3}
                )
            ),
            r"'rgb' to be one value of a multiple of 6 .*values of \[7\] bytes",
        ),
    ],
)
def test_what_cannot_be_unpacked(data, message):
    with pytest.raises(readers.DataError, match=message):
        datasets.unpack(data, *_FEATURES, "here")


def test_files_and_back(tmp_path):
    first = _write(tmp_path / "in", "a.tfrecord", range(5))
    second = _write(tmp_path / "in", "b.tfrecord", range(5, 7))
    counts = _files(str(tmp_path / "in" / "*"), str(tmp_path / "packed"))
    assert {name: entry.num_videos for name, entry in counts.items()} == {
        "a.tfrecord": 5,
        "b.tfrecord": 2,
    }
    packed = _read(tmp_path / "packed" / "a.tfrecord")
    assert packed == [datasets.pack(data) for data in first]
    datasets.repack_files(
        str(tmp_path / "packed" / "*.tfrecord"),
        str(tmp_path / "back"),
        feature_names=_FEATURES[0],
        feature_sizes=_FEATURES[1],
        unpacking=True,
    )
    assert _read(tmp_path / "back" / "a.tfrecord") == first
    assert _read(tmp_path / "back" / "b.tfrecord") == second
    # The manifest is one that `verify` compares with.
    report = datasets.verify_files(
        str(tmp_path / "packed" / "*.tfrecord"),
        feature_names=_FEATURES[0],
        feature_sizes=_FEATURES[1],
        num_classes=10,
    )
    assert report.good, report.to_text()
    assert report.spec.layout is datasets.Layout.PACKED


def test_the_same_call_continues(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    datasets.repack_files(*arguments)
    done = tmp_path / "out" / "a.tfrecord"
    before = done.stat().st_mtime_ns
    second = _write(tmp_path / "in", "b.tfrecord", range(3, 5))
    counts = _files(*arguments)
    assert done.stat().st_mtime_ns == before
    assert _read(tmp_path / "out" / "b.tfrecord") == list(
        map(datasets.pack, second)
    )
    assert {name: entry.num_videos for name, entry in counts.items()} == {
        "a.tfrecord": 3,
        "b.tfrecord": 2,
    }
    datasets.repack_files(*arguments, overwrite=True)
    assert done.stat().st_mtime_ns > before


def test_an_input_that_changed_since_is_packed_again(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    datasets.repack_files(*arguments)
    records = _write(tmp_path / "in", "a.tfrecord", range(7, 9))
    later = (tmp_path / "out" / "a.tfrecord").stat().st_mtime + 5
    os.utime(tmp_path / "in" / "a.tfrecord", (later, later))
    datasets.repack_files(*arguments)
    expected = [datasets.pack(data) for data in records]
    assert _read(tmp_path / "out" / "a.tfrecord") == expected


def test_a_finished_file_that_the_manifest_lacks_is_looked_at(tmp_path):
    records = _write(tmp_path / "in", "a.tfrecord", range(3))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    datasets.repack_files(*arguments)
    done, listed = (
        tmp_path / "out" / "a.tfrecord",
        (tmp_path / "out" / manifest.MANIFEST_NAME),
    )
    before = done.stat().st_mtime_ns
    listed.unlink()
    counts = _files(*arguments)
    assert counts["a.tfrecord"].num_videos == 3
    assert done.stat().st_mtime_ns == before
    packed = [datasets.pack(data) for data in records]
    for wrong, message in (
        (records, "Received: other records"),
        (packed[:2], "Received: other records"),
        ([*packed, packed[0]], "Received: other records"),
    ):
        listed.unlink()
        record_makers.write_tfrecord(done, wrong)
        with pytest.raises(ValueError, match=message):
            datasets.repack_files(*arguments)
        manifest.write_manifest(
            str(listed), {"a.tfrecord": manifest.Expected(3, 1)}
        )
        with pytest.raises(ValueError, match="that an earlier call wrote"):
            datasets.repack_files(*arguments)


def test_a_damaged_input_leaves_no_output(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    path = tmp_path / "in" / "a.tfrecord"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(readers.DataError, match=f"{path}: record 2"):
        datasets.repack_files(str(path), str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_the_input_is_never_replaced(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.repack_files(
            str(tmp_path / "in" / "*"), str(tmp_path / "in"), overwrite=True
        )
