"""Tests of video-level records that are computed from frame-level ones."""

import dataclasses
import functools
import os
import re

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import small_records
import tiny_runs
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.inference import predictors
from yt8m_compact.run import train_dir as train_dir_lib

_SIZES = {"rgb": 6, "audio": 3}
_NAMES = ("mean_rgb", "mean_audio", "std_rgb", "std_audio")
_CONFIG = datasets.PoolConfig(
    feature_names=tuple(_SIZES),
    feature_sizes=tuple(_SIZES.values()),
    num_classes=10,
)


def _floats(codes: np.ndarray) -> np.ndarray:
    """The features of codes, by the starter code's Dequantize."""
    return codes.astype(np.float64) * (4 / 255) + (4 / 512 - 2)


def _parse(data: bytes) -> dict[str, tf.train.Feature]:
    return dict(tf.train.Example.FromString(data).features.feature)


def _read(path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def _write(folder, name, indices) -> list[bytes]:
    folder.mkdir(exist_ok=True)
    records = [record_makers.make_frame_example(i, i % 4 + 1) for i in indices]
    record_makers.write_tfrecord(folder / name, records)
    return records


@pytest.mark.parametrize("num_frames", [1, 2, 7, 310])
@pytest.mark.parametrize(
    ("make", "spec"),
    [
        (record_makers.make_frame_example, small_records.FRAMES),
        (record_makers.make_packed_example, small_records.PACKED),
    ],
)
def test_mean_and_standard_deviation_of_all_frames(make, spec, num_frames):
    pooled = _parse(
        datasets.pool_record(
            make(5, num_frames), spec, ("mean", "std", "length")
        )
    )
    assert sorted(pooled) == sorted([*_NAMES, "id", "labels", "length"])
    for number, (name, size) in enumerate(_SIZES.items()):
        frames = _floats(
            record_makers.frame_values(5, num_frames, size, number)
        )
        for statistic, expected in {
            "mean": frames.mean(axis=0),
            "std": frames.std(axis=0),
        }.items():
            found = pooled[f"{statistic}_{name}"].float_list.value
            # As near as float32 is.
            np.testing.assert_allclose(found, expected, rtol=1.2e-7, atol=1e-9)
    assert pooled["id"].bytes_list.value == [b"v00005"]
    expected = record_makers.video_labels(5, 10)
    assert pooled["labels"].int64_list.value == expected
    (length,) = pooled["length"].float_list.value
    assert length == pytest.approx(num_frames / 300)


def test_frames_that_are_almost_alike_keep_their_spread():
    # One code off in one of 300 frames: a difference of two squares in float32
    # would be noise.
    codes = np.full((300, 1), 250, np.uint8)
    codes[17] = 251
    record = record_makers.make_frame_example(
        feature_sizes={"rgb": 1}, frames={"rgb": [c.tobytes() for c in codes]}
    )
    spec = dataclasses.replace(
        small_records.FRAMES, feature_names=("rgb",), feature_sizes=(1,)
    )
    (found,) = _parse(datasets.pool_record(record, spec))[
        "std_rgb"
    ].float_list.value
    # Of 0, ..., 0, 1: sqrt(1/300 - 1/300^2).
    expected = np.sqrt(1 / 300 - 1 / 300**2) * 4 / 255
    assert found == pytest.approx(expected, rel=1e-6)


def test_frames_of_floats_become_codes_as_in_readers():
    # Inside, between codes, and outside of the codes' range.
    rgb = [[0.5, -1.3, 7.0], [0.25, 1.999, -7.0]]
    audio = [[0.1, 0.2], [-0.1, 0.4]]
    record = small_records.make_floats(rgb=rgb, audio=audio)
    pooled = _parse(datasets.pool_record(record, small_records.FLOATS))
    for name, values in (("RGB", rgb), ("AUDIO", audio)):
        codes = np.round((np.array(values) - (4 / 512 - 2)) * 255 / 4)
        frames = _floats(np.clip(codes, 0, 255))
        for statistic in ("mean", "std"):
            np.testing.assert_allclose(
                pooled[f"{statistic}_{name}/feature/floats"].float_list.value,
                getattr(frames, statistic)(axis=0),
                rtol=1.2e-7,
                atol=1e-9,
            )


def test_what_readers_of_frames_read_and_average():
    record = record_makers.make_frame_example(3, 4)
    reader = readers.FrameLevelReader(
        feature_names=("rgb", "audio"), feature_sizes=(6, 3), num_classes=10
    )
    batch = reader.parse(tf.constant([record]))
    codes = batch["frames"].numpy()[0, : int(batch["num_frames"][0])]
    pooled = datasets.pool_record(record, small_records.FRAMES)
    reader = readers.VideoLevelReader(
        feature_names=_NAMES, feature_sizes=(6, 3, 6, 3), num_classes=10
    )
    features = reader.parse(tf.constant([pooled]))["features"].numpy()[0]
    frames = _floats(codes)
    np.testing.assert_allclose(
        features,
        np.concatenate([frames.mean(axis=0), frames.std(axis=0)]),
        rtol=0,
        atol=3e-7,
    )


@pytest.mark.parametrize("labels", [None, [4, 9, 2]])
def test_labels_stay_as_they_are(labels):
    record = record_makers.make_frame_example(
        1, labels=labels, id_key="video_id"
    )
    pooled = _parse(datasets.pool_record(record, small_records.FRAMES))
    assert pooled["id"].bytes_list.value == [b"v00001"]
    if labels is None:
        assert "labels" not in pooled
    else:
        assert pooled["labels"].int64_list.value == labels


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no message", "here: unparsable: 10 bytes"),
        (
            record_makers.make_frame_example(1, 0),
            "here: no_frames: expected at least one frame",
        ),
        (
            record_makers.make_frame_example(1, id_key=None),
            "here: no_id: expected one id",
        ),
        (
            record_makers.make_frame_example(1, labels=[10]),
            "here: bad_label: expected labels from 0 to 9. Received: 10; set "
            "feature_names, feature_sizes and num_classes to those of the "
            "data, or leave such records out with on_data_error=skip",
        ),
        (
            record_makers.make_frame_example(1, feature_sizes={"rgb": 6}),
            "here: missing_feature: no 'audio'",
        ),
        (
            record_makers.make_packed_example(
                1, 2, feature_sizes={"rgb": 7, "audio": 3}
            ),
            "here: wrong_size: expected one value of a multiple of 6 bytes",
        ),
    ],
)
def test_what_cannot_be_pooled(data, message):
    with pytest.raises(readers.DataError, match=message):
        datasets.pool_record(data, small_records.FRAMES, where="here")


