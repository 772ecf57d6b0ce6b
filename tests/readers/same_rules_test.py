"""What verify calls good is what readers read, with protobuf's values.

Records are encoded in unusual ways, changed by some bytes, and given values
that do not fit. Set YT8M_FUZZ_CASES and YT8M_FUZZ_SEED for more and others.
"""

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import unusual_encodings
from yt8m_compact import readers
from yt8m_compact.readers import messages
from yt8m_compact.readers import record_rules

_CASES = int(os.environ.get("YT8M_FUZZ_CASES", "250"))
_SEED = int(os.environ.get("YT8M_FUZZ_SEED", "0"))
_LAYOUT = record_rules.Layout
_FLOAT_NAMES = ("RGB/feature/floats", "AUDIO/feature/floats")


@dataclasses.dataclass(frozen=True)
class _Kind:
    """Records of one kind, what verify is told of them, and a reader.

    Attributes:
        spec: What verify expects.
        reader: Reads all of a record.
        make: Makes the record of a number.
    """

    spec: record_rules.RecordSpec
    reader: readers.VideoLevelReader | readers.FrameLevelReader
    make: Callable[[int], bytes]


def _kind(layout, names, sizes, num_classes, make, **arguments):
    spec = record_rules.RecordSpec(layout, names, sizes, num_classes)
    if layout is _LAYOUT.VIDEO:
        reader = readers.VideoLevelReader(names, sizes, num_classes)
    else:
        reader = readers.FrameLevelReader(
            names, sizes, num_classes, max_frames=12, **arguments
        )
    return _Kind(spec, reader, make)


def _make_floats(index):
    rng = np.random.default_rng(index)
    frames = {
        name: rng.uniform(-2, 2, (3, size))
        for name, size in zip(_FLOAT_NAMES, (6, 3), strict=True)
    }
    return record_makers.make_float_frame_example(index, frames)


def _make_segments(index):
    segments = [(index % 3, index % 10, 1.0), (2, 3, 0.0), (2, 4, 1.0)]
    return record_makers.make_frame_example(
        index, 8, segments=segments[: 1 + index % 3]
    )


def _make_mixed(index):
    make = (
        record_makers.make_frame_example,
        record_makers.make_packed_example,
    )
    return make[index % 2](index, 1 + index % 5)


def _make_audioset(index):
    """Makes a record with single numbers that nobody asks for."""
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(index, labels=[130], num_classes=200)
    )
    features = message.context.feature
    features["start_time_seconds"].float_list.value.append(30.0)
    features["end_time_seconds"].float_list.value.append(40.0)
    return message.SerializeToString()


_FRAMES = ("rgb", "audio"), (6, 3)
_KINDS = {
    "video": _kind(
        _LAYOUT.VIDEO,
        ("mean_rgb", "mean_audio"),
        (6, 3),
        10,
        record_makers.make_video_example,
    ),
    "a float": _kind(
        _LAYOUT.VIDEO,
        ("mean_rgb", "mean_audio"),
        (1, 2),
        10,
        lambda index: record_makers.make_video_example(
            index, feature_sizes={"mean_rgb": 1, "mean_audio": 2}
        ),
    ),
    "frames": _kind(
        _LAYOUT.FRAMES, *_FRAMES, 10, record_makers.make_frame_example
    ),
    "packed": _kind(
        _LAYOUT.PACKED, *_FRAMES, 10, record_makers.make_packed_example
    ),
    "mixed": _kind(_LAYOUT.FRAMES, *_FRAMES, 10, _make_mixed),
    "audioset": _kind(_LAYOUT.FRAMES, *_FRAMES, 200, _make_audioset),
    "segments": _kind(
        _LAYOUT.FRAMES,
        *_FRAMES,
        10,
        _make_segments,
        parts=readers.VideoParts.SEGMENTS,
    ),
    "floats": _kind(
        _LAYOUT.FLOATS,
        _FLOAT_NAMES,
        (6, 3),
        10,
        _make_floats,
        float_frames=True,
    ),
}


