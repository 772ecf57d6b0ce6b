"""Tests of counting videos, labels and frames."""

import json

import numpy as np
import pytest

import damaged_files
import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers


def _count(pattern, **kwargs):
    return datasets.count_files(
        str(pattern),
        feature_names=("rgb", "audio"),
        feature_sizes=(6, 3),
        **kwargs,
    )


def test_counts(tmp_path):
    videos = [(3, [1]), (5, [1, 2]), (5, [1, 2, 3]), (1, None)]
    for name, part in (("a", videos[:3]), ("b", videos[3:])):
        record_makers.write_tfrecord(
            tmp_path / f"{name}.tfrecord",
            [
                record_makers.make_frame_example(i, frames, labels=labels)
                for i, (frames, labels) in enumerate(part)
            ],
        )
    stats = _count(tmp_path / "*.tfrecord", num_classes=5)
    assert stats.to_dict() | {"num_bytes": None} == {
        "num_files": 2,
        "num_bytes": None,
        "num_videos": 4,
        "num_labels": 6,
        "num_videos_without_labels": 1,
        "num_classes": 5,
        "num_classes_with_videos": 3,
        "labels_per_video": {0: 1, 1: 1, 2: 1, 3: 1},
        "frames_per_video": {1: 1, 3: 1, 5: 2},
        "videos_per_class": [0, 3, 2, 1, 0],
        "class_names": [],
    }
    json.dumps(stats.to_dict())
    lines = stats.to_text().splitlines()
    assert lines[0].startswith("2 files, 4 videos, ")
    assert "labels a video: mean 1.50, 0 to 3" in lines
    assert "frames a video: mean 3.50, 1 to 5" in lines
    # 50 signs stand for the largest number of a histogram.
    assert f"  5 2 {50 * '#'}" in lines
    assert f"  1 1 {25 * '#'}" in lines
    assert f"  class 2 2 {33 * '#'}" in lines


def test_classes_have_names_where_these_are_known(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(
        path,
        [
            record_makers.make_frame_example(i, 1, labels=labels)
            for i, labels in enumerate([[2], [0, 2], [0, 2], [2]])
        ],
    )
    said = readers.RecordFeatures(
        feature_names=("rgb", "audio"),
        feature_sizes=(6, 3),
        num_classes=3,
        class_names=("cat", "dog", f"{'a' * 20} or {'b' * 20}"),
    )
    readers.place_features(str(tmp_path), said)
    stats = _count(path)
    assert stats.to_dict()["class_names"] == [*said.class_names]
    # Of 80 columns, 32 are the longest name with the number of its class; 2,
    # 1 and 1 are between, 1 is the count, and 1 is left.
    name = f"class 2 {'a' * 11}...{'b' * 10}"
    assert stats.to_text().splitlines()[-2:] == [
        f"  {name} 4 {'#' * 43}",
        f"  {'class 0 cat':>32} 2 {'#' * 22}",
    ]
    # As many as are known.
    lines = _count(path, class_names=["ant"]).to_text().splitlines()
    assert lines[-2].split()[:3] == ["class", "2", "4"]
    assert lines[-1].split()[:4] == ["class", "0", "ant", "2"]


def test_ranges_of_frames_hold_every_video(tmp_path):
    counts = [1, 12, 13, 24, 25, 40]
    record_makers.write_tfrecord(
        tmp_path / "a.tfrecord",
        [
            record_makers.make_frame_example(i, frames)
            for i, frames in enumerate(counts)
        ],
    )
    text = _count(tmp_path / "a.tfrecord", num_classes=10).to_text()
    ranges = [
        line.split()
        for line in text.splitlines()
        if line[:8].strip(" 0123456789") == "-"
    ]
    found = {name: int(number) for name, number, *_ in (row for row in ranges)}
    # 40 numbers in at most 12 ranges: 4 each.
    assert sum(found.values()) == 6
    assert found["9-12"] == found["13-16"] == found["37-40"] == 1


@pytest.mark.slow
def test_real_audioset(shared_data):
    stats = datasets.count_files(
        str(shared_data / "audioset" / "bal_train.tfrecord"), num_classes=527
    )
    assert stats.num_videos == 22_160
    # As AudioSet describes it: 2.4 labels (1-12), 10 frames, in 2 % fewer.
    assert stats.num_labels / stats.num_videos == pytest.approx(2.4, abs=0.05)
    assert (min(stats.labels_per_video), max(stats.labels_per_video)) == (1, 12)
    assert (min(stats.frames_per_video), max(stats.frames_per_video)) == (1, 10)
    assert stats.videos_per_class.sum() == stats.num_labels
    assert np.count_nonzero(stats.videos_per_class) == 527


def test_a_fault_stops_with_its_place(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = [record_makers.make_frame_example(i) for i in range(3)]
    framed = damaged_files.frame(path, records)
    path.write_bytes(framed[0] + framed[1] + framed[2][:-3])
    offset = len(framed[0]) + len(framed[1])
    with pytest.raises(
        readers.DataError,
        match=rf"{path}: record 2 \(byte {offset}\): expected a record. "
        "Received: truncated",
    ):
        _count(path)
    with pytest.raises(
        readers.DataError, match=f"{path}: record 1: bad_label: .* from 0 to 6"
    ):
        path.write_bytes(b"".join(framed))
        _count(path, num_classes=7)
    path.write_bytes(b"")
    with pytest.raises(readers.DataError, match="expected at least one record"):
        _count(path)
