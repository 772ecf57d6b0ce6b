"""Headers that lie and files that change: counted or an error, never a crash.

TensorFlow's reader kills the process at some of these headers, so that each
reader of ours runs in a process of its own.
"""

import json
import pathlib
import struct
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import damaged_files
import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import crc32c
from yt8m_compact.readers import framing
from yt8m_compact.readers import headers
from yt8m_compact.readers import records as records_module

_LENGTHS = (1, 4096, 2**36, 2**40, 2**62, 2**63 - 100, 2**63, 2**64 - 1)
_DATA = [bytes([65 + place]) * (9 + 7 * place) for place in range(5)]

_READ_ALL = """
import json, sys
import tensorflow as tf
from yt8m_compact import readers
from yt8m_compact.datasets import scan
from yt8m_compact.readers import framing
out = []
files = json.load(sys.stdin)
good = {file: [] for file in files}
skipped = readers.SkippedData()
for file, _, one in readers.read_records(
    files, skipped=skipped
).as_numpy_iterator():
    good[file.decode()].append(len(one))
left_out = {one.file: one for one in skipped.files()}
for file in files:
    try:
        with readers.readable_errors():
            list(readers.read_records([file]).as_numpy_iterator())
        stop = ""
    except readers.DataError as error:
        stop = str(error)
    try:
        readers.inspect_file(file)
    except readers.DataError:
        pass
    steps = list(scan.scan_records(file))
    covered = sum(
        len(one.data) + 16 if isinstance(one, scan.Record) else one.num_bytes
        for one in steps
    )
    scanned = [len(one.data) for one in steps if isinstance(one, scan.Record)]
    readers.estimate_num_records([file])
    out.append([good[file], left_out[file].num_records,
                left_out[file].num_bytes, stop, scanned, covered,
                framing.describe_damage(file)])
json.dump(out, sys.stdout)
"""


def _masked(data: bytes) -> bytes:
    return struct.pack("<I", crc32c.masked_crc32c(data))


def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked(packed)


def _record(data: bytes, good: bool = True) -> bytes:
    crc = _masked(data if good else data + b"x")
    return _header(len(data)) + data + crc


