"""Tests of damaged data that is left out and counted."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers

_VIDEO = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
_SIZES = (70, 9, 40)


@pytest.fixture
def files(tmp_path):
    """Three files, of 70, 9 and 40 records."""
    found, index = [], 0
    for number, size in enumerate(_SIZES):
        records = [
            record_makers.make_video_example(video)
            for video in range(index, index + size)
        ]
        found.append(
            record_makers.write_tfrecord(tmp_path / f"{number}", records)
        )
        index += size
    return found


def _bounds(file):
    lengths = [
        len(one) for one in tf.data.TFRecordDataset(file).as_numpy_iterator()
    ]
    return np.cumsum([0] + [16 + length for length in lengths]).tolist()


def _flip(file, offset):
    path = pathlib.Path(file)
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


def _read(files, **arguments):
    skipped = readers.SkippedData()
    dataset = readers.read_records(files, skipped=skipped, **arguments)
    found = sorted(
        (name.decode(), int(index))
        for name, index, _ in dataset.as_numpy_iterator()
    )
    return found, skipped


def _all(files):
    return [
        (file, index)
        for file, size in zip(files, _SIZES, strict=True)
        for index in range(size)
    ]


@pytest.mark.slow
def test_good_data_is_all_there(files):
    found, skipped = _read(files)
    assert found == _all(files)
    assert not skipped
    assert skipped.files() == []
    assert (skipped.num_records, skipped.num_bytes) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [0, 50])
def test_records_with_corrupt_data_are_left_out_alone(files, shuffle_buffer):
    bounds = _bounds(files[0])
    for index in (0, 7, 8, 69):
        _flip(files[0], bounds[index] + 20)
    _flip(files[2], _bounds(files[2])[5] + 20)
    found, skipped = _read(files, shuffle_buffer=shuffle_buffer)
    lost = [(files[0], index) for index in (0, 7, 8, 69)] + [(files[2], 5)]
    assert found == [one for one in _all(files) if one not in lost]
    assert skipped.files() == [
        readers.SkippedFile(files[0], 4, 0, "The data's checksum differs."),
        readers.SkippedFile(files[2], 1, 0, "The data's checksum differs."),
    ]
    assert (skipped.num_records, skipped.num_bytes) == (5, 0)


@pytest.mark.slow
def test_rest_of_a_file_is_counted_where_a_length_is_corrupt(files, caplog):
    bounds = _bounds(files[0])
    _flip(files[0], bounds[3] + 20)
    _flip(files[0], bounds[60] + 1)
    found, skipped = _read(files)
    lost = [(files[0], index) for index in (3, *range(60, 70))]
    assert found == [one for one in _all(files) if one not in lost]
    left = bounds[-1] - bounds[60]
    assert skipped.files() == [
        readers.SkippedFile(files[0], 1, left, "The data's checksum differs.")
    ]
    assert skipped.num_bytes == left
    assert [record.getMessage() for record in caplog.records] == [
        f"skipped {files[0]}: record 3: The data's checksum differs.",
        f"skipped {files[0]}: from record 60 to the end, {left} bytes: The "
        "header of a record is corrupt.",
    ]
    text = skipped.to_text()
    assert "bytes of its end" in text
    assert f"{left:,}" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (5, "A record's header is cut off after 5 bytes."),
        (30, "and 30 are left."),
    ],
)
def test_file_that_is_cut_off(files, left, reason):
    path = pathlib.Path(files[1])
    start = _bounds(files[1])[8]
    path.write_bytes(path.read_bytes()[: start + left])
    found, skipped = _read(files)
    assert found == [one for one in _all(files) if one != (files[1], 8)]
    assert skipped.num_bytes == left
    assert reason in skipped.files()[0].reason


@pytest.mark.slow
def test_empty_and_foreign_files(files, tmp_path):
    empty, text = tmp_path / "empty", tmp_path / "text"
    empty.touch()
    text.write_text("index,mid,display_name\n")
    found, skipped = _read([str(empty), *files, str(text)])
    assert found == _all(files)
    assert skipped.num_files == 2
    assert skipped.files() == [
        readers.SkippedFile(str(empty), 0, 0, "The file is empty (0 bytes)."),
        readers.SkippedFile(
            str(text),
            0,
            23,
            "The file is a text file that starts with "
            "'index,mid,display_name', not a TFRecord file.",
        ),
    ]


def test_only_empty_files(tmp_path):
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(readers.DataError, match="Received: an empty file"):
        _read([str(empty)])


def _spoil(file):
    """Writes three records that don't fit among good ones."""
    record_makers.write_tfrecord(
        file,
        [
            record_makers.make_video_example(70),
            b"no proto",
            record_makers.make_video_example(71, labels=[10]),
            record_makers.make_video_example(72),
            record_makers.make_video_example(73, id_key=None),
        ],
    )