@pytest.mark.slow
def test_files(tmp_path):
    first = _write(tmp_path / "in", "a.tfrecord", range(5))
    second = _write(tmp_path / "in", "b.tfrecord", range(5, 7))
    pooled = datasets.pool_files(
        str(tmp_path / "in" / "*"), str(tmp_path / "out"), _CONFIG
    )
    assert pooled.feature_names == _NAMES
    assert pooled.feature_sizes == (6, 3, 6, 3)
    assert (pooled.left_out, pooled.skipped) == ((), ())
    counts = {name: entry.num_videos for name, entry in pooled.files.items()}
    assert counts == {"a.tfrecord": 5, "b.tfrecord": 2}
    make = functools.partial(datasets.pool_record, spec=small_records.FRAMES)
    assert _read(tmp_path / "out" / "a.tfrecord") == list(map(make, first))
    assert _read(tmp_path / "out" / "b.tfrecord") == list(map(make, second))
    # Their names and sizes are found, and the counts compared.
    report = datasets.verify_files(
        str(tmp_path / "out" / "*.tfrecord"), num_classes=10
    )
    assert report.good, report.to_text()
    assert report.spec.layout is datasets.Layout.VIDEO
    assert report.spec.feature_names == _NAMES
    assert report.spec.feature_sizes == (6, 3, 6, 3)
    stats = datasets.count_files(
        str(tmp_path / "out" / "*.tfrecord"), num_classes=10
    )
    assert stats.num_videos == 7