@pytest.mark.slow
def test_lengths_beyond_the_file_kill_no_reader(tmp_path):
    files, expected = [], []
    for length in _LENGTHS:
        for before in range(4):
            path = tmp_path / f"{length}-{before}"
            parts = [
                _record(one, place != 1) for place, one in enumerate(_DATA)
            ]
            # Zeros are no header: their checksum is not 0.
            lie = _header(length) + bytes(50)
            good = sum(map(len, parts[:before]))
            path.write_bytes(b"".join(parts[:before]) + lie)
            files.append(str(path))
            lengths = [
                len(one)
                for place, one in enumerate(_DATA[:before])
                if place != 1
            ]
            # A length that fits is a record whose data is wrong; what follows
            # its 17 bytes is no header.
            bad = int(before > 1) + (length == 1)
            rest = len(lie) - 17 * (length == 1)
            first = 1 if before > 1 else before
            expected.append((lengths, bad, rest, first, good + len(lie)))
    done = subprocess.run(
        [sys.executable, "-c", _READ_ALL],
        input=json.dumps(files),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for file, found, (lengths, bad, rest, first, size) in zip(
        files, json.loads(done.stdout), expected, strict=True
    ):
        good, num_records, num_bytes, stop, scanned, covered, reason = found
        assert (good, num_records, num_bytes) == (lengths, bad, rest), file
        assert stop.startswith(f"{file}: record {first} (byte "), stop
        assert scanned == lengths
        assert covered == size
        assert "good record(s)" in reason or "does not start" in reason


def _read_some(file, change, number, skipped=None):
    """Reads a record, changes the file, and reads on."""
    found = []
    iterator = iter(readers.read_records([file], skipped=skipped))
    with readers.readable_errors():
        for place, (_, _, data) in enumerate(iterator):
            found.append(data.numpy())
            if place == number:
                change()
    return found


@pytest.fixture(name="large")
def fixture_large(tmp_path, monkeypatch):
    """A file of many stretches and chunks, and its records."""
    monkeypatch.setattr(headers, "WALK_BYTES", 1 << 12)
    monkeypatch.setattr(records_module, "_CHUNK_BYTES", 1 << 11)
    rng = np.random.default_rng(0)
    data = [rng.bytes(1000 + 13 * number) for number in range(1200)]
    file = tmp_path / "large"
    return file, damaged_files.frame(file, data), data


@pytest.mark.slow
def test_many_stretches_are_one_file(large):
    file, _, data = large
    for skipped in (None, readers.SkippedData()):
        found = readers.read_records([str(file)], skipped=skipped)
        assert [one for *_, one in found.as_numpy_iterator()] == data
    assert list(framing.iterate(str(file))) == data
    assert framing.read_record(str(file), 1100) == data[1100]


@pytest.mark.slow
def test_file_that_is_cut_off_between_records_while_it_is_read(large):
    file, framed, data = large
    size = sum(map(len, framed))
    left = sum(map(len, framed[:1000]))

    def cut():
        with open(file, "r+b") as stream:
            stream.truncate(left)

    skipped = readers.SkippedData()
    found = _read_some(str(file), cut, 3, skipped)
    assert found == data[:1000]
    (one,) = skipped.files()
    assert (one.num_records, one.num_bytes) == (0, size - left)
    changed = f"The file changed while it was read: it had {size} bytes"
    assert one.reason.startswith(f"{changed} and has {left} now")
    file.write_bytes(b"".join(framed))
    with pytest.raises(readers.DataError, match=changed):
        _read_some(str(file), cut, 3)


@pytest.mark.slow
def test_file_that_grows_while_it_is_read(large):
    file, framed, data = large
    size = sum(map(len, framed))

    def grow():
        with open(file, "ab") as stream:
            stream.write(framed[0])

    skipped = readers.SkippedData()
    assert _read_some(str(file), grow, 3, skipped) == data
    assert skipped.num_bytes == len(framed[0])
    with pytest.raises(
        readers.DataError,
        match=f"it had {size + len(framed[0])} bytes and has "
        f"{size + 2 * len(framed[0])} now; start again",
    ):
        _read_some(str(file), grow, 3)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [True, False])
def test_file_that_is_removed_is_called_missing(tmp_path, stop):
    file = record_makers.write_tfrecord(tmp_path / "gone", _DATA)
    size = pathlib.Path(file).stat().st_size
    skipped = None if stop else readers.SkippedData()
    dataset = readers.read_records([file], skipped=skipped)
    pathlib.Path(file).unlink()
    if stop:
        with pytest.raises(
            readers.DataError, match=rf"^{file}: record 0 .*The file is missing"
        ):
            with readers.readable_errors():
                list(dataset)
    else:
        assert list(dataset) == []
        assert skipped.files() == [
            readers.SkippedFile(file, 0, size, "The file is missing.")
        ]


@pytest.mark.slow
def test_files_that_are_not_local_are_read_from_memory(large):
    file, framed, data = large
    remote = "ram://tests/large"
    content = file.read_bytes()
    lie = _header(2**40) + bytes(50)
    with tf.io.gfile.GFile(remote, "wb") as stream:
        stream.write(content + lie)
    skipped = readers.SkippedData()
    found = readers.read_records([remote], skipped=skipped)
    assert [one for *_, one in found.as_numpy_iterator()] == data
    assert (skipped.num_records, skipped.num_bytes) == (0, len(lie))
    assert list(framing.iterate(remote)) == data
    del found
    # The same stretches, so that the order is that of a local file.
    local = headers.walk(str(file), 0, len(content), 8)
    other = headers.walk(remote, 0, len(content), 8)
    assert (local.number, local.end) == (other.number, other.end)
    headers.release(other)
    assert not tf.io.gfile.exists(other.path)
