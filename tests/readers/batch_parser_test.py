"""Tests of batches that TensorFlow's parsers refuse or read wrongly."""

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import unusual_encodings
from yt8m_compact import readers

_VIDEO = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
_FRAMES = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10, 5)
_field = unusual_encodings.field
# TensorFlow's parser says of this one neither where nor which it is.
_UNNAMED = b"\n\x05\n\x03\n\x09i"


def _labels_entry(*lists: bytes) -> bytes:
    """Writes the entry of labels in a map of features."""
    value = b"".join(_field(3, one) for one in lists)
    return _field(1, _field(1, b"labels") + _field(2, value))


def _with_labels(make, entry: bytes) -> bytes:
    """Makes a record of two fields, the labels in one of their own."""
    return make(1, labels=None) + _field(1, entry)


_PACKED_3 = _field(1, b"\x03")
_PACKED_45 = _field(1, b"\x04\x05")
_LABELS = {
    # labels -> what of protobuf's wire format: a list's number 1, packed
    # (0x0A, length) or not (0x08).
    "two packed parts": (_labels_entry(_PACKED_3 + _PACKED_45), [3, 4, 5]),
    "packed and not": (_labels_entry(_PACKED_3 + b"\x08\x05"), [3, 5]),
    "not packed and packed": (
        _labels_entry(b"\x08\x05" + _PACKED_45),
        [4, 5],
    ),
    "two lists": (_labels_entry(_PACKED_3, _PACKED_45), [3, 4, 5]),
    "two entries": (
        _labels_entry(_PACKED_3) + _labels_entry(_PACKED_45),
        [4, 5],
    ),
    "a longer number": (_labels_entry(_field(1, b"\x83\x80\x00")), [3]),
    "a longer length": (_labels_entry(b"\x0a\x81\x00\x03"), [3]),
    "an unknown field": (_labels_entry(_PACKED_3 + b"\x48\x07"), [3]),
    "a group": (_labels_entry(_PACKED_3 + b"\x4b\x08\x07\x4c"), [3]),
    "another kind before": (
        _field(
            1,
            _field(1, b"labels")
            + _field(2, _field(1, _field(1, b"x")) + _field(3, _PACKED_45)),
        ),
        [4, 5],
    ),
    "the key last": (
        _field(1, _field(2, _field(3, _PACKED_3)) + _field(1, b"labels")),
        [3],
    ),
}
_MAKERS = {
    "video": (_VIDEO, record_makers.make_video_example),
    "frames": (_FRAMES, record_makers.make_frame_example),
    "packed": (_FRAMES, record_makers.make_packed_example),
}


def _read(reader, records, folder, **arguments):
    file = record_makers.write_tfrecord(folder / "a", records)
    dataset = readers.make_dataset(reader, [file], batch_size=4, **arguments)
    with readers.readable_errors():
        return list(dataset.as_numpy_iterator())


@pytest.mark.slow
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "stop"])
@pytest.mark.parametrize("kind", list(_MAKERS))
def test_labels_in_every_encoding(kind, skip, tmp_path):
    reader, make = _MAKERS[kind]
    records = [_with_labels(make, entry) for entry, _ in _LABELS.values()]
    skipped = readers.SkippedData() if skip else None
    batches = _read(reader, records, tmp_path, skipped=skipped)
    found = np.concatenate([batch["labels"] for batch in batches])
    for row, (name, (_, labels)) in zip(found, _LABELS.items(), strict=True):
        assert np.flatnonzero(row).tolist() == labels, name
    assert not skipped


