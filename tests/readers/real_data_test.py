"""Real files, read and compared with an independent reading."""

import pathlib
import struct

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import readers

_SIZES_2018 = {"mean_rgb": 1024, "mean_audio": 128}


def _raw_records(file):
    """The records of a TFRecord file, by its framing alone."""
    data = pathlib.Path(file).read_bytes()
    records, offset = [], 0
    while offset < len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        records.append(data[offset + 12 : offset + 12 + length])
        offset += length + 16
    assert offset == len(data)
    return records


def _multi_hot(labels, num_classes):
    row = np.zeros(num_classes, np.float32)
    row[list(labels)] = 1
    return row


def _collect(reader, files, **arguments):
    """All videos by id."""
    dataset = readers.make_dataset(reader, files, **arguments)
    with readers.readable_errors():
        batches = list(dataset.as_numpy_iterator())
    videos = {}
    for batch in batches:
        for row, one in enumerate(batch["id"]):
            assert one not in videos
            videos[one] = {key: value[row] for key, value in batch.items()}
    return videos


def _assert_same_video(found, id_key, features, names, num_classes):
    """Compares a video with the map of features of its tf.train.Example."""
    assert found["id"] == features[id_key].bytes_list.value[0]
    expected = np.concatenate(
        [
            np.array(features[name].float_list.value, np.float32)
            for name in names
        ]
    )
    np.testing.assert_array_equal(found["features"], expected)
    labels = features["labels"].int64_list.value if "labels" in features else []
    np.testing.assert_array_equal(
        found["labels"], _multi_hot(labels, num_classes)
    )


@pytest.mark.slow
def test_whole_video_level_files_of_2018(shared_data):
    files = readers.expand_patterns(
        f"{shared_data}/yt8m_2018_video/validate000[0-3].tfrecord"
    )
    assert len(files) == 4
    reader = readers.VideoLevelReader()
    found = readers.check_format(files, reader, require_labels=True)
    assert found.id_key == "id"
    assert not found.frame_features
    videos = _collect(reader, files, batch_size=100, shuffle_buffer=500)
    records = [record for file in files for record in _raw_records(file)]
    assert len(videos) == len(records) > 1000
    for record in records:
        features = tf.train.Example.FromString(record).features.feature
        _assert_same_video(
            videos[features["id"].bytes_list.value[0]],
            "id",
            features,
            _SIZES_2018,
            3862,
        )


@pytest.mark.slow
def test_every_value_of_all_video_level_files_of_2018(shared_data):
    files = readers.expand_patterns(f"{shared_data}/yt8m_2018_video/*")
    reader = readers.VideoLevelReader()
    records = (record for file in files for record in _raw_records(file))
    num_videos = 0
    # With one reader, videos come in the order of the files.
    for batch in readers.make_dataset(
        reader, files, batch_size=1000, num_readers=1
    ).as_numpy_iterator():
        for row in range(len(batch["id"])):
            features = tf.train.Example.FromString(next(records))
            video = {key: value[row] for key, value in batch.items()}
            _assert_same_video(
                video, "id", features.features.feature, _SIZES_2018, 3862
            )
        num_videos += len(batch["id"])
    assert next(records, None) is None
    assert num_videos == 28792


@pytest.mark.slow
def test_all_video_level_files_of_2018(shared_data):
    files = readers.expand_patterns(f"{shared_data}/yt8m_2018_video/*")
    assert len(files) == 100
    ids, num_labels = [], 0.0
    low = high = 0.0
    with readers.readable_errors():
        for batch in readers.make_dataset(
            readers.VideoLevelReader(), files, batch_size=1024
        ).as_numpy_iterator():
            ids.extend(batch["id"])
            num_labels += batch["labels"].sum()
            low = min(low, batch["features"].min())
            high = max(high, batch["features"].max())
            assert batch["labels"].any(axis=1).all()
    # Both counts are those of the README beside the files.
    assert len(ids) == len(set(ids)) == 28792
    assert num_labels / len(ids) == pytest.approx(3.0, abs=0.05)
    assert -1.9921875 <= low < high <= 2.0078125


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number", "labeled"),
    [("validatea0", 368, True), ("testa0", 163, False)],
)
def test_video_level_files_of_2017(shared_data, name, number, labeled):
    files = [f"{shared_data}/yt8m_2017_video/{name}.tfrecord"]
    reader = readers.VideoLevelReader(num_classes=4716)
    found = readers.check_format(files, reader)
    assert found.id_key == "video_id"
    assert found.has_labels == labeled
    if not labeled:
        with pytest.raises(readers.DataError, match="expected labels, int64"):
            readers.check_format(files, reader, require_labels=True)
    videos = _collect(reader, files, batch_size=64)
    records = _raw_records(files[0])
    assert len(videos) == len(records) == number
    for record in records:
        features = tf.train.Example.FromString(record).features.feature
        assert ("labels" in features) == labeled
        _assert_same_video(
            videos[features["video_id"].bytes_list.value[0]],
            "video_id",
            features,
            _SIZES_2018,
            4716,
        )