@pytest.mark.slow
def test_records_that_do_not_fit_are_left_out_alone(files):
    _spoil(files[1])
    skipped = readers.SkippedData()
    for _ in range(2):  # each is counted once
        dataset = readers.make_dataset(
            _VIDEO, files[:2], batch_size=8, num_readers=1, skipped=skipped
        )
        batches = list(dataset.as_numpy_iterator())
    expected = [record_makers.video_id(index) for index in (*range(71), 72)]
    assert np.concatenate([one["id"] for one in batches]).tolist() == expected
    # 70 records fill 8 batches of 8 and 6 places of the next.
    assert [len(one["id"]) for one in batches] == [8] * 8 + [7, 1]
    assert dataset.element_spec["features"].shape == [None, 9]
    (one,) = skipped.files()
    assert (one.file, one.num_records, one.num_bytes) == (files[1], 3, 0)
    assert one.reason.startswith("expected a tf.train.Example whose features")


@pytest.mark.slow
def test_batch_without_a_good_record_is_left_out(files):
    _spoil(files[1])
    dataset = readers.make_dataset(
        _VIDEO, files[1:2], batch_size=1, skipped=readers.SkippedData()
    )
    assert [len(batch["id"]) for batch in dataset] == [1, 1]


@pytest.mark.slow
def test_values_are_those_of_a_reader_that_stops(files):
    kwargs = {"batch_size": 8, "shuffle_buffer": 30, "seed": 2}
    expected = readers.make_dataset(_VIDEO, files, **kwargs)
    found = readers.make_dataset(
        _VIDEO, files, skipped=readers.SkippedData(), **kwargs
    )
    for one, other in zip(
        found.as_numpy_iterator(), expected.as_numpy_iterator(), strict=True
    ):
        for key, value in other.items():
            np.testing.assert_array_equal(one[key], value)


def test_first_record_may_be_damaged(files):
    _flip(files[0], 20)
    with pytest.raises(readers.DataError, match="record 0 can't be read"):
        readers.check_format(files, _VIDEO)
    found = readers.check_format(files, _VIDEO, skipped=readers.SkippedData())
    assert found.file == files[1]


def test_fixed_batches_are_refused(files):
    with pytest.raises(ValueError, match="Received: drop_remainder=True"):
        readers.make_dataset(
            _VIDEO,
            files,
            batch_size=4,
            drop_remainder=True,
            skipped=readers.SkippedData(),
        )


def test_table_fits_and_names_what_was_wrong_below():
    skipped = readers.SkippedData()
    name = f"{'a' * 60}/{'b' * 60}"
    skipped.add_record(name, 3, "The data's checksum differs.")
    skipped.add_rest("c", 4, 1234, "cut")
    # Headers of two lines; 80 columns less 7 and 8 of numbers and two gaps.
    assert skipped.to_text(80).splitlines() == [
        f"{'':61}  records  bytes of",
        f"{'file':61}  skipped   its end",
        "-" * 61 + "  " + "-" * 7 + "  " + "-" * 8,
        f"{'a' * 29}...{'b' * 29}        1         0",
        f"{'c':61}        0     1,234",
        "first reasons:",
        f"{name}: The data's checksum differs.",
        "c: cut",
    ]
    assert skipped.to_text().splitlines()[2].startswith(f"{name}  ")


def test_what_another_has_counted():
    first, again = readers.SkippedData(), readers.SkippedData()
    first.add_record("a", 7, "bad")
    first.add_record("a", 2, "worse")
    first.add_rest("b", 9, 100, "cut")
    again.add_record("a", 2, "worse")
    again.add_dict(json.loads(json.dumps(first.to_dict())))
    # Each once.
    assert again.files() == first.files()
    assert (again.num_records, again.num_bytes) == (2, 100)
    again.add_dict({})
    assert again.files() == first.files()


def test_what_another_one_tells(caplog):
    quiet = readers.SkippedData(tells=False)
    quiet.add_record("a", 3, "bad")
    quiet.add_rest("b", 0, 10, "cut")
    assert caplog.messages == []
    told = readers.SkippedData()
    told.add_dict(quiet.to_dict())
    assert caplog.messages == [
        "skipped a: record 3: bad",
        "skipped b: from record 0 to the end, 10 bytes: cut",
    ]