@pytest.mark.slow
def test_labels_hidden_behind_single_numbers_that_are_not_packed(tmp_path):
    """A record of as many bytes as its usual encoding with label 3 alone."""
    rgb, audio = [b"abcdef"], [b"abc"]
    record = record_makers.make_frame_example(
        1, labels=None, frames={"rgb": rgb, "audio": audio}
    )
    usual = tf.train.SequenceExample.FromString(record)
    context = usual.context.feature
    context["labels"].int64_list.value.append(3)
    entries = [_labels_entry(_PACKED_3 + b"\x08\x05")]
    for key in ("start_time_seconds", "end_time_seconds"):
        context[key].float_list.value.append(1.0)
        value = b"\x0d" + np.float32(1).tobytes()  # tag 1, 4 bytes: no list
        entry = _field(1, key.encode()) + _field(2, _field(2, value))
        entries.append(_field(1, entry))
    bare = tf.train.SequenceExample.FromString(record)
    of_id = bare.context.SerializeToString()
    lists = bare.feature_lists.SerializeToString()
    record = _field(1, of_id + b"".join(entries)) + _field(2, lists)
    assert len(record) == len(usual.SerializeToString())
    (batch,) = _read(_FRAMES, [record], tmp_path)
    assert np.flatnonzero(batch["labels"][0]).tolist() == [3, 5]


@pytest.mark.slow
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "stop"])
def test_packed_records_and_others_in_one_batch(skip, tmp_path):
    makers = (
        record_makers.make_frame_example,
        record_makers.make_packed_example,
    )
    records = [makers[index % 2](index, 2 + index % 3) for index in range(7)]
    skipped = readers.SkippedData() if skip else None
    batches = _read(_FRAMES, records, tmp_path, skipped=skipped)
    ids = np.concatenate([batch["id"] for batch in batches])
    frames = np.concatenate([batch["frames"] for batch in batches])
    numbers = np.concatenate([batch["num_frames"] for batch in batches])
    assert ids.tolist() == [record_makers.video_id(i) for i in range(7)]
    for index in range(7):
        number = 2 + index % 3
        assert numbers[index] == number
        expected = np.concatenate(
            [
                record_makers.frame_values(index, number, 6, 0),
                record_makers.frame_values(index, number, 3, 1),
            ],
            axis=1,
        )
        np.testing.assert_array_equal(frames[index, :number], expected)
    assert not skipped


@pytest.mark.slow
def test_bad_records_among_both_kinds_are_left_out_alone(tmp_path):
    records = [
        record_makers.make_frame_example(0),
        record_makers.make_packed_example(1),
        record_makers.make_packed_example(2, packed={"rgb": b"abc"}),
        record_makers.make_frame_example(3, frames={"rgb": [b"abc"]}),
    ]
    skipped = readers.SkippedData()
    (batch,) = _read(_FRAMES, records, tmp_path, skipped=skipped)
    assert batch["id"].tolist() == [b"v00000", b"v00001"]
    assert skipped.num_records == 2
    with pytest.raises(
        readers.DataError, match="record 2: expected the packed feature 'rgb'"
    ):
        _read(_FRAMES, records, tmp_path)


@pytest.mark.slow
def test_data_sets_read_in_turn_name_their_own_records(tmp_path):
    """Also where TensorFlow's parser names none."""
    iterators = {}
    for number in range(3):
        records = [
            record_makers.make_video_example(index) for index in range(8)
        ]
        records[4 + number] = _UNNAMED
        file = record_makers.write_tfrecord(tmp_path / str(number), records)
        dataset = readers.make_dataset(_VIDEO, [file], batch_size=4)
        iterators[f"{file}: record {4 + number}: expected"] = iter(dataset)
    for iterator in iterators.values():
        assert len(next(iterator)["id"]) == 4
    for place, iterator in reversed(iterators.items()):
        with pytest.raises(readers.DataError) as raised:
            with readers.readable_errors():
                next(iterator)
        assert str(raised.value).startswith(place)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(_MAKERS))
def test_what_protobuf_refuses_is_refused(kind, tmp_path):
    """TensorFlow's parsers read it: the key of a map is to be text."""
    reader, make = _MAKERS[kind]
    value = _field(2, _field(3, _PACKED_3))
    bad = make(1) + _field(1, _field(1, _field(1, b"\xff") + value))
    with pytest.raises(readers.DataError, match="a: record 1: expected a tf"):
        _read(reader, [make(0), bad], tmp_path)
    skipped = readers.SkippedData()
    (batch,) = _read(reader, [make(0), bad], tmp_path, skipped=skipped)
    assert batch["id"].tolist() == [b"v00000"]
    assert skipped.num_records == 1
