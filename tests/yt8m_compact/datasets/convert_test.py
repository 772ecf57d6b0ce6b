"""Tests of converting features from MediaPipe."""

import math

import numpy as np
import pytest
import tensorflow as tf

import converted
import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets import record_writer

_CONFIG = {
    "feature_sizes": (6, 3),
    "num_classes": 10,
}
_SOURCES = {"RGB/feature/floats": 6, "AUDIO/feature/floats": 3}


def _values(index: int, num_frames: int, source: str) -> np.ndarray:
    rng = np.random.default_rng([index, len(source)])
    shape = num_frames, _SOURCES[source]
    return rng.uniform(-1.9, 1.9, shape).astype(np.float32)


def _features(index: int, context=None, **num_frames: int) -> bytes:
    """Makes what MediaPipe's graph writes for a video."""
    message = tf.train.SequenceExample()
    for key, value in (context or {}).items():
        message.context.feature[key].bytes_list.value.append(value)
    for source in _SOURCES:
        number = num_frames.get(source.split("/")[0], 4)
        if number is None:
            continue
        frames = message.feature_lists.feature_list[source].feature
        for values in _values(index, number, source):
            frames.add().float_list.value.extend(values)
        # MediaPipe keeps their times too.
        name = source.replace("floats", "timestamp")
        times = message.feature_lists.feature_list[name].feature
        for second in range(number):
            times.add().int64_list.value.append(second * 1_000_000)
    return message.SerializeToString()


def _convert(folder, pattern, labels=None, **kwargs):
    config = datasets.ConvertConfig(**(_CONFIG | kwargs))
    return datasets.convert_files(
        str(pattern), str(folder), config, labels=labels
    )


def _read(folder) -> dict[str, tf.train.SequenceExample]:
    found = {}
    for path in sorted(folder.glob("*.tfrecord")):
        for data in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            message = tf.train.SequenceExample.FromString(data)
            key = message.context.feature["id"].bytes_list.value[0].decode()
            assert key not in found
            found[key] = message
    return found


def _codes(values: np.ndarray) -> np.ndarray:
    # The nearest of x = q * 4/255 + 4/512 - 2.
    codes = (values.astype(np.float64) - 4 / 512 + 2) * 255 / 4
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)


def test_pb_files_with_labels(tmp_path):
    for index, name in enumerate(["cat", "dog", "emu"]):
        (tmp_path / f"{name}.pb").write_bytes(_features(index))
    labels = {"cat": (3,), "emu": (1, 7), "yak": (2,)}
    report = _convert(tmp_path / "out", tmp_path / "*.pb", labels)
    assert report.num_written == 2
    assert report.without_labels == ["dog"]
    assert report.without_features == ["yak"]
    path = str(tmp_path / "out" / "videos-00000-of-00001.tfrecord")
    assert report.files == {path: 2}
    text = report.to_text(datasets.ConvertConfig())
    assert "1 videos without labels, left out: dog" in text
    assert "1 labels without features, left out: yak" in text
    found = _read(tmp_path / "out")
    assert sorted(found) == ["cat", "emu"]
    for name, index in (("cat", 0), ("emu", 2)):
        context = found[name].context.feature
        assert tuple(context["labels"].int64_list.value) == labels[name]
        lists = found[name].feature_lists.feature_list
        assert sorted(lists) == ["audio", "rgb"]
        for key, source in zip(("rgb", "audio"), _SOURCES, strict=True):
            frames = b"".join(
                step.bytes_list.value[0] for step in lists[key].feature
            )
            codes = np.frombuffer(frames, np.uint8).reshape(4, -1)
            expected = _codes(_values(index, 4, source))
            np.testing.assert_array_equal(codes, expected)


@pytest.mark.slow
def test_the_reader_reads_what_is_written(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(5))
    _convert(tmp_path / "out", tmp_path / "*.pb", {"cat": (3,)})
    reader = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10, 5)
    files = readers.expand_patterns(str(tmp_path / "out" / "*.tfrecord"))
    (batch,) = readers.make_dataset(reader, files, batch_size=2)
    assert batch["id"].numpy().tolist() == [b"cat"]
    assert batch["num_frames"].numpy().tolist() == [4]
    values = [_codes(_values(5, 4, source)) for source in _SOURCES]
    np.testing.assert_array_equal(
        batch["frames"][0, :4], np.concatenate(values, axis=1)
    )