def _change_values(rng: np.random.Generator, data: bytes) -> bytes:
    """Changes, adds or takes away a value somewhere, or a whole feature."""
    message = tf.train.SequenceExample.FromString(data)
    context = message.context.feature
    lists = message.feature_lists.feature_list
    steps = [step for key in lists for step in lists[key].feature]
    kind = rng.integers(4)
    if kind == 0 and lists:
        key = sorted(lists)[rng.integers(len(lists))]
        number = len(lists[key].feature)
        del lists[key].feature[int(rng.integers(number + 1)) :]
        return message.SerializeToString()
    key = sorted(context)[rng.integers(len(context))]
    if kind == 1:
        del context[key]
        return message.SerializeToString()
    feature = context[key]
    if steps and rng.integers(2):
        feature = steps[rng.integers(len(steps))]
    if kind == 2:
        other = rng.integers(3)
        values = (feature.bytes_list, feature.int64_list, feature.float_list)
        values[other].value.extend([(b"abc", b""), (-1, 3), (0.5,)][other])
        return message.SerializeToString()
    values = getattr(feature, feature.WhichOneof("kind")).value
    new = {
        bytes: [b"", b"abc", b"abcdef"],
        int: [-1, 0, 5, 9, 10, 199, 200, 2**40, -(2**63)],
        float: [0.0, 1.0, 0.5, np.nan, np.inf, 3e38],
    }[type(values[0]) if values else bytes]
    value = new[rng.integers(len(new))]
    place = int(rng.integers(len(values) + 1))
    if place < len(values):
        values[place] = value
    else:
        values.append(value)
    return message.SerializeToString()


def _change_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """Flips, removes or repeats a few bytes."""
    start = int(rng.integers(0, len(data)))
    end = start + int(rng.integers(1, 5))
    kind = rng.integers(3)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    flipped = data[start] ^ (1 << int(rng.integers(8)))
    return data[:start] + bytes([flipped]) + data[start + 1 :]


def _changed(rng: np.random.Generator, data: bytes, case: int) -> bytes:
    """Changes a record in one of the ways, or in two of them."""
    if case % 8 == 0:
        return data
    if case % 4 == 1:
        data = _change_values(rng, data)
    if case % 4 in (1, 2):
        data = unusual_encodings.Encoder(rng).record(data)
    if case % 4 == 3:
        data = unusual_encodings.Encoder(rng, 0.05).record(data)
        data = _change_bytes(rng, data)
    return data


def _rows(data: bytes, kind: _Kind) -> Iterator[tuple]:
    """Lists the rows that a good record gives, by protobuf and NumPy."""
    message = messages.parse(data)
    found = record_rules.examine(data, kind.spec)
    spec = kind.spec
    if kind.reader.frame_features and (
        kind.reader.parts is readers.VideoParts.SEGMENTS
    ):
        hot = None  # Segments have labels of their own.
    else:
        hot = np.zeros(spec.num_classes, np.float32)
        hot[list(found.labels or ())] = 1
    if spec.layout is _LAYOUT.VIDEO:
        values = [
            np.array(message.context.feature[name].float_list.value, "f4")
            for name in spec.feature_names
        ]
        yield found.id, hot, np.concatenate(values)
        return
    parts = []
    for name, size in zip(spec.feature_names, spec.feature_sizes, strict=True):
        if spec.layout is _LAYOUT.FLOATS:
            steps = message.feature_lists.feature_list[name].feature
            rows = np.array([one.float_list.value for one in steps], "f4")
            # Code c stands for (c + 0.5) * 4 / 255 - 2, computed as readers do.
            codes = (np.clip(rows, -2, 2) + 2) * np.float32(255 / 4)
            parts.append(np.clip(np.rint(codes - 0.5), 0, 255))
        else:
            codes = messages.frame_codes(message, name)
            parts.append(np.frombuffer(codes, np.uint8).reshape(-1, size))
    frames = np.concatenate(parts, axis=1)[:12]
    if hot is not None:
        yield found.id, hot, frames
        return
    features = message.context.feature
    if "segment_labels" not in features:
        return
    rated: dict[int, np.ndarray] = {}
    for label, start, score in zip(
        features["segment_labels"].int64_list.value,
        features["segment_start_times"].int64_list.value,
        features["segment_scores"].float_list.value,
        strict=True,
    ):
        scores = rated.setdefault(start, np.zeros(spec.num_classes, "f4"))
        scores[label] = score
    for start, scores in rated.items():
        name = found.id + b":%d" % start
        yield name, scores, frames[start : start + 5]


