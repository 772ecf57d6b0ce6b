"""Tests of finding out what the records of files should hold."""

import pytest

import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets import spec_detection


def _frames(index: int, rgb: int, audio: int, num_frames: int = 2) -> bytes:
    return record_makers.make_frame_example(
        index, num_frames, feature_sizes={"rgb": rgb, "audio": audio}
    )


def _detect(folder, *files: list[bytes], **kwargs):
    paths = []
    for number, records in enumerate(files):
        paths.append(str(folder / f"{number:02}.tfrecord"))
        record_makers.write_tfrecord(paths[-1], records)
    return spec_detection.detect_files(paths, num_classes=10, **kwargs)


def test_most_records_decide(tmp_path):
    found = _detect(
        tmp_path, [_frames(0, 5, 2), _frames(1, 6, 3), _frames(2, 6, 3)]
    )
    assert found == spec_detection.DetectedSpec(
        datasets.RecordSpec(
            datasets.Layout.FRAMES, ("rgb", "audio"), (6, 3), 10
        ),
        sizes_given=False,
        num_alike=2,
        num_sampled=3,
    )


def test_among_equally_many_youtube8m_decides_or_else_the_first(tmp_path):
    records = [_frames(0, 5, 2), _frames(1, 1024, 128), _frames(2, 6, 3)]
    assert _detect(tmp_path, records).spec.feature_sizes == (1024, 128)
    found = _detect(tmp_path, [records[0], records[2]])
    assert found.spec.feature_sizes == (5, 2)


def test_one_wrong_file_of_many_does_not_decide(tmp_path):
    wrong = [_frames(i, 5, 2) for i in range(20)]
    files = [[_frames(20 + i, 6, 3)] for i in range(19)]
    found = _detect(tmp_path, wrong, *files[:7])
    # At most 8 records of a file are looked at: 8 wrong ones, 7 right ones.
    assert (found.num_alike, found.num_sampled) == (8, 15)
    files = [
        [_frames(100 + 9 * i + k, 6, 3) for k in range(9)] for i in range(19)
    ]
    found = _detect(tmp_path, wrong, *files)
    # Every 2nd of 20 files, until 8 gave records.
    assert (found.num_alike, found.num_sampled) == (56, 64)
    assert found.spec.feature_sizes == (6, 3)


def test_names_and_sizes_that_are_given(tmp_path):
    records = [_frames(0, 5, 2), _frames(1, 6, 3)]
    found = _detect(
        tmp_path, records, feature_names=("audio",), feature_sizes=(4,)
    )
    assert found.spec.feature_sizes == (4,)
    assert found.to_text() == "layout: frames: audio (4); as given"
    found = _detect(tmp_path, records, feature_names=("audio",))
    assert found.spec.feature_sizes == (2,)


def test_a_feature_that_no_record_has(tmp_path):
    with pytest.raises(
        ValueError, match=r"00.tfrecord: record 0: .*frame by frame: audio,rgb"
    ):
        _detect(tmp_path, [_frames(0, 6, 3)], feature_names=("sound",))


def test_files_without_any_record(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("a,b\n" * 20)
    files = [str(tmp_path / name) for name in ("empty", "text", "missing")]
    assert spec_detection.detect_files(files, num_classes=10) is None
    assert _detect(tmp_path, [b"no message"]) is None


def test_packed_records_do_not_say_their_sizes(tmp_path):
    found = _detect(
        tmp_path, [record_makers.make_packed_zeros(rgb=3072, audio=384)]
    )
    assert found.to_text() == (
        "layout: packed: rgb (1024), audio (128); sizes of YouTube-8M"
    )
    own = [
        record_makers.make_packed_zeros(rgb=64 * n, audio=8 * n + 1)
        for n in (3, 5, 7)
    ]
    with pytest.raises(
        ValueError,
        match="they don't say their own; set feature_names.*192 byt",
    ):
        _detect(tmp_path, own)
    # One wrong record of three is the business of who reads them all.
    good = [
        record_makers.make_packed_zeros(rgb=1024 * n, audio=128 * n)
        for n in (3, 5)
    ]
    assert _detect(tmp_path, [own[0], *good]).spec.feature_sizes == (1024, 128)


def test_what_is_said_beside_records_is_the_default(tmp_path):
    # Most records of the sample are others: these are at fault.
    records = [_frames(0, 5, 2), _frames(1, 6, 3), _frames(2, 6, 3)]
    path = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(path, records)
    detect = spec_detection.detect_files
    assert detect([path]).spec.num_classes == 3862
    said = datasets.RecordFeatures(
        feature_names=("audio", "rgb"), feature_sizes=(2, 5), num_classes=4
    )
    readers.write_features(str(tmp_path / datasets.FEATURES_NAME), said)
    found = detect([path])
    spec = found.spec
    assert (spec.feature_names, spec.feature_sizes) == (
        ("audio", "rgb"),
        (2, 5),
    )
    assert spec.num_classes == 4
    assert found.to_text() == (
        "layout: frames: audio (2), rgb (5); as yt8m_features.json says"
    )
    found = detect(
        [path], feature_names=("rgb",), feature_sizes=(6,), num_classes=9
    )
    assert (found.spec.feature_sizes, found.spec.num_classes) == ((6,), 9)
    assert found.to_text() == "layout: frames: rgb (6); as given"
