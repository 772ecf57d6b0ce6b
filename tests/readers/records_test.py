"""Tests of the reading of TFRecord files, whole and damaged."""

import gzip
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import records as records_module

_NUM_RECORDS = 5


@pytest.fixture
def payloads():
    """Records of different lengths, one of them empty."""
    return [bytes(range(index, 3 * index)) * 9 for index in range(_NUM_RECORDS)]


@pytest.fixture
def file(tmp_path, payloads):
    return record_makers.write_tfrecord(tmp_path / "a.tfrecord", payloads)


def _read(files, **arguments):
    with readers.readable_errors():
        return [
            (name.decode(), int(index), data)
            for name, index, data in readers.read_records(
                files, **arguments
            ).as_numpy_iterator()
        ]


def _bounds(payloads):
    """The offsets at which records start, and the file's size."""
    return np.cumsum([0] + [16 + len(data) for data in payloads]).tolist()


def _many_files(folder, sizes):
    files, expected = [], []
    for number, size in enumerate(sizes):
        data = [b"%d of %d" % (index, number) for index in range(size)]
        file = record_makers.write_tfrecord(folder / f"{number:02}", data)
        files.append(file)
        expected += [(file, index, one) for index, one in enumerate(data)]
    return files, expected


def test_elements_are_file_index_and_data(file, payloads):
    dataset = readers.read_records([file])
    assert dataset.element_spec == (
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([], tf.int64),
        tf.TensorSpec([], tf.string),
    )
    assert _read([file]) == [
        (file, index, data) for index, data in enumerate(payloads)
    ]


@pytest.mark.parametrize("num_readers", [1, 3, 20])
@pytest.mark.parametrize("shuffle_buffer", [0, 1, 16, 1000])
def test_every_record_comes_once(tmp_path, num_readers, shuffle_buffer):
    files, expected = _many_files(tmp_path, [1, 70, 3, 200, 64, 128, 65])
    found = _read(
        files, num_readers=num_readers, shuffle_buffer=shuffle_buffer, seed=4
    )
    assert sorted(found) == sorted(expected)


def test_one_reader_keeps_the_order_of_files(tmp_path):
    files, expected = _many_files(tmp_path, [1, 70, 3, 200])
    assert _read(files, num_readers=1) == expected


@pytest.mark.parametrize("chunk_bytes", [1, 50, 10**9])
def test_size_of_the_chunks_changes_nothing(tmp_path, monkeypatch, chunk_bytes):
    monkeypatch.setattr(records_module, "_CHUNK_BYTES", chunk_bytes)
    files, expected = _many_files(tmp_path, [1, 70, 3])
    assert sorted(_read(files)) == sorted(expected)


@pytest.mark.slow
@pytest.mark.parametrize("shuffle_buffer", [0, 5])
def test_number_of_processors_changes_nothing(
    tmp_path, monkeypatch, shuffle_buffer
):
    # Many chunks a file, and files that end before others.
    monkeypatch.setattr(records_module, "_CHUNK_BYTES", 20)
    files, expected = _many_files(tmp_path, [17, 3, 40, 1, 8])
    orders = []
    for processors in [1, 2, 8]:
        monkeypatch.setattr(
            records_module.os, "cpu_count", lambda n=processors: n
        )
        orders.append(
            _read(files, num_readers=3, shuffle_buffer=shuffle_buffer)
        )
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0]) == sorted(expected)


@pytest.mark.slow
def test_order_is_a_function_of_the_seed(tmp_path):
    files, _ = _many_files(tmp_path, [40, 30, 50])

    def order(seed):
        return _read(files, shuffle_buffer=16, seed=seed)

    assert order(1) == order(1)
    assert order((1, 0)) == order((1, 0))
    orders = [order(seed) for seed in (1, 2, (2, 1), (1, 2))]
    for number, one in enumerate(orders):
        for other in orders[:number]:
            assert one != other


@pytest.mark.slow
def test_global_seed_does_not_change_the_order(tmp_path):
    files, _ = _many_files(tmp_path, [40, 30])
    orders = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.append(_read(files, shuffle_buffer=16, seed=7))
    assert orders[0] == orders[1]


@pytest.mark.slow
def test_shuffling_leaves_the_global_seed_alone(tmp_path):
    files, _ = _many_files(tmp_path, [4])
    tf.random.set_seed(1)
    expected = [tf.random.uniform([]).numpy() for _ in range(2)]
    tf.random.set_seed(1)
    found = [tf.random.uniform([]).numpy()]
    _read(files, shuffle_buffer=2)
    found.append(tf.random.uniform([]).numpy())
    assert found == expected


