"""Tests of reading what can be read of a damaged file."""

import numpy as np
import pytest
import tensorflow as tf

import damaged_files
from yt8m_compact import readers
from yt8m_compact.datasets import scan


@pytest.fixture(name="records")
def fixture_records(tmp_path) -> list[bytes]:
    """Eight records of different sizes, as they stand in a file."""
    data = [
        np.random.default_rng(number).bytes(50 + 37 * number)
        for number in range(8)
    ]
    return damaged_files.frame(tmp_path / "good.tfrecord", data)


def _scan(tmp_path, parts: list[bytes]):
    path = tmp_path / "bad.tfrecord"
    path.write_bytes(b"".join(parts))
    steps = list(scan.scan_records(str(path)))
    # Together they cover the file.
    offset = 0
    for step in steps:
        assert step.offset == offset
        is_record = isinstance(step, scan.Record)
        offset += len(step.data) + 16 if is_record else step.num_bytes
    assert offset == path.stat().st_size
    good = [step.data for step in steps if isinstance(step, scan.Record)]
    damage = [step for step in steps if isinstance(step, scan.Damage)]
    return good, damage


def _data(records: list[bytes]) -> list[bytes]:
    return [record[12:-4] for record in records]


def test_a_good_file(tmp_path, records):
    assert _scan(tmp_path, records) == (_data(records), [])


def test_changed_data_costs_one_record(tmp_path, records):
    bad = [*records]
    bad[3] = damaged_files.flip(bad[3], 40)
    good, damage = _scan(tmp_path, bad)
    assert good == _data(records[:3] + records[4:])
    offset = sum(map(len, records[:3]))
    assert damage == [scan.Damage(offset, len(records[3]), "bad_checksum")]


@pytest.mark.parametrize("place", [0, 5, 9])
def test_a_changed_header_costs_one_record(tmp_path, records, place):
    bad = [*records]
    bad[3] = damaged_files.flip(bad[3], place)
    good, damage = _scan(tmp_path, bad)
    assert good == _data(records[:3] + records[4:])
    offset = sum(map(len, records[:3]))
    assert damage == [scan.Damage(offset, len(records[3]), "bad_header")]


def test_missing_bytes_inside_a_record_cost_that_record(tmp_path, records):
    bad = [*records]
    bad[3] = bad[3][:60] + bad[3][80:]
    good, damage = _scan(tmp_path, bad)
    assert good == _data(records[:3] + records[4:])
    assert [step.kind for step in damage] == ["bad_checksum"]
    assert damage[0].num_bytes == len(bad[3])


def test_records_behind_a_record_cut_short_are_found(tmp_path, records):
    # The header's length leads over the end of the file.
    bad = [records[0], records[7][:30], records[1]]
    good, damage = _scan(tmp_path, bad)
    assert good == _data(records[:2])
    assert damage == [scan.Damage(len(records[0]), 30, "truncated")]


@pytest.mark.parametrize("left", [1, 11, 12, 15, 60])
def test_a_file_cut_off(tmp_path, records, left):
    good, damage = _scan(tmp_path, [*records[:5], records[5][:left]])
    assert good == _data(records[:5])
    assert [(step.kind, step.num_bytes) for step in damage] == [
        ("truncated", left)
    ]


def test_junk_between_records_larger_than_a_search(tmp_path, records):
    # Longer than one step of the search, 2^20 bytes.
    junk = np.random.default_rng(9).bytes((1 << 20) + 12345)
    good, damage = _scan(tmp_path, [records[0], junk, records[1]])
    assert good == _data(records[:2])
    assert damage == [scan.Damage(len(records[0]), len(junk), "bad_header")]


def test_a_file_of_another_kind(tmp_path):
    good, damage = _scan(tmp_path, [b"<html>" + b"x" * 100])
    assert good == []
    assert damage == [scan.Damage(0, 106, "bad_header")]


def test_an_empty_file(tmp_path):
    assert _scan(tmp_path, []) == ([], [])


@pytest.mark.slow
def test_random_damage_costs_no_more_than_what_it_touches(tmp_path, records):
    content = b"".join(records)
    starts = np.cumsum([0] + [len(record) for record in records])
    rng = np.random.default_rng(0)
    for _ in range(60):
        places = rng.integers(0, len(content), rng.integers(1, 4))
        changed = bytearray(content)
        for place in places:
            changed[place] ^= int(rng.integers(1, 256))
        good, _ = _scan(tmp_path, [bytes(changed)])
        touched = {
            int(np.searchsorted(starts, place, side="right")) - 1
            for place in places
        }
        # Two changes of one byte may undo each other.
        untouched = [
            record[12:-4]
            for number, record in enumerate(records)
            if number not in touched
        ]
        extra = [data for data in good if data not in untouched]
        assert [data for data in good if data in untouched] == untouched
        assert all(data in _data(records) for data in extra)


def test_a_missing_file(tmp_path):
    file = str(tmp_path / "missing")
    with pytest.raises(tf.errors.NotFoundError):
        list(scan.scan_records(file))
    message = "missing: expected a TFRecord file that can be opened. Received: "
    with pytest.raises(readers.DataError, match=message):
        list(scan.read_good(file))


def test_files_that_must_be_good(tmp_path, records):
    path = tmp_path / "good.tfrecord"
    assert list(scan.read_good(str(path))) == [*enumerate(_data(records))]
    path.write_bytes(b"".join(records)[:-7])
    with pytest.raises(
        readers.DataError,
        match=rf"{path}: record 7 .*Received: truncated. The file is truncated",
    ):
        list(scan.read_good(str(path)))
    path.write_bytes(b"")
    with pytest.raises(readers.DataError, match="expected at least one record"):
        list(scan.read_good(str(path)))
