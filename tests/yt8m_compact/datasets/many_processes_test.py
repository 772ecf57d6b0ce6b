"""Tests of data sets that other processes look at, a file each."""

import dataclasses

import numpy as np
import pytest

import local_mapper
import record_makers
import tiny_runs
from yt8m_compact import datasets
from yt8m_compact import readers

FEATURES = {
    "feature_names": [*tiny_runs.VIDEO_SIZES],
    "feature_sizes": [*tiny_runs.VIDEO_SIZES.values()],
    "num_classes": tiny_runs.NUM_CLASSES,
}


def _damage(path, place=400):
    content = path.read_bytes()
    path.write_bytes(content[:place] + b"????" + content[place + 4 :])


def test_verify_and_repair(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 40)
    _damage(tmp_path / "data" / "train1.tfrecord")
    again = record_makers.make_video_example(0, num_classes=5)
    record_makers.write_tfrecord(tmp_path / "data" / "train3.tfrecord", [again])
    found, repaired = [], []
    for folder, mapper in (("one", None), ("many", local_mapper.LocalMapper())):
        report = datasets.verify_files(pattern, **FEATURES, mapper=mapper)
        found.append((report.to_dict(), report.to_text()))
        assert not report.good
        files = datasets.repair_files(
            report, str(tmp_path / folder), mapper=mapper
        )
        repaired.append(
            [dataclasses.replace(file, output=None) for file in files]
        )
    assert found[0] == found[1]
    assert found[0][0]["fault_counts"] == {"bad_checksum": 1, "duplicate_id": 1}
    assert repaired[0] == repaired[1]
    assert [file for file, _ in mapper.tasks[:4]] == readers.expand_patterns(
        pattern
    )
    one, many = (
        tmp_path / name / "train1.tfrecord" for name in ("one", "many")
    )
    assert one.read_bytes() == many.read_bytes()


def test_stats(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 40)
    mapper = local_mapper.LocalMapper()
    one, many = (
        datasets.count_files(pattern, **FEATURES, mapper=more)
        for more in (None, mapper)
    )
    assert one.to_dict() == many.to_dict()
    assert one.to_text() == many.to_text()
    assert many.num_videos == 40
    np.testing.assert_array_equal(one.videos_per_class, many.videos_per_class)
    assert len(mapper.tasks) == 3
    _damage(tmp_path / "train2.tfrecord")
    messages = []
    for more in (None, mapper):
        with pytest.raises(readers.DataError, match="train2.*record") as error:
            datasets.count_files(pattern, **FEATURES, mapper=more)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_repack(tmp_path):
    pattern = tiny_runs.write_frames(tmp_path / "data", 20)
    # A runner may do a task twice.
    mapper = local_mapper.LocalMapper(times=2)
    packed = [
        datasets.repack_files(pattern, str(tmp_path / name), mapper=more)
        for name, more in (("one", None), ("many", mapper))
    ]
    assert packed[0] == packed[1]
    assert len(mapper.tasks) == 3
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "many")
    ]
    assert contents[0] == contents[1]
    # The same call goes on: with what is missing.
    (tmp_path / "many" / "train1.tfrecord").unlink()
    datasets.repack_files(pattern, str(tmp_path / "many"), mapper=mapper)
    assert len(mapper.tasks) == 4
    content = (tmp_path / "many" / "train1.tfrecord").read_bytes()
    assert content == contents[0]["train1.tfrecord"]
