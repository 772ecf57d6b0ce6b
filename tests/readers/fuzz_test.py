"""Real files with damage at random: the right records, or an error.

Set YT8M_FUZZ_CASES for more cases than the thousand of every run, and
YT8M_FUZZ_SEED for others.
"""

import os
import pathlib
import struct

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import batch_parser
from yt8m_compact.readers import messages

_CASES = int(os.environ.get("YT8M_FUZZ_CASES", "250"))
_SEED = int(os.environ.get("YT8M_FUZZ_SEED", "0"))
# Each of these takes a dataset of its own.
_STOPS = max(30, _CASES // 50)

_AUDIOSET = readers.FrameLevelReader(("audio_embedding",), (128,), 527, 10)
_VIDEO = readers.VideoLevelReader()


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def _masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _walk(data):
    """Reads a TFRecord file by its definition, as far as that goes.

    Returns:
        `(index, record)` of each good record, the indices of the records whose
        data is corrupt, and the bytes after the last length that is right.
    """
    good, bad, offset, index = [], [], 0, 0
    while offset < len(data):
        head = data[offset : offset + 12]
        if len(head) < 12:
            break
        length, crc = struct.unpack("<QI", head)
        end = offset + 16 + length
        if crc != _masked_crc(head[:8]) or end > len(data):
            break
        record = data[offset + 12 : end - 4]
        if struct.unpack("<I", data[end - 4 : end])[0] == _masked_crc(record):
            good.append((index, record))
        else:
            bad.append(index)
        offset, index = end, index + 1
    return good, bad, len(data) - offset


def _flip(rng, data, _):
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def _truncate(rng, data, bounds):
    near = rng.choice(bounds) + rng.integers(-3, 20)
    cut = near if rng.integers(2) else rng.integers(len(data))
    return data[: np.clip(cut, 1, len(data))]


def _splice(rng, data, bounds):
    """Puts one part of the file in the place of another."""
    places = rng.integers(0, len(data) + 1, 4)
    if rng.integers(2):
        places = rng.choice(bounds, 4)
    start, end = sorted(places[:2])
    first, last = sorted(places[2:])
    return data[:start] + data[first:last] + data[end:] or data[:1]


def _head(file, number):
    data = pathlib.Path(file).read_bytes()
    bounds = [0]
    for _ in range(number):
        (length,) = struct.unpack_from("<Q", data, bounds[-1])
        bounds.append(bounds[-1] + 16 + length)
    return data[: bounds[-1]], bounds


@pytest.fixture(scope="module")
def heads(shared_data):
    """The first records of real files, and where they start."""
    return [
        _head(shared_data / "audioset" / "bal_train.tfrecord", 5),
        _head(shared_data / "yt8m_2018_video" / "validate0000.tfrecord", 2),
    ]


def _damaged(heads, number, folder, seed):
    """Writes damaged files and walks through them: `{file: walk}`."""
    rng = np.random.default_rng([_SEED, seed])
    walks = {}
    for case in range(number):
        data, bounds = heads[case % 4 == 3]
        change = (_flip, _truncate, _splice)[case % 3]
        data = change(rng, data, bounds)
        path = folder / f"{case:06}"
        path.write_bytes(data)
        walks[str(path)] = _walk(data)
    return walks


def test_crc_is_that_of_the_files(heads):
    for data, bounds in heads:
        good, bad, left = _walk(data)
        assert (len(good), bad, left) == (len(bounds) - 1, [], 0)


@pytest.mark.slow
def test_skipping_yields_the_good_records_and_counts_the_others(
    heads, tmp_path
):
    number = max(300, _CASES // 4)
    walks = _damaged(heads, number, tmp_path, 1)
    skipped = readers.SkippedData()
    found = {file: [] for file in walks}
    dataset = readers.read_records(list(walks), skipped=skipped)
    for file, index, record in dataset.as_numpy_iterator():
        found[file.decode()].append((index, record))
    counted = {
        one.file: (one.num_records, one.num_bytes) for one in skipped.files()
    }
    whole = 0
    for file, (good, bad, left) in walks.items():
        assert found[file] == good, file
        assert counted.get(file, (0, 0)) == (len(bad), left), file
        whole += not bad and not left
    assert 0.02 * number < whole < 0.5 * number


@pytest.mark.slow
def test_stopping_names_the_file_and_the_record(heads, tmp_path):
    walks = _damaged(heads, _STOPS, tmp_path, 2)
    num_errors = 0
    for file, (good, bad, left) in walks.items():
        found = []

        def read(file=file, found=found):
            with readers.readable_errors():
                for _, index, record in readers.read_records(
                    [file]
                ).as_numpy_iterator():
                    found.append((index, record))

        if bad or left:
            first = bad[0] if bad else len(good)
            with pytest.raises(readers.DataError) as raised:
                read()
            assert str(raised.value).startswith(f"{file}: record {first} (")
            assert found == good[:first]
            num_errors += 1
        else:
            read()
            assert found == good
    assert num_errors > _STOPS / 3


def _expected_audioset(record):
    """Frames, labels and id of a record, None if it does not fit."""
    example = tf.train.SequenceExample.FromString(record)
    context = example.context.feature
    ids = [
        context[key].bytes_list.value[0]
        for key in ("id", "video_id")
        if key in context and len(context[key].bytes_list.value) == 1
    ]
    labels = list(context["labels"].int64_list.value)
    steps = example.feature_lists.feature_list["audio_embedding"].feature
    frames = [list(step.bytes_list.value) for step in steps]
    if not frames or any([len(one) for one in f] != [128] for f in frames):
        return None
    if not ids or not ids[0] or any(not 0 <= one < 527 for one in labels):
        return None
    codes = np.frombuffer(b"".join(f[0] for f in frames), np.uint8)
    return ids[0], sorted(set(labels)), codes.reshape([-1, 128])[:10]


def _expected_video(record):
    features = tf.train.Example.FromString(record).features.feature
    ids = [
        features[key].bytes_list.value[0]
        for key in ("id", "video_id")
        if key in features and len(features[key].bytes_list.value) == 1
    ]
    labels = list(features["labels"].int64_list.value)
    parts = [
        np.array(features[key].float_list.value, np.float32)
        for key in ("mean_rgb", "mean_audio")
    ]
    values = np.concatenate(parts)
    if [len(part) for part in parts] != [1024, 128]:
        return None
    if not np.isfinite(values).all():
        return None
    if not ids or not ids[0] or any(not 0 <= one < 3862 for one in labels):
        return None
    return ids[0], sorted(set(labels)), values


def _change_record(rng, data):
    """Flips, overwrites, removes or repeats some bytes, most near the ends."""
    places = rng.integers(0, len(data), 2)
    if rng.integers(4):
        places[0] = rng.choice([0, len(data) - 90]) + rng.integers(90)
    start, end = places[0], places[0] + rng.integers(1, 9)
    kind = rng.integers(4)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    if kind == 2:
        return data[:start] + rng.bytes(end - start) + data[end:]
    return _flip(rng, data, None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "expect", "place"),
    [(_AUDIOSET, _expected_audioset, 0), (_VIDEO, _expected_video, 1)],
    ids=["audioset", "video"],
)
def test_changed_records_are_read_as_protobuf_reads_them(
    heads, reader, expect, place, tmp_path
):
    """Records that were wrong before their checksums were computed.

    TensorFlow's parser reads a few that protobuf refuses: lists that claim to
    be longer than what they are in. There is nothing to compare them with.
    """
    data, _ = heads[place]
    records = [record for _, record in _walk(data)[0]]
    file = str(tmp_path / "a file")
    parse_batch = batch_parser.BatchParser(
        batch_parser.parse_function(reader), reader.wanted, None
    )
    parse = tf.function(
        lambda serialized: parse_batch(
            tf.constant([file]),
            tf.constant([7], tf.int64),
            serialized,
            tf.zeros([2], tf.int64),
        ),
        input_signature=[tf.TensorSpec([1], tf.string)],
        autograph=False,
    )
    rng = np.random.default_rng([_SEED, 3, place])
    num_read = num_errors = num_refused = 0
    for case in range(2 * _CASES):
        record = _change_record(rng, records[case % len(records)])
        record_makers.write_tfrecord(file, [b""] * 7 + [record])
        refused = messages.read(record) is None
        expected = None if refused else expect(record)
        try:
            with readers.readable_errors():
                batch = parse(tf.constant([record]))
        except readers.DataError as error:
            assert str(error).startswith(f"{file}: record 7: "), record
            num_errors += 1
            continue
        if refused:
            num_refused += 1
            continue
        num_read += 1
        assert expected is not None, record
        video_id, labels, values = expected
        assert batch["id"][0] == video_id
        assert np.flatnonzero(batch["labels"][0]).tolist() == labels
        if reader.frame_features:
            number = int(batch["num_frames"][0])
            np.testing.assert_array_equal(batch["frames"][0, :number], values)
        else:
            np.testing.assert_array_equal(batch["features"][0], values)
    assert min(num_read, num_errors) > _CASES // 2
    assert num_refused < _CASES // 20