@pytest.mark.slow
def test_shuffling_mixes_files_and_records(tmp_path):
    files, expected = _many_files(tmp_path, [50] * 6)
    found = _read(files, shuffle_buffer=300, seed=0)
    assert found != expected
    # The average distance of two random places among 300 is 100.
    places = {record: place for place, record in enumerate(found)}
    moved = [abs(places[record] - old) for old, record in enumerate(expected)]
    assert 80 < np.mean(moved) < 120


@pytest.mark.slow
def test_file_cut_off_inside_a_record(tmp_path, payloads, file):
    whole = pathlib.Path(file).read_bytes()
    bounds = _bounds(payloads)
    assert bounds[-1] == len(whole)
    for record in (0, _NUM_RECORDS - 1):
        start, end = bounds[record], bounds[record + 1]
        # In the length, its CRC, the data, and the CRC of the data.
        for cut in (start + 1, start + 8, start + 11, start + 12, end - 5):
            if not start < cut < end:
                continue
            path = tmp_path / f"cut{cut}"
            path.write_bytes(whole[:cut])
            with pytest.raises(readers.DataError) as raised:
                _read([str(path)])
            text = str(raised.value)
            assert text.startswith(
                f"{path}: record {record} (byte {start} of {cut}) can't be "
                "read: expected a TFRecord file, complete and not compressed. "
                "Download or write the file again, or leave it out."
            )
            if cut - start < 12:
                assert (
                    f"starts with 12 bytes and {cut - start} are left" in text
                )
            else:
                assert (
                    f"the next record takes {end - start} bytes and "
                    f"{cut - start} are left"
                ) in text


def test_file_cut_off_between_records_is_a_shorter_file(
    tmp_path, payloads, file
):
    # Nothing in the file says how many records it should have.
    whole = pathlib.Path(file).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: _bounds(payloads)[3]])
    assert [data for _, _, data in _read([str(path)])] == payloads[:3]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (1, "The header of a record is corrupt after 2 good record(s)"),
        (9, "The header of a record is corrupt after 2 good record(s)"),
        (14, "The data of a record is corrupt after 2 good record(s)"),
        (-1, "The data of a record is corrupt after 2 good record(s)"),
    ],
)
def test_flipped_bit(tmp_path, payloads, file, place, reason):
    damaged = bytearray(pathlib.Path(file).read_bytes())
    bounds = _bounds(payloads)
    damaged[bounds[2] + place if place > 0 else bounds[3] + place] ^= 4
    path = tmp_path / "flipped"
    path.write_bytes(damaged)
    with pytest.raises(readers.DataError) as raised:
        _read([str(path)])
    text = str(raised.value)
    assert f"{path}: record 2 (byte {bounds[2]} of {len(damaged)})" in text
    assert f"{reason}, at byte {bounds[2]} of {len(damaged)}" in text


def test_good_records_before_the_damage_are_not_lost(tmp_path, payloads, file):
    path = tmp_path / "cut"
    path.write_bytes(pathlib.Path(file).read_bytes()[:-1])
    iterator = iter(readers.read_records([str(path)]))
    assert [next(iterator)[2].numpy() for _ in range(4)] == payloads[:4]
    with pytest.raises(tf.errors.InvalidArgumentError, match="data error"):
        next(iterator)


@pytest.mark.slow
def test_damaged_file_among_good_ones_is_named(tmp_path):
    files, _ = _many_files(tmp_path, [70, 70, 70, 70])
    damaged = pathlib.Path(files[2])
    damaged.write_bytes(damaged.read_bytes()[:-1])
    for arguments in ({}, {"shuffle_buffer": 10}, {"num_readers": 1}):
        with pytest.raises(readers.DataError, match=f"^{damaged}: record 69 "):
            _read(files, **arguments)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"index,mid,display_name\n0,/m/09x0r,Speech\n" * 9,
            "a text file that starts with 'index,mid,display_name', not a",
        ),
        (
            b"\n<!DOCTYPE html><html>404 Not Found</html>",
            "a web page (HTML or XML; a failed download looks like this), not",
        ),
        (
            gzip.compress(b"anything" * 99, mtime=0),
            "compressed with gzip (decompress it with `gunzip` first), not a",
        ),
        (bytes(range(256)), "The file does not start as a TFRecord file does."),
        (b"abc", "a text file that starts with 'abc', not a TFRecord file"),
        (b"Usage", "a text file that starts with 'Usage', not a TFRecord"),
        # 512 bytes are looked at: the last character is cut in two.
        (
            ("x\n" + "u" + 300 * "\u00fc").encode(),
            "a text file that starts with 'x', not a TFRecord file",
        ),
        (b"\xff", "a record starts with 12 bytes and 1 are left"),
    ],
)
def test_foreign_file(tmp_path, content, reason):
    path = tmp_path / "foreign.tfrecord"
    path.write_bytes(content)
    with pytest.raises(readers.DataError) as raised:
        _read([str(path)])
    text = str(raised.value)
    assert f"{path}: record 0 (byte 0 of {len(content)}) can't be read" in text
    assert reason in text


