"""Tests of the synthetic data set."""

from collections.abc import Iterator
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import resource
import shutil
import sys
import types

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import datasets
from yt8m_compact import ops
from yt8m_compact.datasets import synthetic

_SMALL = datasets.SyntheticConfig(
    num_train_videos=7,
    num_validate_videos=3,
    num_train_shards=3,
    num_validate_shards=1,
    num_classes=12,
    feature_sizes=(6, 3),
)
_SMALL_FILES = [
    "train-00000-of-00003.tfrecord",
    "train-00001-of-00003.tfrecord",
    "train-00002-of-00003.tfrecord",
    "validate-00000-of-00001.tfrecord",
]


def _videos(
    config: datasets.SyntheticConfig, *splits: str
) -> Iterator[datasets.SyntheticVideo]:
    for split in splits or datasets.SPLITS:
        for shard in range(config.num_shards(split)):
            yield from datasets.generate_videos(config, split, shard)


def _read(path: pathlib.Path) -> list[tf.train.SequenceExample]:
    return [
        tf.train.SequenceExample.FromString(record)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]


def _contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _digest(config: datasets.SyntheticConfig) -> str:
    digest = hashlib.sha256()
    for video in _videos(config):
        digest.update(datasets.serialize_video(video, config))
    return digest.hexdigest()


def _multi_hot(
    videos: list[datasets.SyntheticVideo], num_classes: int
) -> np.ndarray:
    labels = np.zeros((len(videos), num_classes))
    for row, video in zip(labels, videos, strict=True):
        row[video.labels] = 1.0
    return labels


def _dequantize(codes: np.ndarray) -> np.ndarray:
    # The starter code's formula.
    return codes * np.float32(4.0 / 255.0) + np.float32(4.0 / 512.0 - 2.0)


def test_records_have_the_format_of_youtube_8m(tmp_path):
    config = dataclasses.replace(_SMALL, feature_sizes=(1024, 128))
    datasets.write_synthetic(tmp_path, config, progress=False)
    lengths, ids = [], []
    for name in _SMALL_FILES:
        for example in _read(tmp_path / name):
            context = example.context.feature
            assert sorted(context) == ["id", "labels"]
            (video_id,) = context["id"].bytes_list.value
            assert len(video_id) == 4
            assert video_id.isalnum()
            ids.append(video_id)
            labels = list(context["labels"].int64_list.value)
            assert labels == sorted(set(labels))
            assert labels
            assert 0 <= labels[0] <= labels[-1] < 12
            lists = example.feature_lists.feature_list
            assert sorted(lists) == ["audio", "rgb"]
            for key, size in {"rgb": 1024, "audio": 128}.items():
                frames = [f.bytes_list.value for f in lists[key].feature]
                assert {len(values) for values in frames} == {1}
                assert {len(values[0]) for values in frames} == {size}
            assert len(lists["rgb"].feature) == len(lists["audio"].feature)
            lengths.append(len(lists["rgb"].feature))
    assert len(ids) == len(set(ids)) == 10
    assert len(set(lengths)) > 1
    assert set(lengths) <= set(datasets.frame_count_histogram()[0])


def test_records_hold_the_videos_generated(tmp_path):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    examples = [e for name in _SMALL_FILES for e in _read(tmp_path / name)]
    for example, video in zip(examples, _videos(_SMALL), strict=True):
        context = example.context.feature
        assert context["id"].bytes_list.value[0] == video.id
        assert list(context["labels"].int64_list.value) == list(video.labels)
        lists = example.feature_lists.feature_list
        frames = [
            rgb.bytes_list.value[0] + audio.bytes_list.value[0]
            for rgb, audio in zip(
                lists["rgb"].feature, lists["audio"].feature, strict=True
            )
        ]
        assert b"".join(frames) == video.frames.tobytes()


