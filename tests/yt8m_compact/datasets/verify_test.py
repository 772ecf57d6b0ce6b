"""Tests of looking at every byte and record of a data set."""

import json
import math

import pytest
import tensorflow as tf

import damaged_files
import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets import manifest

_SIZES = {"mean_rgb": 6, "mean_audio": 3}


def _write(path, indices, **kwargs):
    record_makers.write_tfrecord(
        path, [record_makers.make_video_example(i, **kwargs) for i in indices]
    )
    return path


def _verify(pattern, **kwargs):
    kwargs = {
        "feature_names": tuple(_SIZES),
        "feature_sizes": tuple(_SIZES.values()),
        "num_classes": 10,
    } | kwargs
    return datasets.verify_files(str(pattern), **kwargs)


def _counts(report) -> list[dict]:
    return [dict(file.counts) for file in report.files]


def test_good_files(tmp_path):
    _write(tmp_path / "a.tfrecord", range(5))
    _write(tmp_path / "b.tfrecord", range(5, 12), labels=None)
    report = _verify(tmp_path / "*.tfrecord")
    assert report.good
    assert report.num_videos == 12
    assert [file.num_without_labels for file in report.files] == [0, 7]
    text = report.to_text()
    assert text.startswith(
        "layout: video: mean_rgb (6), mean_audio (3); as given\n"
    )
    assert text.endswith(": no fault")
    assert json.loads(json.dumps(report.to_dict()))["num_videos"] == 12


def test_sizes_of_own_features_need_no_flags(tmp_path):
    # The names are those of YouTube-8M, the sizes are not.
    _write(tmp_path / "a.tfrecord", range(5))
    report = datasets.verify_files(str(tmp_path / "a.tfrecord"), num_classes=10)
    assert report.good
    assert report.to_text().startswith(
        "layout: video: mean_rgb (6), mean_audio (3); as 5 of 5 sampled "
        "records\nnote: YouTube-8M has mean_rgb (1024), mean_audio (128); "
        "where the data should be that, set feature_names and "
        "feature_sizes\n"
    )
    assert report.to_dict()["spec"]["feature_sizes"] == (6, 3)
    assert not report.to_dict()["sizes_given"]


def test_a_wrong_first_record_does_not_decide(tmp_path):
    sizes = {"mean_rgb": 1024, "mean_audio": 128}
    record_makers.write_tfrecord(
        tmp_path / "a.tfrecord",
        [
            record_makers.make_video_example(0, feature_sizes={"mean_rgb": 9}),
            record_makers.make_video_example(
                1, feature_sizes=sizes | {"mean_rgb": 1000}
            ),
            *(
                record_makers.make_video_example(i, feature_sizes=sizes)
                for i in (2, 3)
            ),
        ],
    )
    report = datasets.verify_files(str(tmp_path / "a.tfrecord"), num_classes=10)
    assert _counts(report) == [{"wrong_size": 2, "missing_feature": 1}]
    assert [fault.record for fault in report.files[0].faults] == [0, 0, 1]
    assert report.to_text().splitlines()[-2] == (
        "layout: video: mean_rgb (1024), mean_audio (128); as 2 of 4 sampled "
        "records"
    )


def test_each_fault_is_counted_and_placed(tmp_path):
    good = [record_makers.make_video_example(i) for i in range(6)]
    bad = [
        record_makers.make_video_example(6, labels=[10]),
        b"no message",
        record_makers.make_video_example(
            7, features={"mean_audio": [math.nan] * 3}
        ),
        record_makers.make_video_example(8, id_key=None),
    ]
    framed = damaged_files.frame(
        tmp_path / "all.tfrecord", [*good[:3], *bad, *good[3:]]
    )
    framed[1] = damaged_files.flip(framed[1], 30)
    (tmp_path / "all.tfrecord").write_bytes(b"".join(framed))
    report = _verify(tmp_path / "all.tfrecord")
    assert not report.good
    assert _counts(report) == [
        {
            "bad_checksum": 1,
            "bad_label": 1,
            "unparsable": 1,
            "not_finite": 1,
            "no_id": 1,
        }
    ]
    (file,) = report.files
    assert (file.num_videos, file.num_good) == (9, 5)
    assert file.lost_bytes == len(framed[1])
    places = {fault.kind: (fault.record, fault.offset) for fault in file.faults}
    ends = [0]
    for record in framed:
        ends.append(ends[-1] + len(record))
    assert places == {
        "bad_checksum": (1, ends[1]),
        "bad_label": (3, ends[3]),
        "unparsable": (4, ends[4]),
        "not_finite": (5, ends[5]),
        "no_id": (6, ends[6]),
    }
    assert (
        f"record 3 (byte {ends[3]:,}): bad_label: expected labels from 0"
        in (report.to_text())
    )