def test_ids_of_records(tmp_path):
    contexts = [
        {"id": b"one"},
        {"video_id": b"two"},
        {"example/id": b"three", "clip/data_path": b"/x/other.mp4"},
        {"clip/data_path": b"/videos/four.mp4"},
    ]
    record_makers.write_tfrecord(
        tmp_path / "all.tfrecord",
        [_features(i, context) for i, context in enumerate(contexts)],
    )
    report = _convert(tmp_path / "out", tmp_path / "all.tfrecord")
    assert report.num_written == 4
    found = _read(tmp_path / "out")
    assert sorted(found) == ["four", "one", "three", "two"]
    # No labels were asked for: there is no such key.
    assert "labels" not in found["one"].context.feature


def test_videos_without_labels_are_kept_on_request(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / f"{name}.pb").write_bytes(_features(1))
    report = _convert(
        tmp_path / "out", tmp_path / "*.pb", {"cat": (3,)}, keep_unlabelled=True
    )
    assert report.without_labels == ["dog"]
    found = _read(tmp_path / "out")
    assert "labels" in found["cat"].context.feature
    assert "labels" not in found["dog"].context.feature


def test_the_shortest_feature_decides(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1, RGB=5, AUDIO=3))
    report = _convert(tmp_path / "out", tmp_path / "*.pb")
    assert report.shortened == ["cat"]
    lists = _read(tmp_path / "out")["cat"].feature_lists.feature_list
    assert [len(lists[name].feature) for name in ("rgb", "audio")] == [3, 3]


def test_a_missing_feature(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1, AUDIO=None))
    with pytest.raises(
        readers.DataError,
        match=r"cat.pb: expected frames of .*RGB/feature/floats,RGB/feature/ti"
        ".*; set fill_missing to fill",
    ):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    assert not (tmp_path / "out").exists()
    report = _convert(tmp_path / "out", tmp_path / "*.pb", fill_missing=True)
    assert report.filled == ["cat"]
    lists = _read(tmp_path / "out")["cat"].feature_lists.feature_list
    codes = [step.bytes_list.value[0] for step in lists["audio"].feature]
    # (0 + 2 - 4/512) * 255/4 = 127.002: the code nearest to zero.
    assert codes == [bytes([127] * 3)] * 4
    assert "1 videos lacked a feature, which is zeros now: cat" in (
        report.to_text(datasets.ConvertConfig())
    )


def test_only_one_feature_and_packed_shards(tmp_path):
    for index in range(5):
        (tmp_path / f"v{index}.pb").write_bytes(_features(index, RGB=index + 1))
    report = _convert(
        tmp_path / "out",
        tmp_path / "*.pb",
        source_features=("RGB/feature/floats",),
        feature_names=("pictures",),
        feature_sizes=(6,),
        packed=True,
        num_shards=2,
    )
    assert list(report.files.values()) == [3, 2]
    stats = datasets.count_files(
        str(tmp_path / "out" / "*.tfrecord"),
        feature_names=("pictures",),
        feature_sizes=(6,),
    )
    assert stats.frames_per_video == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}


def test_clipped_values_are_counted(tmp_path):
    message = tf.train.SequenceExample.FromString(_features(1))
    frames = message.feature_lists.feature_list["RGB/feature/floats"].feature
    frames[1].float_list.value[2] = 2.5
    frames[3].float_list.value[0] = -9.0
    (tmp_path / "cat.pb").write_bytes(message.SerializeToString())
    report = _convert(tmp_path / "out", tmp_path / "*.pb")
    assert (report.num_clipped, report.num_values) == (2, 4 * 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([1.0] * 5, "expected 6 floats of 'RGB/feature/floats'.*: 5, 6"),
        ([math.nan] * 6, "expected finite values of 'RGB/feature/floats'"),
    ],
)
def test_wrong_values(tmp_path, change, message):
    data = tf.train.SequenceExample.FromString(_features(1))
    frames = data.feature_lists.feature_list["RGB/feature/floats"].feature
    del frames[2].float_list.value[:]
    frames[2].float_list.value.extend(change)
    (tmp_path / "cat.pb").write_bytes(data.SerializeToString())
    with pytest.raises(readers.DataError, match=f"cat.pb: {message}"):
        _convert(tmp_path / "out", tmp_path / "*.pb")