def test_shards_hold_all_videos_in_even_parts(tmp_path):
    manifest = datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    # 7 videos in 3 shards: [0, 2), [2, 4), [4, 7).
    expected = dict(zip(_SMALL_FILES, [2, 2, 3, 3], strict=True))
    for name, count in expected.items():
        assert len(_read(tmp_path / name)) == count
        assert manifest["files"][name]["num_videos"] == count
    # Letters and digits count up through both splits.
    ids = [video.id for video in _videos(_SMALL)]
    assert ids == [b"000%d" % number for number in range(10)]


def test_ids_count_in_base_62():
    # 62**3 + 2 * 62**2 + 10 * 62 + 61: "1", "2", "A", "z".
    assert synthetic._make_id(238_328 + 7_688 + 620 + 61) == b"12Az"


def test_bytes_are_reproducible(tmp_path):
    datasets.write_synthetic(tmp_path / "a", _SMALL, progress=False)
    datasets.write_synthetic(tmp_path / "b", _SMALL, progress=False)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path):
    config = datasets.SyntheticConfig(
        num_train_videos=3,
        num_validate_videos=2,
        num_train_shards=2,
        num_validate_shards=1,
    )
    for number in (1, 2):
        datasets.write_synthetic(
            tmp_path / str(number), config, num_processes=number
        )
    one, two = (
        {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (tmp_path / "1", tmp_path / "2")
    )
    # Three shards, what they hold, and the manifest.
    assert len(one) == 5
    assert one == two


def test_bytes_are_those_of_the_generator_version():
    # If this changes, data sets of one version differ: increase
    # _GENERATOR_VERSION, and put the new digest here.
    assert synthetic._GENERATOR_VERSION == 1
    assert _digest(_SMALL) == (
        "4eb6fed4a5053d165f8a0de3392dc9f67a44ea37fc51960c9230687665a262c4"
    )


def test_a_shard_depends_on_no_other_shard():
    last = list(datasets.generate_videos(_SMALL, "train", 2))
    again = list(_videos(_SMALL, "train"))[4:]
    for one, other in zip(last, again, strict=True):
        np.testing.assert_array_equal(one.frames, other.frames)
    looks = {video.frames[0].tobytes() for video in _videos(_SMALL)}
    assert len(looks) == 10


@pytest.mark.parametrize(
    "change",
    [
        {"num_train_videos": 8},
        {"num_validate_videos": 4},
        {"num_train_shards": 2},
        {"num_validate_shards": 2},
        {"num_classes": 13},
        {"feature_names": ("image", "sound")},
        {"feature_sizes": (5, 4)},
        {"seed": 1},
        {"labels_per_video": 4.0},
        {"zipf_exponent": 0.5},
        {"hidden_share": 0.9},
        {"distractor_share": 0.9},
        {"moment_share": 0.3},
        {"moment_stddev": 0.3},
        {"scene_stddev": 0.3},
        {"noise_stddev": 0.3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_changes_the_data(change):
    assert _digest(_SMALL) != _digest(dataclasses.replace(_SMALL, **change))


def test_every_setting_is_in_the_test_of_changes():
    (mark,) = test_every_setting_changes_the_data.pytestmark
    changed = {name for change in mark.args[1] for name in change}
    fields = dataclasses.fields(datasets.SyntheticConfig)
    assert changed == {field.name for field in fields}


@pytest.mark.slow
def test_frame_counts_are_real_ones():
    config = dataclasses.replace(
        _SMALL, num_train_videos=3000, feature_sizes=(1, 1)
    )
    lengths = [len(video.frames) for video in _videos(config, "train")]
    num_frames, num_videos = datasets.frame_count_histogram()
    expected = np.cumsum(num_videos) / num_videos.sum()
    found = (np.array(lengths)[:, None] <= num_frames).mean(axis=0)
    # Kolmogorov-Smirnov: 1.63 / sqrt(3,000) = 0.030 at 1 %.
    np.testing.assert_allclose(found, expected, atol=0.03)


@pytest.mark.slow
def test_labels_have_a_long_tail():
    config = datasets.SyntheticConfig(
        num_train_videos=3000, feature_sizes=(1, 1)
    )
    labels = _multi_hot(list(_videos(config, "train")), config.num_classes)
    counts = labels.sum(axis=0)
    assert labels.sum(axis=1).min() == 1
    assert labels.sum(axis=1).max() > 6
    assert abs(labels.sum(axis=1).mean() - 3.0) < 0.1
    # The more common class has the lower number, a tenth of the classes has
    # about half of the labels, and every class has some.
    assert counts.argmax() == 0
    assert 0.4 < counts[:5].sum() / counts.sum() < 0.6
    assert counts[:10].min() > 2 * counts[-10:].max()
    assert counts.min() > 10


@pytest.mark.slow
def test_labels_of_a_topic_occur_together():
    config = datasets.SyntheticConfig(
        num_train_videos=3000, feature_sizes=(1, 1)
    )
    labels = _multi_hot(list(_videos(config, "train")), config.num_classes)
    together = labels.T @ labels
    # Five topics. Three classes of each that are about equally common.
    classes = np.arange(20, 35)
    topics = classes % 5
    same = topics[:, None] == topics
    np.fill_diagonal(together, np.nan)
    together = together[np.ix_(classes, classes)]
    assert np.nanmean(together[same]) > 1.5 * np.nanmean(together[~same])


@pytest.mark.slow
def test_shares_of_hidden_labels_and_distractors():
    config = datasets.SyntheticConfig(
        num_train_videos=2000, feature_sizes=(1, 1)
    )
    hidden = total = distracted = 0
    for video in _videos(config, "train"):
        hidden += len(np.setdiff1d(video.labels, video.shown_classes))
        total += len(video.labels)
        distractors = np.setdiff1d(video.shown_classes, video.labels)
        assert len(distractors) <= 1
        distracted += len(distractors)
    assert abs(hidden / total - 0.1) < 0.02
    # 0.3, less those that happen to be labels.
    assert 0.15 < distracted / 2000 < 0.3


def test_moments_show_in_frames_but_not_in_their_mean():
    config = dataclasses.replace(
        _SMALL,
        num_train_videos=60,
        num_train_shards=1,
        num_classes=5,
        feature_sizes=(200, 56),
    )
    moments = synthetic._make_moments(config)
    moments /= np.linalg.norm(moments, axis=1, keepdims=True)
    peaks, means, shares = [], [], []
    for video in _videos(config, "train"):
        if len(video.frames) == 1 or not len(video.shown_classes):
            continue
        projections = _dequantize(video.frames) @ moments.T
        shown = np.isin(np.arange(5), video.shown_classes)
        # |p| = 0.6 * sqrt(256) = 9.6, of strength 0.8 to 1.2; scenes reach 2.
        for sign in (1, -1):
            peaks += [*np.max(sign * projections[:, shown], axis=0)]
        means += [*np.abs(projections[:, shown].mean(axis=0))]
        active = np.abs(projections[:, shown]) > 6.0
        shares += [*active.mean(axis=0)]
        if not shown.all():
            assert np.abs(projections[:, ~shown]).max() < 6.0
    assert min(peaks) > 7.0
    assert max(means) < 1.5
    assert abs(np.mean(shares) - config.moment_share) < 0.02


def test_frames_drift_within_scenes():
    config = datasets.SyntheticConfig(num_train_videos=8, moment_share=0.0)
    after_one, after_50 = [], []
    for video in datasets.generate_videos(config, "train", 0):
        # Leading dimensions, where scenes are strongest.
        x = _dequantize(video.frames[:, :32])
        if len(x) > 50:
            after_one.append(np.square(x[1:] - x[:-1]).mean())
            after_50.append(np.square(x[50:] - x[:-50]).mean())
    assert np.mean(after_one) < 0.7 * np.mean(after_50)


def test_frames_use_the_range_of_the_codes():
    codes = np.concatenate([video.frames.ravel() for video in _videos(_SMALL)])
    assert codes.dtype == np.uint8
    assert np.isin([0, 255], codes).sum() <= 2
    assert np.unique(codes).size > 150
    assert np.mean((codes == 0) | (codes == 255)) < 0.02


def test_quantize_is_that_of_the_package():
    values = np.linspace(-2.5, 2.5, 4001, dtype=np.float32)
    expected = ops.quantize(values).numpy()
    np.testing.assert_array_equal(synthetic._quantize(values.copy()), expected)


@pytest.mark.parametrize("num_frames", [1, 3, 7, 9])
def test_short_videos_get_moments(num_frames):
    rng = np.random.default_rng(0)
    frames = np.zeros((num_frames, 4), np.float32)
    moments = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    synthetic._add_moments(rng, frames, moments, np.array([2, 0]), 0.12)
    assert np.abs(frames[0]).min() > 0.0
    assert np.isfinite(frames).all()


@pytest.mark.slow
def test_estimated_size_is_close(tmp_path):
    config = dataclasses.replace(
        _SMALL, num_train_videos=150, feature_sizes=(1024, 128)
    )
    manifest = datasets.write_synthetic(tmp_path, config, progress=False)
    size = sum(entry["num_bytes"] for entry in manifest["files"].values())
    assert size == sum(f.stat().st_size for f in tmp_path.glob("*.tfrecord"))
    assert abs(size / config.estimated_bytes - 1.0) < 0.05


def test_manifest_tells_the_settings(tmp_path):
    manifest = datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    text = (tmp_path / datasets.MANIFEST_NAME).read_text()
    assert json.loads(text) == manifest
    assert manifest["name"] == "synthetic"
    assert sorted(manifest["files"]) == _SMALL_FILES
    config = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in manifest["config"].items()
    }
    assert datasets.SyntheticConfig(**config) == _SMALL


def test_default_config_is_used_without_one(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        synthetic, "_write_shard", lambda *args: written.append(args[0][1]) or 1
    )
    manifest = datasets.write_synthetic(tmp_path, progress=False)
    assert set(written) == {datasets.SyntheticConfig()}
    assert len(manifest["files"]) == 10


def test_progress_is_shown_to_people_if_wanted(tmp_path, capsys, monkeypatch):
    datasets.write_synthetic(tmp_path / "c", _SMALL)
    assert capsys.readouterr().err == ""  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    datasets.write_synthetic(tmp_path / "a", _SMALL)
    assert "10/10" in capsys.readouterr().err
    datasets.write_synthetic(tmp_path / "b", _SMALL, progress=False)
    assert capsys.readouterr().err == ""


def test_same_data_set_is_used_again(tmp_path):
    manifest = datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    before = {f.name: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    again = datasets.write_synthetic(str(tmp_path), _SMALL, progress=False)
    assert again == manifest
    assert before == {f.name: f.stat().st_mtime_ns for f in tmp_path.iterdir()}


def test_missing_and_damaged_files_are_written_again(tmp_path):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    before = _contents(tmp_path)
    untouched = tmp_path / _SMALL_FILES[2]
    time = untouched.stat().st_mtime_ns
    (tmp_path / _SMALL_FILES[0]).unlink()
    os.truncate(tmp_path / _SMALL_FILES[1], 100)
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    assert _contents(tmp_path) == before
    assert untouched.stat().st_mtime_ns == time


def test_what_the_records_hold_is_said_beside_them(tmp_path):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    path = tmp_path / datasets.FEATURES_NAME
    said = datasets.RecordFeatures(
        feature_names=_SMALL.feature_names,
        feature_sizes=_SMALL.feature_sizes,
        num_classes=_SMALL.num_classes,
        min_quantized_value=(-2.0,),
        max_quantized_value=(2.0,),
    )
    assert datasets.read_features(str(path)) == said
    path.unlink()  # as an earlier version left it
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    assert datasets.read_features(str(path)) == said


def test_stopped_writing_continues(tmp_path, monkeypatch):
    datasets.write_synthetic(tmp_path / "whole", _SMALL, progress=False)
    written = []

    def stop_at_the_third(*args):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(args)
        return serialize(*args)

    serialize = synthetic.serialize_video
    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "serialize_video", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            datasets.write_synthetic(tmp_path / "part", _SMALL, progress=False)
    # The first shard of two videos, and nothing that is half written.
    assert sorted(_contents(tmp_path / "part")) == [
        datasets.MANIFEST_NAME,
        _SMALL_FILES[0],
        datasets.FEATURES_NAME,
    ]
    datasets.write_synthetic(tmp_path / "part", _SMALL, progress=False)
    assert _contents(tmp_path / "part") == _contents(tmp_path / "whole")


def test_other_data_set_is_refused_and_replaced_on_request(tmp_path):
    datasets.write_synthetic(tmp_path / "a", _SMALL, progress=False)
    before = _contents(tmp_path / "a")
    other = dataclasses.replace(_SMALL, seed=5, num_train_shards=2)
    with pytest.raises(
        ValueError,
        match="expected no other synthetic data set in the folder; choose "
        "another folder, or set overwrite to replace it. Received: "
        "output_dir='.*', which has num_train_shards=3 instead of 2, "
        "seed=0 instead of 5",
    ):
        datasets.write_synthetic(tmp_path / "a", other, progress=False)
    assert _contents(tmp_path / "a") == before
    left = f".{_SMALL_FILES[0]}.0123456789ab.partial"
    (tmp_path / "a" / left).write_bytes(b"of a killed process")
    datasets.write_synthetic(
        tmp_path / "a", other, overwrite=True, progress=False
    )
    datasets.write_synthetic(tmp_path / "b", other, progress=False)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")


def test_overwrite_writes_the_same_data_set_anew(tmp_path):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    before = _contents(tmp_path)
    file = tmp_path / _SMALL_FILES[0]
    file.write_bytes(bytes(file.stat().st_size))
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    assert _contents(tmp_path) != before
    datasets.write_synthetic(tmp_path, _SMALL, overwrite=True, progress=False)
    assert _contents(tmp_path) == before


def test_data_of_another_version_are_refused(tmp_path, monkeypatch):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    monkeypatch.setattr(synthetic, "_GENERATOR_VERSION", 99)
    with pytest.raises(ValueError, match="generator_version=1 instead of 99"):
        datasets.write_synthetic(tmp_path, _SMALL, progress=False)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("beside_synthetic", [False, True])
def test_other_data_are_never_replaced(tmp_path, overwrite, beside_synthetic):
    if beside_synthetic:
        datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    (tmp_path / "trainXY.tfrecord").write_bytes(b"precious")
    before = _contents(tmp_path)
    with pytest.raises(
        ValueError,
        match="expected an empty folder or one with synthetic data only.*"
        "Received: output_dir='.*', where trainXY.tfrecord is no file of a "
        r"synthetic data set \(1 such file\(s\)\)",
    ):
        datasets.write_synthetic(
            tmp_path, _SMALL, overwrite=overwrite, progress=False
        )
    assert _contents(tmp_path) == before


@pytest.mark.parametrize(
    "text",
    [
        "not JSON",
        "[]",
        "{}",
        '{"generator_version": "1", "config": {}, "files": {}}',
        '{"generator_version": 1, "config": [], "files": {}}',
        '{"generator_version": 1, "config": {}, "files": []}',
        '{"generator_version": 1, "config": {}, "files": {"../a": {}}}',
        '{"generator_version": 1, "config": {}, "files": '
        '{"train-00000-of-00001.tfrecord": "num_bytes"}}',
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path, text):
    (tmp_path / datasets.MANIFEST_NAME).write_text(text)
    with pytest.raises(
        ValueError,
        match="expected the manifest of a synthetic data set; choose another "
        "folder, or delete the file. Received: '.*synthetic.json', which is "
        "not one",
    ):
        datasets.write_synthetic(
            tmp_path, _SMALL, overwrite=True, progress=False
        )


def test_a_manifest_that_lacks_files_is_completed(tmp_path):
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    before = _contents(tmp_path)
    file = tmp_path / datasets.MANIFEST_NAME
    manifest = json.loads(file.read_text())
    del manifest["files"][_SMALL_FILES[3]]
    (tmp_path / _SMALL_FILES[3]).unlink()
    file.write_text(json.dumps(manifest))
    datasets.write_synthetic(tmp_path, _SMALL, progress=False)
    assert _contents(tmp_path) == before


def test_a_file_is_no_folder(tmp_path):
    file = tmp_path / "file"
    file.write_text("text")
    with pytest.raises(
        NotADirectoryError,
        match="expected a folder. Received: output_dir='.*file', which is a "
        "file",
    ):
        datasets.write_synthetic(file, _SMALL, progress=False)


def test_a_full_disk_is_noticed_before_writing(tmp_path, monkeypatch):
    usage = types.SimpleNamespace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    # 2,500 videos x 229.6 frames x 1,170 bytes.
    with pytest.raises(
        OSError,
        match="expected about 67. MB of free disk space for 2500 synthetic "
        "videos. Received: 1 MB are free",
    ) as error:
        datasets.write_synthetic(tmp_path, progress=False)
    assert error.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_is_an_error_and_writing_can_continue(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    config = dataclasses.replace(_SMALL, feature_sizes=(1024, 128))
    try:
        # As if 100 kB were free: writing fails half way in the first video.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(
            OSError,
            match="expected to write a synthetic data set of about 3 MB; free "
            "the disk, or choose another folder, and run this again to "
            "continue. Received: .*; .* MB are free.*train-00000-of-00003",
        ):
            datasets.write_synthetic(tmp_path / "a", config, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(_contents(tmp_path / "a")) == [
        datasets.MANIFEST_NAME,
        datasets.FEATURES_NAME,
    ]
    datasets.write_synthetic(tmp_path / "a", config, progress=False)
    datasets.write_synthetic(tmp_path / "b", config, progress=False)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_train_videos": 0}, "num_train_videos to be at least 1. Rec"),
        ({"num_validate_videos": 2.5}, "num_validate_videos to be a whole num"),
        ({"num_train_shards": True}, "num_train_shards to be a whole number"),
        ({"num_validate_shards": -1}, "num_validate_shards to be at least 1"),
        ({"num_classes": 0}, "num_classes to be at least 1"),
        ({"seed": -1}, "seed to be at least 0"),
        ({"num_train_shards": 8}, "num_train_shards to be at most one a vid"),
        ({"num_validate_shards": 4}, "num_validate_shards to be at most one"),
        ({"num_train_videos": 62**4}, ".* at most 14776336 videos in all"),
        ({"feature_names": ["rgb", "audio"]}, "feature_names to be a list of"),
        ({"feature_names": ("rgb", 3)}, "feature_names to be a list of str"),
        ({"feature_names": ()}, "feature_names to be a sequence"),
        ({"feature_names": ("rgb", "rgb")}, "feature_names that differ"),
        ({"feature_names": ("rgb", "")}, "feature_names that differ"),
        ({"feature_sizes": [1024, 128]}, "feature_sizes to be a list of int"),
        ({"feature_sizes": (1024, 1.5)}, "feature_sizes to be a list of int"),
        ({"feature_sizes": (1024,)}, "one size above 0 for each feature name"),
        ({"feature_sizes": (1024, 0)}, "one size above 0 for each feature"),
        ({"labels_per_video": 0.5}, "labels_per_video to be at least 1"),
        ({"labels_per_video": 13}, "labels_per_video to be at most num_cla"),
        ({"zipf_exponent": -1.0}, "zipf_exponent to be at least 0"),
        ({"zipf_exponent": 4.1}, "zipf_exponent to be at most 4"),
        ({"hidden_share": 1.1}, "hidden_share to be at most 1"),
        ({"hidden_share": -0.1}, "hidden_share to be at least 0"),
        ({"distractor_share": float("nan")}, "distractor_share to be a finite"),
        ({"moment_share": True}, "moment_share to be a finite number"),
        ({"moment_stddev": "1"}, "moment_stddev to be a finite number"),
        ({"scene_stddev": -0.1}, "scene_stddev to be at least 0"),
        ({"noise_stddev": float("inf")}, "noise_stddev to be a finite number"),
    ],
)
def test_settings_out_of_range_are_refused(change, message):
    (name,) = change
    with pytest.raises(ValueError, match=f"expected {message}.*{name}="):
        dataclasses.replace(_SMALL, **change)


def test_unknown_splits_and_shards_are_refused():
    message = "expected one of train, validate. Received: split='test'"
    with pytest.raises(ValueError, match=message):
        _SMALL.num_videos("test")
    with pytest.raises(ValueError, match=message):
        _SMALL.num_shards("test")
    for shard in (-1, 3):
        with pytest.raises(
            ValueError, match=rf"in \[0, 3\). Received: shard={shard}"
        ):
            list(datasets.generate_videos(_SMALL, "train", shard))


@pytest.mark.parametrize("num_classes", [1, 2, 10, 25])
@pytest.mark.parametrize("zipf_exponent", [0.0, 4.0])
def test_any_number_of_classes_can_be_sampled(num_classes, zipf_exponent):
    config = dataclasses.replace(
        _SMALL,
        num_train_videos=40,
        num_classes=num_classes,
        labels_per_video=float(num_classes),
        zipf_exponent=zipf_exponent,
        feature_sizes=(1, 1),
    )
    for video in _videos(config, "train"):
        assert 1 <= len(video.labels) <= num_classes
        assert len(set(video.labels)) == len(video.labels)
        assert np.isin(video.labels, np.arange(num_classes)).all()


@pytest.mark.slow
def test_frames_have_to_be_pooled():
    linear_model = pytest.importorskip("sklearn.linear_model")
    metrics = pytest.importorskip("sklearn.metrics")
    config = datasets.SyntheticConfig(
        num_train_videos=600,
        num_validate_videos=200,
        num_train_shards=1,
        num_validate_shards=1,
        num_classes=15,
        feature_sizes=(64, 16),
        seed=1,
    )
    rng = np.random.default_rng(0)
    projection = rng.normal(size=(80, 256)).astype(np.float32)

    def mean_features(video: datasets.SyntheticVideo) -> np.ndarray:
        # The number of frames as well, which must tell nothing either.
        x = _dequantize(video.frames)
        return np.append(x.mean(axis=0), len(x) / 300.0)

    def pooled_features(video: datasets.SyntheticVideo) -> np.ndarray:
        x = _dequantize(video.frames)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return np.maximum(x @ projection, 0.0).max(axis=0)

    def gap(features) -> float:
        (x, y), (x_new, y_new) = (
            (
                np.stack([features(video) for video in videos]),
                _multi_hot(videos, config.num_classes),
            )
            for videos in (train, validate)
        )
        mean, stddev = x.mean(axis=0), x.std(axis=0)
        x, x_new = (x - mean) / stddev, (x_new - mean) / stddev
        predictions = [
            linear_model.LogisticRegression(C=0.01, max_iter=300)
            .fit(x, labels)
            .predict_proba(x_new)[:, 1]
            for labels in y.T
        ]
        # GAP@20 of fewer than 20 classes.
        return metrics.average_precision_score(
            y_new, np.stack(predictions, axis=1), average="micro"
        )

    train = list(_videos(config, "train"))
    validate = list(_videos(config, "validate"))
    prior = metrics.average_precision_score(
        _multi_hot(validate, config.num_classes),
        np.tile(
            _multi_hot(train, config.num_classes).mean(axis=0),
            (len(validate), 1),
        ),
        average="micro",
    )
    mean_gap, pooled_gap = gap(mean_features), gap(pooled_features)
    # 0.44 and 0.76, where the share of each class alone gives 0.44.
    assert mean_gap < prior + 0.05
    assert pooled_gap > mean_gap + 0.2