def test_records_of_another_kind_alone_are_faults(tmp_path):
    # Nothing says what they should hold, but they are no videos.
    records = [b"no message", b"another", b""]
    framed = damaged_files.frame(tmp_path / "a.tfrecord", records)
    report = datasets.verify_files(str(tmp_path / "a.tfrecord"))
    assert not report.good
    assert report.spec is None
    (file,) = report.files
    assert file.counts == {"unparsable": 3}
    assert (file.num_videos, file.num_good) == (3, 0)
    assert file.bad_offsets == {
        0,
        len(framed[0]),
        len(framed[0]) + len(framed[1]),
    }
    assert "record 1 (byte 26): unparsable: 7 bytes" in report.to_text()


def test_many_faults_are_counted_and_the_first_shown(tmp_path):
    _write(tmp_path / "a.tfrecord", range(9), labels=[12])
    report = _verify(tmp_path / "a.tfrecord")
    assert _counts(report) == [{"bad_label": 9}]
    assert len(report.files[0].faults) == 5
    assert "4 more bad_label" in report.to_text()


def test_duplicate_ids_across_files(tmp_path):
    _write(tmp_path / "a.tfrecord", [0, 1, 2, 1])
    _write(tmp_path / "b.tfrecord", [3, 0, 4, 1])
    report = _verify(tmp_path / "*.tfrecord")
    assert _counts(report) == [{"duplicate_id": 1}, {"duplicate_id": 2}]
    a = str(tmp_path / "a.tfrecord")
    assert [
        (fault.record, fault.text)
        for file in report.files
        for fault in file.faults
    ] == [
        (3, f"the id of {a}, record 1"),
        (1, f"the id of {a}, record 0"),
        (3, f"the id of {a}, record 1"),
    ]
    assert [file.num_good for file in report.files] == [3, 2]


def test_an_empty_file_and_one_of_another_kind(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"")
    (tmp_path / "b.tfrecord").write_bytes(b"<html>not found</html>")
    _write(tmp_path / "c.tfrecord", [0])
    report = _verify(tmp_path / "*.tfrecord")
    assert _counts(report) == [
        {"empty_file": 1},
        {"bad_header": 1, "no_tfrecord": 1},
        {},
    ]
    assert "is a web page" in report.to_text()


def test_no_file_that_can_be_read(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"a,b\n1,2\n" * 5)
    report = _verify(tmp_path / "a.tfrecord")
    assert report.spec is None
    assert not report.good
    assert "is a text file" in report.to_text()


def test_truncation_between_records_needs_a_count(tmp_path):
    path = _write(tmp_path / "a.tfrecord", range(5))
    before = _verify(path)
    framed = damaged_files.read_framed(path)
    path.write_bytes(b"".join(framed[:4]))
    assert _verify(path).good
    counts = tmp_path / "counts.csv"
    counts.write_text("a.tfrecord,5\n")
    report = _verify(path, manifests=[str(counts)])
    assert _counts(report) == [{"count_differs": 1}]
    assert "expected 5 records. Received: 4" in report.to_text()
    # The manifest next to the data is read without being asked for.
    manifest.write_manifest(
        str(tmp_path / manifest.MANIFEST_NAME),
        {"a.tfrecord": manifest.Expected(5, before.files[0].num_bytes)},
    )
    report = _verify(path)
    assert _counts(report) == [{"count_differs": 1, "size_differs": 1}]


