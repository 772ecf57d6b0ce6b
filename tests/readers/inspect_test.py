"""Tests of the look at a file before a run."""

import dataclasses
import gzip
import pathlib

import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers

_VIDEO = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
_FRAMES = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10)
_VIDEO_HOLDS = (
    "The record holds 'id' (bytes x 1), 'labels' (int64 x 1), 'mean_audio' "
    "(float x 3), 'mean_rgb' (float x 6)."
)
_FRAMES_HOLD = (
    "The record holds 'id' (bytes x 1), 'labels' (int64 x 1), and frame by "
    "frame 'audio' (5 frames of 3 bytes), 'rgb' (5 frames of 6 bytes)."
)


@pytest.fixture
def write(tmp_path):
    def write_records(*records):
        return record_makers.write_tfrecord(tmp_path / "a.tfrecord", records)

    return write_records


def _error(file, reader, **arguments):
    with pytest.raises(readers.DataError) as raised:
        readers.check_format([file], reader, **arguments)
    return str(raised.value)


def test_video_level_file(write):
    file = write(record_makers.make_video_example(2, id_key="video_id"))
    found = readers.inspect_file(file)
    assert found == readers.RecordFormat(
        file=file,
        frame_features=False,
        id_key="video_id",
        context_keys={
            "labels": ("int64", 3),
            "mean_audio": ("float", 3),
            "mean_rgb": ("float", 6),
            "video_id": ("bytes", 1),
        },
        feature_keys={},
    )
    assert found.has_labels
    assert readers.check_format([file], _VIDEO, require_labels=True) == found


def test_frame_level_file(write):
    file = write(record_makers.make_frame_example(0, 7, labels=None))
    found = readers.inspect_file(file)
    assert found.frame_features
    assert found.id_key == "id"
    assert found.context_keys == {"id": ("bytes", 1)}
    assert found.feature_keys == {"audio": (7, "3"), "rgb": (7, "6")}
    assert not found.has_labels
    assert readers.check_format([file], _FRAMES) == found


def test_only_the_first_record_is_looked_at(write):
    file = write(record_makers.make_video_example(0), b"anything")
    readers.check_format([file, "no such file"], _VIDEO)


def test_frame_level_file_for_a_video_level_reader(write):
    file = write(record_makers.make_frame_example())
    assert _error(file, _VIDEO) == (
        f"{file}: record 0: expected video-level features. Received: features "
        "that come frame by frame. Use the frame-level reader "
        "(frame_features=True) and a model of frames, or pool the frames by "
        f"`yt8m-data pool`. {_FRAMES_HOLD}"
    )


def test_video_level_file_for_a_frame_level_reader(write):
    file = write(record_makers.make_video_example())
    assert _error(file, _FRAMES) == (
        f"{file}: record 0: expected features that come frame by frame. "
        "Received: video-level features. Use the video-level reader "
        "(frame_features=False) and a model of such features, or files that "
        f"have frames. {_VIDEO_HOLDS}"
    )


@pytest.mark.parametrize(
    ("reader", "make", "holds"),
    [
        (_VIDEO, record_makers.make_video_example, _VIDEO_HOLDS),
        (_FRAMES, record_makers.make_frame_example, _FRAMES_HOLD),
    ],
)
def test_missing_feature(write, reader, make, holds):
    wrong = type(reader)(("speech",), (6,), 10)
    file = write(make())
    assert _error(file, wrong) == (
        f"{file}: record 0: expected a feature named 'speech'. Received: none. "
        f"Set feature_names to those of the data. {holds}"
    )


def test_wrong_size_at_video_level(write):
    file = write(record_makers.make_video_example())
    wrong = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 4), 10)
    assert _error(file, wrong) == (
        f"{file}: record 0: expected the feature 'mean_audio' to be 4 float "
        "values. Received: 3 float values. Set feature_names and feature_sizes "
        "to those of the data. " + _VIDEO_HOLDS
    )


def test_wrong_size_at_frame_level(write):
    file = write(record_makers.make_frame_example())
    wrong = readers.FrameLevelReader(("rgb", "audio"), (5, 3), 10)
    assert _error(file, wrong) == (
        f"{file}: record 0: expected the feature 'rgb' to be 5 bytes (8-bit "
        "codes) in every frame. Received: 6 bytes. Set feature_names and "
        f"feature_sizes to those of the data. {_FRAMES_HOLD}"
    )