def test_what_is_no_video(tmp_path):
    (tmp_path / "cat.pb").write_bytes(b"junk")
    with pytest.raises(readers.DataError, match="cat.pb: expected a tf.train"):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [_features(1)])
    with pytest.raises(readers.DataError, match="record 0: expected an id"):
        _convert(tmp_path / "out", path)
    record_makers.write_tfrecord(path, [_features(1, {"id": b"a"})] * 2)
    with pytest.raises(ValueError, match="record 1: expected every id once"):
        _convert(tmp_path / "out", path)


def test_ids_that_do_not_meet(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1))
    with pytest.raises(ValueError, match="of 1 videos to be.*such as 'cat'"):
        _convert(tmp_path / "out", tmp_path / "*.pb", {"CAT": (1,)})
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1))
    _convert(tmp_path / "out", tmp_path / "*.pb")
    with pytest.raises(
        ValueError, match="exist yet. Received: a file that is there"
    ):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    config = datasets.ConvertConfig(**_CONFIG)
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.convert_files(
            str(tmp_path / "out" / "*.tfrecord"),
            str(tmp_path / "out"),
            config,
            overwrite=True,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"feature_names": ("a", "b"), "source_features": ("rgb",)},
            "as many source_features as",
        ),
        (
            {"feature_names": ("rgb",), "feature_sizes": (1, 2)},
            "one size above 0 for each feature",
        ),
        ({"num_shards": 0}, "expected num_shards to be at least 1"),
        ({"num_classes": 0}, "expected num_classes to be at least 1"),
        (
            {
                "feature_names": ("a", "b"),
                "frame_rates": (1.0,),
                "align": "mean",
            },
            "as many frame_rates as",
        ),
        ({"frame_rates": (1.0, 2.0)}, "frame_rates above 0, with align 'nea"),
        (
            {"frame_rates": (1.0, 0.0), "align": "nearest"},
            "frame_rates above 0, with align 'nearest' or 'mean'",
        ),
        ({"level": "video", "align": "mean"}, "expected no align where level"),
        ({"level": "video", "packed": True}, "expected no packed where there"),
        ({"float_frames": True, "find_range": True}, "expected no find_range"),
        (
            {"float_frames": True, "min_quantized_value": (0.0,)},
            "expected no min_quantized_value or max_quantized_value where",
        ),
        (
            {"max_quantized_value": (4.0,), "find_range": True},
            "expected find_range, or min_quantized_value",
        ),
        ({"max_quantized_value": (-2.0,)}, "expected max_quantized_value abo"),
        (
            {"feature_names": ("a", "b"), "min_quantized_value": (0.0,) * 3},
            "one number, or 2, one for each",
        ),
        ({"find_classes": True, "num_classes": 3}, "no num_classes with find"),
        ({"level": "video", "padding": "nan"}, "expected no padding and no fr"),
        ({"level": "video", "frame_order": "t"}, "expected no padding and no"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.ConvertConfig(**arguments)


def _write_arrays(folder, **arrays):
    np.savez(folder / "cat.npz", **arrays)


def test_a_dry_run_writes_nothing(tmp_path):
    _write_arrays(tmp_path, rgb=_values(1, 4, "RGB/feature/floats"))
    arguments = {"feature_names": ("rgb",), "num_classes": 5}
    report = converted.convert(
        tmp_path, "*.npz", {"cat": (1,)}, dry_run=True, **arguments
    )
    assert not (tmp_path / "out").exists()
    path = str(tmp_path / "out" / "videos-00000-of-00001.tfrecord")
    assert report.files == {path: 1}
    text = report.to_text(datasets.ConvertConfig())
    assert f"1 videos would be in {path}" in text
    assert report.features.feature_sizes == (6,)
    # It finds what is wrong all the same.
    _write_arrays(tmp_path, rgb=np.full([4, 6], np.nan))
    with pytest.raises(readers.DataError, match="expected finite values"):
        converted.convert(tmp_path, "*.npz", dry_run=True, **arguments)
    # What it began is gone, but for a folder that was there.
    with pytest.raises(readers.DataError, match="expected finite values"):
        converted.convert(tmp_path, "*.npz", **arguments)
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(readers.DataError, match="expected finite values"):
        converted.convert(tmp_path, "*.npz", **arguments)
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_range_that_is_told(tmp_path):
    rng = np.random.default_rng(5)
    rgb, audio = rng.uniform(0, 9, [50, 4]), rng.normal(size=[50, 3])
    _write_arrays(tmp_path, rgb=rgb, audio=audio)
    report = converted.convert(
        tmp_path,
        "*.npz",
        min_quantized_value=(1.0, -1.5),
        max_quantized_value=(8.0, 1.0),
    )
    found = converted.read_frames(tmp_path)["cat"].features
    rgb_codes = converted.codes(rgb.astype(np.float32), 1, 8)
    np.testing.assert_array_equal(found["rgb"], rgb_codes)
    audio_codes = converted.codes(audio.astype(np.float32), -1.5, 1)
    np.testing.assert_array_equal(found["audio"], audio_codes)
    # Codes end half a step beyond those of 0 and 255.
    clipped = 0
    for values, low, high in ((rgb, 1, 8), (audio, -1.5, 1)):
        step, first = (high - low) / 255, low + (high - low) / 512
        clipped += (values < first - step / 2).sum()
        clipped += (values > first + 255.5 * step).sum()
    assert report.num_clipped == clipped > 0
    share = f"{clipped / 350:.3%} of the values were outside of [1, 8] of rgb, "
    assert f"{share}[-1.5, 1] of audio and clipped" in report.to_text(
        datasets.ConvertConfig()
    )


def test_a_range_that_is_found_is_kept_for_later_calls(tmp_path):
    rng = np.random.default_rng(6)
    videos = {name: rng.exponential(7, [9, 4]) for name in ("cat", "dog")}
    for name, values in videos.items():
        np.savez(tmp_path / f"{name}.npz", rgb=values)
    config = {"feature_names": ("rgb",), "num_classes": 9}
    report = converted.convert(tmp_path, "*.npz", find_range=True, **config)
    everything = np.concatenate([*videos.values()]).astype(np.float32)
    low, high = float(everything.min()), float(everything.max())
    features = datasets.read_features(
        str(tmp_path / "out" / datasets.FEATURES_NAME)
    )
    assert features.min_quantized_value == (low,)
    assert features.max_quantized_value == (high,)
    assert report.num_clipped == 0
    for name, video in converted.read_frames(tmp_path).items():
        values = videos[name].astype(np.float32)
        codes = video.features["rgb"]
        np.testing.assert_array_equal(codes, converted.codes(values, low, high))
        # Back, as the starter code does: half a step off, and what the codes
        # are shifted by at most.
        size = high - low
        back = codes * (size / 255) + size / 512 + low
        assert abs(back - values).max() <= size / 510 * 1.001
    later = datasets.ConvertConfig().like(features)
    datasets.convert_files(
        str(tmp_path / "dog.npz"), str(tmp_path / "out"), later, overwrite=True
    )
    again = converted.read_frames(tmp_path)["dog"].features["rgb"]
    values = videos["dog"].astype(np.float32)
    np.testing.assert_array_equal(again, converted.codes(values, low, high))


def test_no_range_in_the_data(tmp_path):
    _write_arrays(tmp_path, rgb=np.full([4, 6], 3.5))
    with pytest.raises(readers.DataError, match="that differ, .*: 3.5; set mi"):
        converted.convert(
            tmp_path, "*.npz", feature_names=("rgb",), find_range=True
        )


def test_frames_kept_as_floats(tmp_path):
    rgb = np.random.default_rng(7).normal(size=[5, 6]) * 3
    _write_arrays(tmp_path, rgb=rgb)
    report = converted.convert(
        tmp_path, "*.npz", feature_names=("rgb",), float_frames=True
    )
    found = converted.read_frames(tmp_path)["cat"].features["rgb"]
    np.testing.assert_array_equal(found.astype(np.float32), np.float32(rgb))
    # 4 / 255 is a step, and 4 / 512 above -2 the first code.
    low, high = 4 / 512 - 2 - 2 / 255, 4 / 512 + 2 + 2 / 255
    assert report.num_clipped == ((rgb < low) | (rgb > high)).sum() > 0
    text = report.to_text(datasets.ConvertConfig())
    assert "are outside of [-2, 2], which readers clip" in text


def test_other_frame_rates(tmp_path):
    rgb = np.arange(4.0)[:, None] / 4
    audio = np.array([[0, 1.0], [0.25, 1], [0.5, 1], [1, 1], [1.25, 0]]) / 2
    _write_arrays(tmp_path, rgb=rgb, audio=audio)
    config = {"float_frames": True}
    # No rates: 5 frames in the time of 4, middles at .625, 1.875, 3.1, 4.4.
    converted.convert(tmp_path, "*.npz", align="nearest", **config)
    found = converted.read_frames(tmp_path)["cat"].features
    assert found["audio"].tolist() == audio[[0, 1, 3, 4]].tolist()
    assert found["rgb"].tolist() == rgb.tolist()
    # Two of them in each of the first: 2.5, of which 2 have a middle.
    rates = {"frame_rates": (1.0, 2.0)}
    report = converted.convert(
        tmp_path, "*.npz", align="mean", **config, **rates
    )
    found = converted.read_frames(tmp_path)["cat"].features
    assert found["audio"].tolist() == [[0.0625, 0.5], [0.375, 0.5]]
    assert found["rgb"].tolist() == rgb[:2].tolist()
    assert report.shortened == ["cat"]
    _write_arrays(tmp_path, rgb=rgb, audio=audio[:1])
    rates = {"frame_rates": (1.0, 3.0)}
    with pytest.raises(readers.DataError, match="that last as long as a frame"):
        converted.convert(tmp_path, "*.npz", align="mean", **config, **rates)


def test_means_of_codes_are_codes(tmp_path):
    codes = np.array([[0, 9], [255, 10], [3, 3], [4, 8]], np.uint8)
    _write_arrays(tmp_path, rgb=codes[:2], audio=codes)
    converted.convert(tmp_path, "*.npz", align="mean")
    found = converted.read_frames(tmp_path)["cat"].features["audio"]
    # Halves are rounded to even numbers: 127.5, 9.5, 3.5, 5.5.
    assert found.tolist() == [[128, 10], [4, 6]]


def test_any_name_can_be_printed():
    report = datasets.ConvertReport(without_labels=["c\udce4t"])
    text = report.to_text(datasets.ConvertConfig())
    assert text == r"1 videos without labels, left out: c\udce4t"


def test_files_of_two_kinds(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1))
    _write_arrays(tmp_path, rgb=np.zeros([2, 3]))
    with pytest.raises(
        readers.DataError, match="cat.pb: expected a file of th"
    ):
        converted.convert(tmp_path, "cat.*")
    with pytest.raises(readers.DataError, match="expected level to be 'frame'"):
        converted.convert(tmp_path, "cat.pb", level="video")
    with pytest.raises(ValueError, match="expected as many source_features as"):
        converted.convert(tmp_path, "cat.pb", feature_names=("rgb",))
    with pytest.raises(ValueError, match="no source_labels of MediaPipe's fil"):
        converted.convert(tmp_path, "cat.pb", source_labels="labels")


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    _write_arrays(tmp_path, rgb=np.zeros([2, 3]))
    write = record_writer.Writer.write
    monkeypatch.setattr(
        record_writer.Writer,
        "write",
        lambda writer, data: write(writer, data[:-1]),
    )
    with pytest.raises(
        readers.DataError, match="tfrecord: expected 1 records as they were wr"
    ):
        converted.convert(tmp_path, "*.npz", feature_names=("rgb",))