def test_names_and_sizes_are_found(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    config = dataclasses.replace(
        _CONFIG, feature_names=(), feature_sizes=(), statistics=("std",)
    )
    pooled = datasets.pool_files(
        str(tmp_path / "in" / "*"), str(tmp_path / "out"), config
    )
    assert pooled.feature_names == ("std_rgb", "std_audio")
    assert pooled.feature_sizes == (6, 3)


def test_what_codes_stand_for_is_pooled(tmp_path):
    message = tf.train.SequenceExample()
    message.context.feature["id"].bytes_list.value.append(b"a")
    for frame in ([0, 255], [51, 102], [255, 0]):
        step = message.feature_lists.feature_list["clip"].feature.add()
        step.bytes_list.value.append(bytes(frame))
    data = message.SerializeToString()
    (tmp_path / "in").mkdir()
    record_makers.write_tfrecord(tmp_path / "in" / "x.tfrecord", [data])
    said = datasets.RecordFeatures(
        feature_names=("clip",),
        feature_sizes=(2,),
        num_classes=4,
        min_quantized_value=(-5.0,),
        max_quantized_value=(15.0,),
        max_frames=3,
    )
    readers.write_features(f"{tmp_path}/in/{datasets.FEATURES_NAME}", said)
    output_dir = str(tmp_path / "out")
    datasets.pool_files(f"{tmp_path}/in/*.tfrecord", output_dir)
    (record,) = tf.data.TFRecordDataset(
        f"{output_dir}/x.tfrecord"
    ).as_numpy_iterator()
    features = tf.train.Example.FromString(record).features.feature
    # Code q stands for q * 20 / 255 + 20 / 512 - 5: the frames are 0 and 20,
    # 4 and 8, 20 and 0 above -4.9609375.
    frames = np.array([[0, 20], [4, 8], [20, 0]]) - 4.9609375
    for key, expected in (
        ("mean_clip", frames.mean(axis=0)),
        ("std_clip", frames.std(axis=0)),
    ):
        np.testing.assert_allclose(
            features[key].float_list.value, expected, rtol=1e-6
        )
    found = datasets.read_features(f"{output_dir}/{datasets.FEATURES_NAME}")
    assert found == datasets.RecordFeatures(
        level="video",
        feature_names=("mean_clip", "std_clip"),
        feature_sizes=(2, 2),
        num_classes=4,
    )
    # Records of which nothing is said would be taken for such.
    other = tmp_path / "other"
    other.mkdir()
    record_makers.write_tfrecord(other / "y.tfrecord", [data])
    config = datasets.PoolConfig(feature_names=("clip",), feature_sizes=(2,))
    with pytest.raises(ValueError, match="expected a folder without other rec"):
        datasets.pool_files(f"{other}/*.tfrecord", output_dir, config)
    assert not (tmp_path / "out" / "y.tfrecord").exists()


@pytest.mark.slow
def test_two_processes_give_the_same_files(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    _write(tmp_path / "in", "b.tfrecord", range(3, 5))
    folders = []
    for number in (1, 2):
        folder = tmp_path / f"out{number}"
        datasets.pool_files(
            str(tmp_path / "in" / "*"),
            str(folder),
            _CONFIG,
            num_processes=number,
        )
        folders.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert folders[0] == folders[1]
    assert len(folders[0]) == 3


@pytest.mark.slow
def test_the_same_call_continues_and_other_settings_are_refused(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(3))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    datasets.pool_files(*arguments, _CONFIG)
    done = tmp_path / "out" / "a.tfrecord"
    before = done.stat().st_mtime_ns
    _write(tmp_path / "in", "b.tfrecord", range(3, 5))
    pooled = datasets.pool_files(*arguments, _CONFIG)
    assert done.stat().st_mtime_ns == before
    assert [e.num_videos for e in pooled.files.values()] == [3, 2]
    other = dataclasses.replace(_CONFIG, statistics=("mean",))
    with pytest.raises(ValueError, match="gives with these settings, or no"):
        datasets.pool_files(*arguments, other)
    datasets.pool_files(*arguments, other, overwrite=True)
    assert sorted(_parse(_read(done)[0])) == [
        "id",
        "labels",
        "mean_audio",
        "mean_rgb",
    ]


def test_segments_and_other_keys_are_left_out_and_named(tmp_path):
    record = record_makers.make_frame_example(
        1, 12, segments=[(0, 3, 1.0), (5, 4, 0.0)]
    )
    message = tf.train.SequenceExample.FromString(record)
    message.context.feature["note"].bytes_list.value.append(b"a")
    message.feature_lists.feature_list["times"].feature.add()
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [message.SerializeToString()])
    pooled = datasets.pool_files(str(path), str(tmp_path / "out"), _CONFIG)
    assert pooled.left_out == (
        "note",
        "segment_end_times",
        "segment_labels",
        "segment_scores",
        "segment_start_times",
        "times",
    )
    text = datasets.describe_left_out(pooled.left_out)
    assert text.startswith("left out: note, segment_end_times, ")
    assert "ratings of segments are not kept" in text
    assert datasets.describe_left_out(["note"]) == "left out: note"
    (data,) = _read(tmp_path / "out" / "a.tfrecord")
    assert data == datasets.pool_record(
        record_makers.make_frame_example(1, 12), small_records.FRAMES
    )


@pytest.mark.slow
def test_a_damaged_or_wrong_record_stops_or_is_skipped(tmp_path):
    records = _write(tmp_path / "in", "a.tfrecord", range(4))
    wrong = record_makers.make_frame_example(9, 0)
    path = tmp_path / "in" / "a.tfrecord"
    record_makers.write_tfrecord(path, [records[0], wrong, *records[1:]])
    # A bit of the data of record 3, and the end of record 4.
    data = bytearray(path.read_bytes())
    starts = np.cumsum([0, *(len(r) + 16 for r in [records[0], wrong])])
    data[starts[2] + len(records[1]) + 16 + 20] ^= 1
    path.write_bytes(bytes(data[:-3]))
    _write(tmp_path / "in", "b.tfrecord", range(5, 7))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    with pytest.raises(
        readers.DataError,
        match=re.escape(f"{path}: record 1: no_frames: expected at least one"),
    ):
        datasets.pool_files(*arguments, _CONFIG)
    assert os.listdir(tmp_path / "out") == []
    config = dataclasses.replace(_CONFIG, on_data_error="skip")
    pooled = datasets.pool_files(*arguments, config)
    good = [records[0], records[1]]
    assert _read(tmp_path / "out" / "a.tfrecord") == [
        datasets.pool_record(record, small_records.FRAMES) for record in good
    ]
    assert [e.num_videos for e in pooled.files.values()] == [2, 2]
    (skipped,) = pooled.skipped
    assert skipped.file == str(path)
    assert skipped.num_records == 2
    assert skipped.num_bytes == len(records[3]) + 16 - 3
    assert "no_frames" in skipped.reason


@pytest.mark.slow
def test_a_file_without_a_good_record_gives_none(tmp_path):
    _write(tmp_path / "in", "a.tfrecord", range(2))
    bad = tmp_path / "in" / "b.tfrecord"
    _write(tmp_path / "in", "b.tfrecord", range(2, 4))
    arguments = str(tmp_path / "in" / "*"), str(tmp_path / "out")
    config = dataclasses.replace(_CONFIG, on_data_error="skip")
    datasets.pool_files(*arguments, config)
    record_makers.write_tfrecord(
        bad, [record_makers.make_frame_example(i, 0) for i in range(2)]
    )
    later = (tmp_path / "out" / "b.tfrecord").stat().st_mtime + 5
    os.utime(bad, (later, later))
    pooled = datasets.pool_files(*arguments, config)
    assert list(pooled.files) == ["a.tfrecord"]
    assert pooled.skipped[0].num_records == 2
    # Nor is there a file of what the input held before.
    assert sorted(os.listdir(tmp_path / "out")) == [
        "a.tfrecord",
        "yt8m_manifest.json",
    ]
    with pytest.raises(
        readers.DataError,
        match="at least one record that can be pooled. Received:\nfile .*\n-.*"
        "\n.*b.tfrecord +2 ",
    ):
        datasets.pool_files(str(bad), str(tmp_path / "other"), config)


def test_video_level_records_need_no_pooling(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [record_makers.make_video_example()])
    with pytest.raises(
        readers.DataError,
        match="a.tfrecord: expected features that come frame by frame. Receive"
        "d: video-level records, of mean_rgb, mean_audio, which need no",
    ):
        datasets.pool_files(str(path), str(tmp_path / "out"))
    record_makers.write_tfrecord(path, [b"no message"])
    with pytest.raises(readers.DataError, match="no record that can be parsed"):
        datasets.pool_files(str(path), str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"statistics": ("median",)}, "expected statistics to be one or"),
        (
            {"feature_names": ("rgb",), "feature_sizes": (1, 2)},
            "one size above",
        ),
        ({"feature_sizes": (1,)}, "at least one name"),
        ({"num_classes": 0}, "expected num_classes to be at least 1"),
        ({"on_data_error": "go on"}, "one of stop, skip"),
    ],
)
def test_wrong_settings_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        datasets.PoolConfig(**values)