def test_sizes_that_differ_between_frames(write):
    file = write(
        record_makers.make_frame_example(frames={"rgb": [b"abcdef", b"abc"]})
    )
    assert "'rgb' (2 frames of 3 to 6 bytes)" in _error(file, _FRAMES)


def test_feature_of_another_kind(write):
    file = write(record_makers.make_video_example())
    text = _error(file, readers.VideoLevelReader(("labels",), (1,), 10))
    assert (
        "expected the feature 'labels' to be 1 float values. Received: 1 int64 "
        "values. Set "
    ) in text
    assert "'labels' (int64 x 1)" in text


def test_feature_without_a_value(write):
    example = tf.train.Example.FromString(record_makers.make_video_example())
    example.features.feature["mean_rgb"].Clear()
    text = _error(write(example.SerializeToString()), _VIDEO)
    assert (
        "expected the feature 'mean_rgb' to be 6 float values. Received: none. "
    ) in text
    assert "'mean_rgb' (empty x 0)" in text


def test_missing_id(write):
    file = write(record_makers.make_video_example(id_key=None))
    assert _error(file, _VIDEO) == (
        f"{file}: record 0: expected an id, one bytes value under the key 'id' "
        "or 'video_id'. Received: none. Write the records with one. The record "
        "holds 'labels' (int64 x 1), 'mean_audio' (float x 3), 'mean_rgb' "
        "(float x 6)."
    )


def test_id_of_another_kind(write):
    example = tf.train.Example.FromString(record_makers.make_video_example())
    example.features.feature["id"].int64_list.value.append(3)
    text = _error(write(example.SerializeToString()), _VIDEO)
    assert "expected an id, one bytes value" in text
    assert "'id' (int64 x 1)" in text


def test_missing_labels_matter_only_if_required(write):
    file = write(record_makers.make_video_example(labels=None))
    readers.check_format([file], _VIDEO)
    text = _error(file, _VIDEO, require_labels=True)
    assert text.startswith(
        f"{file}: record 0: expected labels, int64 values under the key "
        "'labels'. Received: none. Use files of a split that has labels"
    )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"index,mid,name",
            "The record (14 bytes, starting b'index,mid,name') is neither",
        ),
        (b"", "The record is empty (0 bytes)."),
    ],
)
def test_foreign_record(write, data, reason):
    file = write(data)
    text = _error(file, _VIDEO)
    assert text.startswith(
        f"{file}: record 0: expected a tf.train.Example or a "
        "tf.train.SequenceExample. Received: neither. Use files of "
        "YouTube-8M's format. "
    )
    assert reason in text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"index,mid\n0,/m/09x0r\n",
            "a text file that starts with 'index,mid'",
        ),
        (b"<html>404</html>", "a web page"),
        (gzip.compress(b"x" * 99, mtime=0), "compressed with gzip"),
        (b"", "The file is empty (0 bytes)."),
        (b"\x05" + b"\0" * 9, "starts with 12 bytes and 10 are left"),
    ],
)
def test_foreign_file(tmp_path, content, reason):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(content)
    text = _error(str(path), _VIDEO)
    assert text.startswith(
        f"{path}: record 0 can't be read: expected a TFRecord file, complete "
        "and not compressed. Received: another file. Download or write it "
        "again, or leave it out. "
    )
    assert reason in text


def test_missing_file(tmp_path):
    text = _error(f"{tmp_path}/gone", _VIDEO)
    assert "record 0 can't be read" in text
    assert "The file is missing: " in text


@pytest.mark.parametrize("files", [[], "a.tfrecord"])
def test_no_list_of_files(files):
    with pytest.raises(
        ValueError, match="a list of at least one file name. Received: files="
    ):
        readers.check_format(files, _VIDEO)


def _write_said(folder, make, name, size, **said):
    folder.mkdir()
    record_makers.write_tfrecord(
        folder / "x.tfrecord", [make(0, feature_sizes={name: size})]
    )
    features = readers.RecordFeatures(
        feature_names=(name,), feature_sizes=(size,), **said
    )
    readers.place_features(str(folder), features)
    return str(folder / "x.tfrecord")