def test_compressed_records(tmp_path, payloads):
    path = tmp_path / "a.tfrecord.gz"
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for data in payloads:
            writer.write(data)
    with pytest.raises(readers.DataError, match="compressed with gzip"):
        _read([str(path)])


def test_empty_file_is_found_before_reading(tmp_path, file):
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(
        readers.DataError,
        match=rf"^{path}: expected a TFRecord file with at least one record\. "
        r"Received: an empty file \(0 bytes\)\. Download or write it again",
    ):
        readers.read_records([file, str(path)])


def test_missing_file_is_found_before_reading(tmp_path, file):
    path = tmp_path / "gone"
    with pytest.raises(
        readers.DataError,
        match=f"^{path}: expected a TFRecord file that can be opened. Receiv",
    ):
        readers.read_records([file, str(path)])


def test_file_removed_after_the_dataset_was_made(tmp_path, file):
    dataset = readers.read_records([file])
    pathlib.Path(file).unlink()
    with pytest.raises(readers.DataError, match=rf"^{file}: record 0 \(byte 0"):
        with readers.readable_errors():
            list(dataset)


def test_folder_instead_of_a_file(tmp_path):
    with pytest.raises(
        readers.DataError,
        match=f"^{tmp_path}: expected a TFRecord file. Received: a folder. "
        rf"Name the files in it, such as '{tmp_path}/\*.tfrecord'",
    ):
        readers.read_records([str(tmp_path)])


def test_name_with_strange_letters(tmp_path):
    path = tmp_path / "été 'x' \\n \"日本\".tfrecord"
    path.write_bytes(b"\x00\x01\x02")
    with pytest.raises(readers.DataError) as raised:
        _read([str(path)])
    assert str(raised.value).startswith(f"{path}: record 0 (byte 0 of 3)")
    assert "The file is truncated" in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"files": []}, r"at least one file name\. Received: files=\[\]"),
        ({"files": "a"}, r"list of at least .*Received: files='a'"),
        ({"num_readers": 0}, "at least 1. Received: num_readers=0"),
        ({"shuffle_buffer": -1}, "0 or more. Received: shuffle_buffer=-1"),
    ],
)
def test_arguments_out_of_range(file, arguments, text):
    with pytest.raises(ValueError, match=text):
        readers.read_records(**({"files": [file]} | arguments))


def test_estimate_is_exact_for_records_of_one_size(tmp_path):
    # Ids and labels have one length each, so all records do.
    records = [
        record_makers.make_video_example(i, labels=[1]) for i in range(300)
    ]
    assert len(set(map(len, records))) == 1
    paths = [str(tmp_path / name) for name in ("a", "b")]
    record_makers.write_tfrecord(paths[0], records[:130])
    record_makers.write_tfrecord(paths[1], records[130:])
    assert readers.estimate_num_records(paths) == 300


def test_estimate_is_close_on_real_data(shared_data):
    files = readers.expand_patterns(
        str(shared_data / "yt8m_2018_video" / "*.tfrecord")
    )
    number = readers.estimate_num_records(files)
    assert number == pytest.approx(28_792, rel=0.02)


def test_estimate_passes_over_empty_files(tmp_path, shared_data):
    empty = tmp_path / "empty.tfrecord"
    empty.touch()
    files = readers.expand_patterns(
        str(shared_data / "yt8m_2018_video" / "*.tfrecord")
    )[:1]
    expected = readers.estimate_num_records(files)
    assert readers.estimate_num_records([str(empty), *files]) == expected
    assert readers.estimate_num_records([str(empty)]) is None


def test_estimate_of_a_foreign_file_is_none(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("index,mid,display_name\n")
    assert readers.estimate_num_records([str(path)]) is None