def test_files_that_a_manifest_has_and_the_folder_has_not(tmp_path):
    _write(tmp_path / "train0.tfrecord", range(2))
    entries = {
        name: manifest.Expected(2)
        for name in ("train0.tfrecord", "train1.tfrecord", "test0.tfrecord")
    }
    path = str(tmp_path / manifest.MANIFEST_NAME)
    manifest.write_manifest(path, entries)
    report = _verify(tmp_path / "train*.tfrecord")
    assert [fault.kind for fault in report.faults] == ["missing_file"]
    assert report.faults[0].text == f"train1.tfrecord (by {path})"
    assert "missing_file: train1.tfrecord" in report.to_text()
    assert report.to_text().endswith(
        "MB: faults of the whole set: 1 missing_file"
    )
    # One that was asked for speaks of all of its files.
    report = _verify(tmp_path / "train0.tfrecord", manifests=[path])
    assert len(report.faults) == 2


def test_manifests_speak_of_their_own_folders(tmp_path):
    for number, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        videos = range(4 * number, 4 * number + 2 + number)
        _write(tmp_path / name / "x.tfrecord", videos)
        manifest.write_manifest(
            str(tmp_path / name / manifest.MANIFEST_NAME),
            {
                "x.tfrecord": manifest.Expected(2 + number),
                f"{name}.tfrecord": manifest.Expected(1),
            },
        )
    both = f"{tmp_path}/a/x.tfrecord,{tmp_path}/b/x*.tfrecord"
    assert _verify(both).good
    # The pattern of another folder does not ask for files of this one.
    assert _verify(f"{tmp_path}/a/x.tfrecord,{tmp_path}/b/[ax].tfrecord").good
    report = _verify(f"{tmp_path}/a/x.tfrecord,{tmp_path}/b/*.tfrecord")
    assert [fault.text for fault in report.faults] == [
        f"b.tfrecord (by {tmp_path}/b/{manifest.MANIFEST_NAME})"
    ]


def test_totals_of_official_splits(tmp_path):
    _write(tmp_path / "a.tfrecord", range(3))
    report = _verify(tmp_path / "a.tfrecord", official_split="2018/validate")
    assert "expected the 1,112,356 videos of 2018/validate. Received: 3" in (
        report.to_text()
    )
    assert not report.good
    with pytest.raises(ValueError, match="one of 2016/train.*'2015/x'"):
        _verify(tmp_path / "a.tfrecord", official_split="2015/x")


def test_files_of_one_name_in_different_folders(tmp_path):
    for number, name in enumerate(("train", "validate")):
        (tmp_path / name).mkdir()
        videos = range(4 * number, 4 * number + 3 - number)
        _write(tmp_path / name / "part.tfrecord", videos)
    path = tmp_path / "counts.json"
    pattern = tmp_path / "*" / "part.tfrecord"
    path.write_text('{"train/part.tfrecord": 3, "validate/part.tfrecord": 2}')
    assert _verify(pattern, manifests=[str(path)]).good
    path.write_text('{"train/part.tfrecord": 3, "validate/part.tfrecord": 3}')
    report = _verify(pattern, manifests=[str(path)])
    assert _counts(report) == [{}, {"count_differs": 1}]
    path.write_text('{"part.tfrecord": 3}')
    with pytest.raises(ValueError, match="expected names that tell files apa"):
        _verify(pattern, manifests=[str(path)])


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match="at least 1 class.*num_classes=0"):
        _verify(tmp_path / "a", num_classes=0)
    with pytest.raises(readers.DataError, match="no file matches"):
        _verify(tmp_path / "a")


@pytest.mark.slow
def test_real_files_have_no_fault(shared_data):
    for pattern, num_classes in (
        ("yt8m_2018_video/validate000[0-4].tfrecord", 3862),
        ("yt8m_2017_video/*.tfrecord", 4716),
    ):
        report = datasets.verify_files(
            str(shared_data / pattern), num_classes=num_classes
        )
        assert report.good, report.to_text()
        files = [file.file for file in report.files]
        expected = sum(1 for _ in tf.data.TFRecordDataset(files))
        assert report.num_videos == expected
    # The test shard of 2017 has no labels.
    assert [file.num_without_labels for file in report.files] == [163, 0]


def test_2017_labels_are_out_of_the_range_of_2018(shared_data):
    report = datasets.verify_files(
        str(shared_data / "yt8m_2017_video" / "validatea0.tfrecord")
    )
    assert set(report.files[0].counts) == {"bad_label"}