def test_folders_of_other_features_are_named(tmp_path):
    video = record_makers.make_video_example
    kind = {"level": "video"}
    one = _write_said(tmp_path / "one", video, "clip", 4, **kind)
    same = _write_said(tmp_path / "same", video, "clip", 4, **kind)
    size = _write_said(tmp_path / "size", video, "clip", 6, **kind)
    name = _write_said(tmp_path / "name", video, "sound", 4, **kind)
    frames = _write_said(
        tmp_path / "frames", record_makers.make_frame_example, "clip", 4
    )
    usual = _write_said(tmp_path / "usual", video, "mean_rgb", 6, **kind)
    (tmp_path / "usual" / readers.FEATURES_NAME).unlink()
    reader = readers.VideoLevelReader(("clip",), (4,))
    readers.check_format([one, same], reader)
    said = f", as {tmp_path}/one/yt8m_features.json says of others. Received: "
    do = (
        "name files of one kind in a call, or write these by `yt8m-data "
        f"convert --features_file={tmp_path}/one/yt8m_features.json`. The rec"
    )
    for file, expected, received, own in (
        (
            size,
            "expected the feature 'clip' to be 4 float values",
            "6 float values. ",
            f"{tmp_path}/size/yt8m_features.json says clip (6)",
        ),
        (
            name,
            "expected a feature named 'clip'",
            "none. ",
            f"{tmp_path}/name/yt8m_features.json says sound (4)",
        ),
        (
            frames,
            "expected video-level features",
            "features that come frame by frame. ",
            f"{tmp_path}/frames/yt8m_features.json says clip (4)",
        ),
        (
            usual,
            "expected a feature named 'clip'",
            "none. ",
            "nothing is said",
        ),
    ):
        text = (
            f"{file}: record 0: {expected}{said}{received}Beside this file "
            f"{own}: {do}"
        )
        # Wherever the others are, first, last or not among those read.
        for files, others in (
            ([one, file], ()),
            ([file, one], ()),
            ([file], [one]),
        ):
            with pytest.raises(readers.DataError) as raised:
                readers.check_format(files, reader, others=others)
            assert str(raised.value).startswith(text)
        # What does not fit is left out there, record by record.
        readers.check_format([one, file], reader, skipped=readers.SkippedData())
    # Damage is told where it is read.
    empty = tmp_path / "empty" / "x.tfrecord"
    empty.parent.mkdir()
    empty.touch()
    readers.check_format([one, str(empty)], reader)


def test_frames_are_expected_as_others_are(tmp_path):
    frames = _write_said(
        tmp_path / "frames", record_makers.make_frame_example, "clip", 4
    )
    video = _write_said(
        tmp_path / "v",
        record_makers.make_video_example,
        "clip",
        4,
        level="video",
    )
    reader = readers.FrameLevelReader(("clip",), (4,))
    with pytest.raises(
        readers.DataError,
        match="v/x.tfrecord: record 0: expected features that come frame by "
        "frame, as .*/frames/yt8m_features.json says of others. Received: "
        "video-level features. Beside this file .*/v/yt8m_features.json says",
    ):
        readers.check_format([frames, video], reader)


def test_skipping_looks_behind_a_bad_first_record(tmp_path, write):
    file = write(
        *(record_makers.make_video_example(number) for number in range(2)),
        record_makers.make_frame_example(2),
    )
    flipped = bytearray(pathlib.Path(file).read_bytes())
    flipped[20] ^= 1
    pathlib.Path(file).write_bytes(flipped)
    empty = tmp_path / "empty.tfrecord"
    empty.touch()
    skipped = readers.SkippedData()
    files = [str(empty), file]
    found = readers.check_format(files, _VIDEO, skipped=skipped)
    assert (found.file, found.frame_features) == (file, False)
    message = _error(file, _FRAMES, skipped=skipped)
    assert message.startswith(f"{file}: record 1: expected features that come")
    # A record that does not parse is stepped over too.
    file = write(b"\x0a\x05hello", b"xyz", record_makers.make_video_example(2))
    readers.check_format([file], _VIDEO, skipped=skipped)
    message = _error(file, _FRAMES, skipped=skipped)
    assert message.startswith(f"{file}: record 2: expected features that come")
    assert "record 0: expected a tf.train.Example" in _error(file, _VIDEO)


def test_labels_of_all_segments_are_not_asked_for(write):
    file = write(record_makers.make_frame_example(2, labels=None))
    reader = dataclasses.replace(
        _FRAMES, parts="all_segments", with_labels=False
    )
    readers.check_format([file], reader)
    rated = dataclasses.replace(_FRAMES, parts="segments")
    assert "expected rated segments" in _error(file, rated)
