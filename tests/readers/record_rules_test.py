"""Tests of what is said about one record."""

import functools
import math

import pytest
import tensorflow as tf

import record_makers
import small_records
from yt8m_compact.readers import record_rules


def _kinds(data: bytes, spec: record_rules.RecordSpec) -> list[str]:
    return [kind for kind, _ in record_rules.examine(data, spec).faults]


def _segments(**values: list) -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1)
    )
    for key, numbers in values.items():
        feature = message.context.feature[key]
        kind = "float_list" if key == "segment_scores" else "int64_list"
        getattr(feature, kind).value.extend(numbers)
    return message.SerializeToString()


SEGMENTS = functools.partial(
    _segments,
    segment_labels=[1, 2],
    segment_start_times=[0, 4],
    segment_end_times=[5, 9],
    segment_scores=[0.0, 1.0],
)


def test_good_records():
    found = record_rules.examine(
        record_makers.make_video_example(4), small_records.VIDEO
    )
    assert found.faults == ()
    assert found.id == b"v00004"
    # record_makers: labels 4 * 7 % 10 = 8 and 8 + 11 = 19 = 9 modulo 10.
    assert found.labels == (8, 9)
    assert found.num_frames is None
    found = record_rules.examine(
        record_makers.make_frame_example(4, 7), small_records.FRAMES
    )
    assert found.faults == ()
    assert found.num_frames == 7
    found = record_rules.examine(
        record_makers.make_packed_zeros(rgb=12, audio=6), small_records.PACKED
    )
    assert found.faults == ()
    assert (found.labels, found.num_frames) == (None, 2)


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"", ["unparsable"]),
        (b"no message", ["unparsable"]),
        (record_makers.make_video_example(id_key=None), ["no_id"]),
        (record_makers.make_video_example(labels=[3, 10]), ["bad_label"]),
        (record_makers.make_video_example(labels=[-1]), ["bad_label"]),
        (
            record_makers.make_video_example(feature_sizes={"mean_rgb": 6}),
            ["missing_feature"],
        ),
        (
            record_makers.make_video_example(features={"mean_audio": [1.0]}),
            ["wrong_size"],
        ),
        (
            record_makers.make_video_example(
                features={"mean_audio": [1.0, math.nan, 2.0]}
            ),
            ["not_finite"],
        ),
        (
            record_makers.make_video_example(
                features={"mean_audio": [math.inf, -math.inf, 2.0]},
                id_key=None,
            ),
            ["no_id", "not_finite"],
        ),
        (record_makers.make_video_example(labels=None), []),
    ],
)
def test_faults_of_video_level_records(data, kinds):
    assert _kinds(data, small_records.VIDEO) == kinds


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (record_makers.make_frame_example(1, 0), ["no_frames"]),
        (
            record_makers.make_frame_example(1, feature_sizes={"rgb": 6}),
            ["missing_feature"],
        ),
        (
            record_makers.make_frame_example(1, frames={"audio": [b"abc"]}),
            ["frame_counts_differ"],
        ),
        (
            record_makers.make_frame_example(
                1, 2, frames={"audio": [b"abc", b"abcd"]}
            ),
            ["wrong_size"],
        ),
        (SEGMENTS(), []),
        # A start for one of the two labels; no key but the labels'.
        (SEGMENTS(segment_start_times=[0]), ["bad_segments"]),
        (SEGMENTS(segment_scores=[]), ["bad_segments"]),
        (
            _segments(segment_labels=[1], segment_scores=[1.0]),
            ["bad_segments"],
        ),
        (SEGMENTS(segment_labels=[1, 10]), ["bad_label"]),
        (SEGMENTS(segment_labels=[-1, 2]), ["bad_label"]),
        # The video has 5 frames.
        (
            SEGMENTS(segment_start_times=[0, 5], segment_end_times=[5, 10]),
            ["bad_segments"],
        ),
        (SEGMENTS(segment_start_times=[-1, 4]), ["bad_segments"]),
        (SEGMENTS(segment_end_times=[5, 8]), ["bad_segments"]),
        (SEGMENTS(segment_scores=[0.5, 1.0]), ["bad_segments"]),
        (SEGMENTS(segment_scores=[math.nan, 1.0]), ["bad_segments"]),
    ],
)
def test_faults_of_frame_level_records(data, kinds):
    assert _kinds(data, small_records.FRAMES) == kinds


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (record_makers.make_packed_zeros(rgb=12), ["missing_feature"]),
        (record_makers.make_packed_zeros(rgb=13, audio=6), ["wrong_size"]),
        (
            record_makers.make_packed_zeros(rgb=12, audio=3),
            ["frame_counts_differ"],
        ),
        (record_makers.make_packed_zeros(rgb=0, audio=0), ["no_frames"]),
    ],
    ids=["one feature", "one byte more", "fewer frames", "none"],
)
def test_faults_of_packed_records(data, kinds):
    assert _kinds(data, small_records.PACKED) == kinds


@pytest.mark.parametrize(
    ("rgb", "audio", "kinds"),
    [
        ([[0.5, 1.0, 2.0], [0.5, 1.0]], [[1.0, 2.0]] * 2, ["wrong_size"]),
        ([[0.5, 1.0, 2.0]], [[1.0, math.nan]], ["not_finite"]),
        ([[0.5, 1.0, 2.0]], [[1.0, 2.0]] * 2, ["frame_counts_differ"]),
        ([], [[1.0, 2.0]], ["frame_counts_differ"]),
    ],
)
def test_faults_of_float_frames(rgb, audio, kinds):
    assert (
        _kinds(small_records.make_floats(rgb, audio), small_records.FLOATS)
        == kinds
    )


def test_a_finite_sum_that_overflows_is_no_fault():
    large = record_makers.make_video_example(
        features={"mean_audio": [3e38, 3e38, 3e38]}
    )
    assert _kinds(large, small_records.VIDEO) == []


def test_labels_of_another_type():
    data = record_makers.make_video_example(features={"labels": [1.0]})
    assert _kinds(data, small_records.VIDEO) == ["bad_label"]


def test_an_id_of_another_type():
    """Readers refuse it too, whatever the other key holds."""
    message = tf.train.Example.FromString(record_makers.make_video_example())
    message.features.feature["video_id"].int64_list.value.append(3)
    assert _kinds(message.SerializeToString(), small_records.VIDEO) == ["no_id"]
    message.features.feature["video_id"].Clear()
    assert _kinds(message.SerializeToString(), small_records.VIDEO) == []


@pytest.mark.parametrize("spec", [small_records.FRAMES, small_records.PACKED])
def test_packed_records_and_others_are_good_in_one_set(spec):
    for make in (
        record_makers.make_frame_example,
        record_makers.make_packed_example,
    ):
        found = record_rules.examine(make(3, 4), spec)
        assert (found.faults, found.num_frames) == ((), 4)


def test_frames_count_where_a_record_is_packed_too():
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1, 2)
    )
    for name in ("rgb", "audio"):
        message.context.feature[name].bytes_list.value.append(bytes(30))
    found = record_rules.examine(
        message.SerializeToString(), small_records.FRAMES
    )
    assert (found.faults, found.num_frames) == ((), 2)


def test_segments_of_another_type():
    message = tf.train.SequenceExample.FromString(SEGMENTS())
    scores = message.context.feature["segment_scores"]
    scores.int64_list.value.extend([0, 1])
    assert _kinds(message.SerializeToString(), small_records.FRAMES) == [
        "bad_segments"
    ]