def _faults(record: bytes, kind: _Kind) -> list[tuple[str, str]]:
    """Lists what verify says of a record, as far as the reader needs it."""
    faults = record_rules.examine(record, kind.spec).faults
    if kind.reader.with_labels and not (
        kind.reader.frame_features
        and kind.reader.parts is readers.VideoParts.SEGMENTS
    ):
        return list(faults)
    # The labels of the videos are not those of their segments.
    return [
        (fault, text)
        for fault, text in faults
        if fault != "bad_label" or "segment_labels" in text
    ]


def _check(records: Sequence[bytes], kind: _Kind, folder) -> int:
    """Compares verify and the reader; returns how many records are good."""
    file = record_makers.write_tfrecord(folder / "records", records)
    good = [not _faults(record, kind) for record in records]
    skipped = readers.SkippedData()
    dataset = readers.make_dataset(
        kind.reader, [file], batch_size=16, skipped=skipped
    )
    rows = [
        {key: values[row] for key, values in batch.items()}
        for batch in dataset.as_numpy_iterator()
        for row in range(len(batch["id"]))
    ]
    bad = skipped._records.get(file, {})
    # TensorFlow's parsers read a list that claims to be longer than what it is
    # in up to the end of that: the values that are there. Protobuf refuses it.
    lenient = set()
    for number, record in enumerate(records):
        faults = _faults(record, kind)
        if number not in bad and messages.read(record) is None:
            lenient.add(number)
            continue
        assert good[number] == (number not in bad), (
            number,
            record,
            faults,
            bad.get(number),
        )
    for number, record in enumerate(records):
        if number in lenient:
            rows.pop(0)
        if not good[number]:
            continue
        for name, labels, values in _rows(record, kind):
            row = rows.pop(0)
            assert row["id"] == name, record
            np.testing.assert_array_equal(row["labels"], labels, str(record))
            if not kind.reader.frame_features:
                np.testing.assert_array_equal(row["features"], values)
                continue
            assert row["num_frames"] == len(values)
            found = row["frames"][: len(values)]
            # The codes of floats may be rounded in another direction.
            limit = 1 if kind.reader.float_frames else 0
            np.testing.assert_allclose(
                found, values, rtol=0, atol=limit, err_msg=str(record)
            )
    assert not rows
    assert len(lenient) <= 0.05 * len(records)
    return sum(good)


def _compare(name, number, folder):
    rng = np.random.default_rng([_SEED, len(name), number])
    kind = _KINDS[name]
    records = [_changed(rng, kind.make(case), case) for case in range(number)]
    if kind.reader.frame_features and (
        kind.reader.parts is readers.VideoParts.SEGMENTS
    ):
        # How many rows one of these would give, nothing else says.
        records = [one for one in records if messages.read(one) is not None]
    num_good = _check(records, kind, folder)
    assert 0.25 * number < num_good < 0.9 * number


# The others are among the slow tests below: a reader is traced for each.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["video", "mixed", "segments"])
def test_readers_and_verify_agree(name, tmp_path):
    _compare(name, 64, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(_KINDS))
def test_readers_and_verify_agree_on_more(name, tmp_path):
    _compare(name, _CASES, tmp_path)