def test_sizes_of_packed_records_are_known(tmp_path):
    _write_arrays(tmp_path, clip=np.ones([2, 3]), sound=np.ones([2, 5]))
    names = ("clip", "sound")
    converted.convert(tmp_path, "*.npz", feature_names=names, packed=True)
    pattern = str(tmp_path / "out" / "*.tfrecord")
    for wanted, sizes in ((), (3, 5)), (("sound",), (5,)):
        report = datasets.verify_files(pattern, feature_names=wanted)
        assert report.detected.spec.feature_sizes == sizes
        assert not any(file.faults for file in report.files)
    with pytest.raises(ValueError, match="expected features whose names and"):
        datasets.verify_files(pattern, feature_names=("other",))


def test_what_codes_stand_for_stays_with_copies(tmp_path):
    for name in "abcdefgh":
        values = np.random.default_rng(3).normal(size=[2, 3])
        np.savez(tmp_path / f"{name}.npz", clip=values, sound=values)
    converted.convert(
        tmp_path,
        "*.npz",
        {name: (1,) for name in "abcdefgh"},
        class_names=("ant", "bee"),
        feature_names=("clip", "sound"),
        min_quantized_value=(-3.0, -4.0),
        max_quantized_value=(5.0,),
    )
    said = datasets.read_features(
        str(tmp_path / "out" / datasets.FEATURES_NAME)
    )
    pattern = str(tmp_path / "out" / "*.tfrecord")
    datasets.split_records(pattern, str(tmp_path / "split"), 50)
    path = str(tmp_path / "split" / datasets.FEATURES_NAME)
    assert datasets.read_features(path) == said
    datasets.repack_files(
        pattern, str(tmp_path / "packed"), feature_names=("sound",)
    )
    (record,) = (tmp_path / "out").glob("*.tfrecord")
    record.write_bytes(record.read_bytes()[:-9])
    report = datasets.verify_files(pattern)
    datasets.repair_files(report, str(tmp_path / "repaired"))
    path = str(tmp_path / "repaired" / datasets.FEATURES_NAME)
    assert datasets.read_features(path) == said
    datasets.pool_files(
        f"{tmp_path}/repaired/*.tfrecord", str(tmp_path / "pooled")
    )
    path = str(tmp_path / "pooled" / datasets.FEATURES_NAME)
    assert datasets.read_features(path) == datasets.RecordFeatures(
        level="video",
        feature_names=("mean_clip", "mean_sound", "std_clip", "std_sound"),
        feature_sizes=(3, 3, 3, 3),
        num_classes=2,
        class_names=("ant", "bee"),
    )
    path = str(tmp_path / "packed" / datasets.FEATURES_NAME)
    assert datasets.read_features(path) == datasets.RecordFeatures(
        feature_names=("sound",),
        feature_sizes=(3,),
        num_classes=2,
        class_names=("ant", "bee"),
        packed=True,
        min_quantized_value=(-4.0,),
        max_quantized_value=(5.0,),
        max_frames=2,
    )


