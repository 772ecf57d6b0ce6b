"""Tests of which records are read without protobuf: nearly all."""

import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import normal_records

_VIDEO = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
_FRAMES = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10, 5)


@pytest.fixture
def normalized(monkeypatch):
    """Lists the records that are given to protobuf."""
    found = []
    normalize = normal_records.Wanted.normalize

    def note(self, records):
        found.extend(records)
        return normalize(self, records)

    monkeypatch.setattr(normal_records.Wanted, "normalize", note)
    return found


def _count(reader, records):
    """Reads records as a data set does."""
    batch = reader.parse(
        tf.constant(records),
        files=tf.fill([len(records)], "a"),
        indices=tf.range(len(records), dtype=tf.int64),
    )
    return len(batch["id"])


def _make_audioset(index):
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(index, id_key="video_id")
    )
    for key in ("start_time_seconds", "end_time_seconds"):
        message.context.feature[key].float_list.value.append(index)
    return message.SerializeToString()


def _make_empty_lists(index):
    """Makes a video as YouTube-8M does, with lists that are empty."""
    return record_makers.make_video_example(index) + b"\x12\x00"


@pytest.mark.parametrize(
    ("reader", "make"),
    [
        (_VIDEO, record_makers.make_video_example),
        (_VIDEO, _make_empty_lists),
        (_FRAMES, record_makers.make_frame_example),
        (_FRAMES, record_makers.make_packed_example),
        (_FRAMES, _make_audioset),
    ],
    ids=["video", "empty lists", "frames", "packed", "audioset"],
)
def test_usual_records_are_not_given_to_protobuf(reader, make, normalized):
    assert _count(reader, [make(index) for index in range(20)]) == 20
    assert not normalized


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reader", "make"),
    [
        (_VIDEO, record_makers.make_video_example),
        (_FRAMES, record_makers.make_frame_example),
        (_FRAMES, record_makers.make_packed_example),
    ],
    ids=["video", "frames", "packed"],
)
def test_what_nobody_asks_for_is_taken_out(reader, make, normalized):
    # Field 1 of the record, an entry "x" whose value has no list.
    extra = b"\x0a\x07\x0a\x05\x0a\x01x\x12\x00"
    assert _count(reader, [make(0), make(1) + extra]) == 2
    assert len(normalized) == 2


def test_empty_list_of_floats_inside_of_labels_is_no_empty_lists(normalized):
    """The bytes 18 and 0 at the end make labels floats, and no lists."""
    plain = record_makers.make_video_example(1, labels=None)
    entry = b"\x0a\x11\x0a\x06labels\x12\x07\x1a\x03\x0a\x01\x07\x12\x00"
    content = plain[2:] + entry
    assert len(content) < 128
    hidden = b"\x0a" + bytes([len(content)]) + content
    with pytest.raises(tf.errors.InvalidArgumentError):
        _count(_VIDEO, [hidden])
    assert normalized


def test_real_videos_are_not_given_to_protobuf(shared_data, normalized):
    for name in ("yt8m_2017_video", "yt8m_2018_video"):
        for file in sorted((shared_data / name).glob("*.tfrecord"))[:1]:
            records = tf.data.TFRecordDataset(str(file)).take(200)
            records = list(records.as_numpy_iterator())
            num_classes = 4716 if "2017" in name else 3862
            reader = readers.VideoLevelReader(num_classes=num_classes)
            assert _count(reader, records) == len(records)
    file = shared_data / "audioset" / "bal_train.tfrecord"
    records = list(
        tf.data.TFRecordDataset(str(file)).take(200).as_numpy_iterator()
    )
    reader = readers.FrameLevelReader(("audio_embedding",), (128,), 527, 10)
    assert _count(reader, records) == len(records)
    assert not normalized
