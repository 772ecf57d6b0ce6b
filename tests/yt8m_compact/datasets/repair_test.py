"""Tests of writing what is good in files with faults."""

import pytest
import tensorflow as tf

import damaged_files
import record_makers
from yt8m_compact import datasets


def _verify(pattern):
    return datasets.verify_files(
        str(pattern),
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=(6, 3),
        num_classes=10,
    )


def _read(path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def test_good_records_are_written_unchanged(tmp_path):
    records = [record_makers.make_video_example(i) for i in range(8)]
    bad_label = record_makers.make_video_example(9, labels=[77])
    framed = damaged_files.frame(
        tmp_path / "a.tfrecord",
        [*records[:4], bad_label, records[2], *records[4:]],
    )
    # Record 1 has other data, the header of record 6 (that of video 4) is
    # gone, and the file ends inside the last one.
    framed[1] = damaged_files.flip(framed[1], 50)
    framed[6] = framed[6][12:]
    framed[-1] = framed[-1][:-20]
    (tmp_path / "a.tfrecord").write_bytes(b"".join(framed))
    before = (tmp_path / "a.tfrecord").read_bytes()
    record_makers.write_tfrecord(
        tmp_path / "b.tfrecord", [record_makers.make_video_example(20)]
    )
    report = _verify(tmp_path / "*.tfrecord")
    (repaired,) = datasets.repair_files(report, str(tmp_path / "new"))
    expected = [records[0], records[2], records[3], records[5], records[6]]
    assert _read(tmp_path / "new" / "a.tfrecord") == expected
    assert repaired == datasets.Repaired(
        str(tmp_path / "a.tfrecord"),
        str(tmp_path / "new" / "a.tfrecord"),
        num_written=5,
        num_left_out=2,
        lost_bytes=len(framed[1]) + len(framed[6]) + len(framed[-1]),
    )
    assert (tmp_path / "a.tfrecord").read_bytes() == before
    assert _verify(tmp_path / "new" / "a.tfrecord").good
    # Nothing was wrong with b.
    assert not (tmp_path / "new" / "b.tfrecord").exists()


def test_a_good_record_is_kept_where_a_bad_one_has_its_id(tmp_path):
    bad = record_makers.make_video_example(1, labels=[77])
    good = record_makers.make_video_example(1)
    record_makers.write_tfrecord(tmp_path / "a.tfrecord", [bad, good])
    report = _verify(tmp_path / "a.tfrecord")
    datasets.repair_files(report, str(tmp_path / "new"))
    assert _read(tmp_path / "new" / "a.tfrecord") == [good]


def test_a_file_without_a_good_record_is_not_written(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"no record at all")
    report = _verify(tmp_path / "a.tfrecord")
    (repaired,) = datasets.repair_files(report, str(tmp_path / "new"))
    assert repaired.output is None
    assert (repaired.num_written, repaired.lost_bytes) == (0, 16)
    assert not (tmp_path / "new" / "a.tfrecord").exists()


def test_a_file_that_only_lacks_records_is_left_alone(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [record_makers.make_video_example(1)])
    (tmp_path / "yt8m_manifest.json").write_text('{"a.tfrecord": 2}')
    report = _verify(path)
    assert not report.good
    assert datasets.repair_files(report, str(tmp_path / "new")) == []


def test_nothing_is_replaced(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(
        path, [record_makers.make_video_example(1), b"bad"]
    )
    report = _verify(path)
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.repair_files(report, str(tmp_path))
    datasets.repair_files(report, str(tmp_path / "new"))
    with pytest.raises(ValueError, match="since --repair replaces none"):
        datasets.repair_files(report, str(tmp_path / "new"))
