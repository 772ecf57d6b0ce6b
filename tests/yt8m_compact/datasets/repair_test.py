"""Tests of writing what is good in files with faults."""

import errno
import signal
import subprocess
import sys

import pytest
import tensorflow as tf

import damaged_files
import record_makers
from yt8m_compact import datasets
from yt8m_compact.datasets import manifest
from yt8m_compact.datasets import record_writer


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


def test_files_of_one_name_do_not_meet(tmp_path):
    for name in ("train", "validate"):
        (tmp_path / name).mkdir()
        _make_faulty(tmp_path / name, "a")
    files = [str(tmp_path / n / "a.tfrecord") for n in ("train", "validate")]
    with pytest.raises(
        ValueError, match="files of different names.*one folder at a time"
    ):
        datasets.expect_repair_folder(files, str(tmp_path / "new"))


def test_nothing_is_replaced(tmp_path):
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(
        path, [record_makers.make_video_example(1), b"bad"]
    )
    report = _verify(path)
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.repair_files(report, str(tmp_path))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.tfrecord").write_bytes(b"mine")
    for _ in range(2):  # nor is it taken for its own after the first refusal
        with pytest.raises(
            ValueError, match="Received: a file that no repair wrote"
        ):
            datasets.repair_files(report, str(tmp_path / "new"))
    assert [file.name for file in (tmp_path / "new").iterdir()] == [
        "a.tfrecord"
    ]


def _make_faulty(folder, names="ab"):
    records = {}
    for number, name in enumerate(names):
        good = [
            record_makers.make_video_example(i)
            for i in range(3 * number, 3 * number + 3)
        ]
        records[name] = good
        record_makers.write_tfrecord(
            folder / f"{name}.tfrecord", [*good[:1], b"bad", *good[1:]]
        )
    return records


def test_a_repair_that_a_full_disk_stopped_goes_on(tmp_path, monkeypatch):
    records = _make_faulty(tmp_path)
    report = _verify(tmp_path / "*.tfrecord")
    new = tmp_path / "new"
    write = record_writer.Writer.write

    def write_some(self, record):
        if record == records["b"][1]:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, record)

    with monkeypatch.context() as patch:
        patch.setattr(record_writer.Writer, "write", write_some)
        with pytest.raises(OSError, match="No space left"):
            datasets.repair_files(report, str(new))
    assert sorted(file.name for file in new.iterdir()) == [
        "a.tfrecord",
        manifest.REPAIR_NAME,
    ]
    # What is missing is known until it is there.
    found = datasets.verify_files(f"{new}/*.tfrecord", num_classes=10)
    assert [fault.text for fault in found.faults] == [
        f"b.tfrecord (by {new}/{manifest.REPAIR_NAME})"
    ]
    datasets.expect_repair_folder(
        [file.file for file in report.files], str(new)
    )
    datasets.repair_files(report, str(new))
    assert {name: _read(new / f"{name}.tfrecord") for name in "ab"} == records
    assert sorted(file.name for file in new.iterdir()) == [
        "a.tfrecord",
        "b.tfrecord",
    ]


def test_what_others_put_in_its_place_is_not_its_own(tmp_path):
    _make_faulty(tmp_path)
    report = _verify(tmp_path / "*.tfrecord")
    new = tmp_path / "new"
    new.mkdir()
    (new / "a.tfrecord").write_bytes(b"mine")
    state = {
        "a.tfrecord": manifest.Expected(3, 1000),
        "b.tfrecord": manifest.Expected(3),
    }
    path = new / manifest.REPAIR_NAME
    manifest.write_manifest(str(path), state)
    with pytest.raises(ValueError, match="replaces none but its own"):
        datasets.repair_files(report, str(new))
    assert (new / "a.tfrecord").read_bytes() == b"mine"


def test_what_another_call_did_not_finish_stays_known(tmp_path):
    _make_faulty(tmp_path, "a")
    new = tmp_path / "new"
    new.mkdir()
    path = str(new / manifest.REPAIR_NAME)
    other = {"z.tfrecord": manifest.Expected(3)}
    manifest.write_manifest(path, other)
    datasets.repair_files(_verify(tmp_path / "*.tfrecord"), str(new))
    size = (new / "a.tfrecord").stat().st_size
    assert manifest.read_manifest(path) == {
        "a.tfrecord": manifest.Expected(3, size),
        **other,
    }


_KILLED = """
import os, signal, sys
from yt8m_compact import datasets
from yt8m_compact.datasets import {module} as module

write, left = module.{place}, [int(sys.argv[1])]
def die(*args, **kwargs):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return write(*args, **kwargs)
module.{place} = die
report = datasets.verify_files(
    sys.argv[2], feature_names=("mean_rgb", "mean_audio"),
    feature_sizes=(6, 3), num_classes=10)
datasets.repair_files(report, sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "place", "count"),
    [
        ("record_writer", "Writer.write", 5),  # in the second file
        ("manifest", "write_manifest", 2),  # a is there and not yet noted
    ],
)
def test_a_repair_that_was_killed_goes_on(tmp_path, module, place, count):
    records = _make_faulty(tmp_path)
    new = tmp_path / "new"
    code = _KILLED.format(module=module, place=place)
    pattern = f"{tmp_path}/*.tfrecord"
    done = subprocess.run(
        [sys.executable, "-c", code, str(count), pattern, str(new)],
        capture_output=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (new / "a.tfrecord").exists()
    datasets.repair_files(_verify(pattern), str(new))
    assert {name: _read(new / f"{name}.tfrecord") for name in "ab"} == records
    assert sorted(file.name for file in new.iterdir()) == [
        "a.tfrecord",
        "b.tfrecord",
    ]