def _audioset(**arguments):
    return readers.FrameLevelReader(
        ("audio_embedding",), (128,), 527, max_frames=10, **arguments
    )


@pytest.fixture(scope="module")
def audioset_file(shared_data):
    return f"{shared_data}/audioset/bal_train.tfrecord"


@pytest.fixture(scope="module")
def audioset(audioset_file):
    """`{id: (frames, labels)}`, by protobuf and NumPy."""
    videos = {}
    for record in _raw_records(audioset_file):
        example = tf.train.SequenceExample.FromString(record)
        context = example.context.feature
        steps = example.feature_lists.feature_list["audio_embedding"].feature
        frames = [
            np.frombuffer(step.bytes_list.value[0], np.uint8) for step in steps
        ]
        videos[context["video_id"].bytes_list.value[0]] = (
            np.stack(frames),
            _multi_hot(context["labels"].int64_list.value, 527),
        )
    return videos


@pytest.mark.slow
def test_whole_audioset_file(audioset_file, audioset):
    reader = _audioset()
    found = readers.check_format([audioset_file], reader, require_labels=True)
    assert found.id_key == "video_id"
    assert found.feature_keys == {"audio_embedding": (10, "128")}
    videos = _collect(reader, [audioset_file], batch_size=512)
    assert len(videos) == len(audioset) == 22160
    for one, (frames, labels) in audioset.items():
        video = videos[one]
        number = len(frames)
        assert video["num_frames"] == number
        np.testing.assert_array_equal(video["frames"][:number], frames)
        assert not video["frames"][number:].any()
        np.testing.assert_array_equal(video["labels"], labels)
    assert sum(len(frames) < 10 for frames, _ in audioset.values()) > 100


@pytest.mark.slow
@pytest.mark.parametrize("how", ["random", "sequence", "even"])
def test_sampled_audioset_file(audioset_file, audioset, how):
    reader = _audioset(frame_sampling=how, num_sampled_frames=6)
    videos = _collect(
        reader, [audioset_file], batch_size=512, batch_limit=8, seed=1
    )
    assert len(videos) == 4096
    for one, video in videos.items():
        frames, labels = audioset[one]
        number = 6 if how == "random" else min(6, len(frames))
        assert video["num_frames"] == number
        assert not video["frames"][number:].any()
        np.testing.assert_array_equal(video["labels"], labels)
        # Each frame chosen is one of the video's; its place, if it is alone.
        same = (video["frames"][:number, np.newaxis] == frames).all(axis=2)
        assert same.any(axis=1).all()
        if how == "even" and len(frames) == 10:
            # floor((i + 1/2) 10 / 6) = floor(.83 2.5 4.17 5.83 7.5 9.17)
            np.testing.assert_array_equal(
                video["frames"], frames[[0, 2, 4, 5, 7, 9]]
            )


def test_real_files_for_the_wrong_reader(shared_data, audioset_file):
    video_file = f"{shared_data}/yt8m_2018_video/validate0000.tfrecord"
    with pytest.raises(readers.DataError, match="frame_features=False"):
        readers.check_format([video_file], _audioset())
    with pytest.raises(readers.DataError, match="frame_features=True"):
        readers.check_format([audioset_file], readers.VideoLevelReader())
    with pytest.raises(readers.DataError, match="named 'rgb'. Received: none"):
        readers.check_format([audioset_file], readers.FrameLevelReader())
    with pytest.raises(readers.DataError, match="'mean_rgb' to be 1000 float"):
        readers.check_format(
            [video_file], readers.VideoLevelReader(feature_sizes=(1000, 128))
        )


@pytest.mark.slow
def test_too_few_classes_for_real_files(shared_data):
    file = f"{shared_data}/yt8m_2018_video/validate0000.tfrecord"
    with pytest.raises(
        readers.DataError,
        match=rf"^{file}: record \d+: expected labels from 0 to 99\. "
        r"Received: \d+",
    ):
        _collect(
            readers.VideoLevelReader(num_classes=100), [file], batch_size=10
        )


@pytest.mark.slow
def test_csv_for_records(shared_data):
    file = f"{shared_data}/audioset/class_labels_indices.csv"
    with pytest.raises(
        readers.DataError,
        match="a text file that starts with 'index,mid,display_name'",
    ):
        _collect(_audioset(), [file], batch_size=10)