def test_copies_of_different_codes_are_refused(tmp_path):
    pattern = []
    for high in (2.0, 3.0):
        folder = tmp_path / f"to_{high:g}"
        folder.mkdir()
        for name in "abcd":
            np.savez(folder / f"{name}{high:g}.npz", rgb=np.ones([2, 3]))
        converted.convert(
            folder,
            "*.npz",
            feature_names=("rgb",),
            max_quantized_value=(high,),
            packed=True,
            num_shards=2,
        )
        path = folder / "out" / "videos-00000-of-00002.tfrecord"
        pattern.append(str(path.rename(path.with_name(f"{high:g}.tfrecord"))))
    report = datasets.verify_files(
        pattern, feature_names=("rgb",), feature_sizes=(3,)
    )
    assert [file.num_good for file in report.files] == [2, 2]
    with pytest.raises(ValueError, match="since they don't say their own"):
        datasets.verify_files(pattern)
    for copy in (
        lambda folder: datasets.split_records(pattern, folder, 50),
        lambda folder: datasets.repack_files(
            pattern,
            folder,
            unpacking=True,
            feature_names=("rgb",),
            feature_sizes=(3,),
        ),
    ):
        with pytest.raises(readers.DataError, match="expected codes of 'rgb'"):
            copy(str(tmp_path / "copy"))
        assert not (tmp_path / "copy").exists()