def test_real_frames(tmp_path, shared_data):
    source = shared_data / "audioset" / "bal_train.tfrecord"
    records = list(
        tf.data.TFRecordDataset(str(source)).take(50).as_numpy_iterator()
    )
    path = record_makers.write_tfrecord(tmp_path / "a.tfrecord", records)
    config = datasets.PoolConfig(num_classes=527)
    pooled = datasets.pool_files(path, str(tmp_path / "out"), config)
    assert pooled.feature_names == (
        "mean_audio_embedding",
        "std_audio_embedding",
    )
    assert pooled.left_out == ("end_time_seconds", "start_time_seconds")
    found = _read(tmp_path / "out" / "a.tfrecord")
    for data, new in zip(records, found, strict=True):
        message = tf.train.SequenceExample.FromString(data)
        steps = message.feature_lists.feature_list["audio_embedding"].feature
        frames = _floats(
            np.array(
                [np.frombuffer(s.bytes_list.value[0], np.uint8) for s in steps]
            )
        )
        for statistic in ("mean", "std"):
            np.testing.assert_allclose(
                _parse(new)[f"{statistic}_audio_embedding"].float_list.value,
                getattr(frames, statistic)(axis=0),
                rtol=0,
                atol=2.5e-7,
            )


def test_released_means_are_what_pooling_gives(shared_data):
    """Finds frames whose means the released ones are, and pools them."""
    source = shared_data / "yt8m_2018_video" / "validate0000.tfrecord"
    spec = datasets.RecordSpec(
        datasets.Layout.PACKED, ("rgb", "audio"), (1024, 128), 3862
    )
    for data in tf.data.TFRecordDataset(str(source)).take(10):
        released = _parse(data.numpy())
        codes = {
            name: (
                np.array(released[f"mean_{name}"].float_list.value)
                - (4 / 512 - 2)
            )
            * (255 / 4)
            for name in spec.feature_names
        }
        # With so many frames, all sums are whole numbers.
        num_frames = next(
            n
            for n in range(1, 301)
            if all(
                np.abs(n * mean - np.round(n * mean)).max() < 0.01
                for mean in codes.values()
            )
        )
        assert num_frames >= 120  # Videos of YouTube-8M have two minutes.
        packed = {}
        for name, mean in codes.items():
            low, more = np.divmod(
                np.round(num_frames * mean).astype(int), num_frames
            )
            later = np.arange(num_frames)[:, np.newaxis] < more
            packed[name] = (low + later).astype(np.uint8).tobytes()
        pooled = _parse(
            datasets.pool_record(
                record_makers.make_packed_example(packed=packed), spec
            )
        )
        for name in spec.feature_names:
            np.testing.assert_allclose(
                pooled[f"mean_{name}"].float_list.value,
                released[f"mean_{name}"].float_list.value,
                rtol=0,
                atol=1.3e-7,
            )


@pytest.mark.slow
def test_models_train_on_what_was_pooled(tmp_path):
    frames = tiny_runs.write_frames(tmp_path / "frames", 12)
    config = dataclasses.replace(
        _CONFIG, statistics=("mean", "std", "length"), num_classes=5
    )
    pooled = datasets.pool_files(frames, str(tmp_path / "pooled"), config)
    pattern = str(tmp_path / "pooled" / "*.tfrecord")
    run = tiny_runs.video_config(pattern, max_steps=2, batch_size=6)
    run = dataclasses.replace(
        run,
        data=dataclasses.replace(
            run.data,
            feature_names=pooled.feature_names,
            feature_sizes=pooled.feature_sizes,
        ),
    )
    path = str(tmp_path / "run")
    assert training.train(run, path).step == 2
    before, after = (
        tiny_runs.weights_of(path, step)["classifier/kernel"] for step in (0, 2)
    )
    # Every value of every feature is looked at.
    assert before.shape == (2 * (6 + 3) + 1, 5)
    assert np.all(np.any(before != after, axis=1))
    _, model, _ = train_dir_lib.TrainDir(path).restore_model()
    (name, *_) = sorted(tf.io.gfile.glob(pattern))
    (record, *_) = _read(name)
    parsed = _parse(record)
    features = np.concatenate(
        [parsed[name].float_list.value for name in pooled.feature_names]
    )
    np.testing.assert_allclose(
        predictors.predictor_from_train_dir(path).predict(
            features=features[np.newaxis].astype(np.float32)
        )["predictions"],
        1
        / (
            1
            + np.exp(
                -features / np.linalg.norm(features) @ after.astype(np.float64)
                - model.get_layer("classifier").bias.numpy()
            )
        )[np.newaxis],
        rtol=1e-4,
    )
    # What is not there is named, with what is.
    with pytest.raises(
        readers.DataError,
        match="record 0: expected a feature named 'std_flow'. Received: none. "
        "Set feature_names to those of the data.*std_rgb",
    ):
        training.train(
            dataclasses.replace(
                run,
                data=dataclasses.replace(
                    run.data,
                    feature_names=("mean_rgb", "std_flow"),
                    feature_sizes=(6, 6),
                ),
            ),
            str(tmp_path / "other"),
        )
