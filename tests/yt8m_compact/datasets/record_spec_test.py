"""Tests of what is said about one record."""

import dataclasses
import math

import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import datasets
from yt8m_compact.datasets import record_spec

VIDEO = datasets.RecordSpec(
    datasets.Layout.VIDEO, ("mean_rgb", "mean_audio"), (6, 3), 10
)
FRAMES = datasets.RecordSpec(
    datasets.Layout.FRAMES, ("rgb", "audio"), (6, 3), 10
)
PACKED = dataclasses.replace(FRAMES, layout=datasets.Layout.PACKED)


FLOATS = datasets.RecordSpec(
    datasets.Layout.FLOATS,
    ("AUDIO/feature/floats", "RGB/feature/floats"),
    (2, 3),
    10,
)


def _floats(rgb: list[list[float]], audio: list[list[float]]) -> bytes:
    message = tf.train.SequenceExample()
    message.context.feature["id"].bytes_list.value.append(b"abc")
    for name, frames in (("RGB", rgb), ("AUDIO", audio)):
        steps = message.feature_lists.feature_list[f"{name}/feature/floats"]
        times = message.feature_lists.feature_list[f"{name}/feature/timestamp"]
        for number, frame in enumerate(frames):
            steps.feature.add().float_list.value.extend(frame)
            times.feature.add().int64_list.value.append(number)
    return message.SerializeToString()


def _kinds(data: bytes, spec: datasets.RecordSpec) -> list[str]:
    return [kind for kind, _ in record_spec.examine(data, spec).faults]


def _segments(**values: list) -> bytes:
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1)
    )
    for key, numbers in values.items():
        feature = message.context.feature[key]
        kind = "float_list" if key == "segment_scores" else "int64_list"
        getattr(feature, kind).value.extend(numbers)
    return message.SerializeToString()


def test_good_records():
    found = record_spec.examine(record_makers.make_video_example(4), VIDEO)
    assert found.faults == ()
    assert found.id == b"v00004"
    # record_makers: labels 4 * 7 % 10 = 8 and 8 + 11 = 19 = 9 modulo 10.
    assert found.labels == (8, 9)
    assert found.num_frames is None
    found = record_spec.examine(record_makers.make_frame_example(4, 7), FRAMES)
    assert found.faults == ()
    assert found.num_frames == 7
    found = record_spec.examine(
        record_makers.make_packed_zeros(rgb=12, audio=6), PACKED
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
    assert _kinds(data, VIDEO) == kinds


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
        (_segments(segment_labels=[1, 2], segment_scores=[0.5, 1.0]), []),
        (
            _segments(segment_labels=[1, 2], segment_start_times=[5]),
            ["bad_segments"],
        ),
        (_segments(segment_labels=[10]), ["bad_label"]),
    ],
)
def test_faults_of_frame_level_records(data, kinds):
    assert _kinds(data, FRAMES) == kinds


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
    assert _kinds(data, PACKED) == kinds


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
    assert _kinds(_floats(rgb, audio), FLOATS) == kinds


def test_a_finite_sum_that_overflows_is_no_fault():
    large = record_makers.make_video_example(
        features={"mean_audio": [3e38, 3e38, 3e38]}
    )
    assert _kinds(large, VIDEO) == []


@pytest.mark.parametrize("sizes", [(1024, 128), (7, 2)])
@pytest.mark.parametrize("spec", [VIDEO, FRAMES])
def test_what_is_found_in_a_record(spec, sizes):
    make = {
        VIDEO: record_makers.make_video_example,
        FRAMES: record_makers.make_frame_example,
    }[spec]
    names = spec.feature_names
    found = record_spec.detect_spec(
        make(1, feature_sizes=dict(zip(names, sizes, strict=True))),
        "here",
        num_classes=10,
    )
    expected = dataclasses.replace(spec, feature_sizes=sizes)
    assert found == expected


def test_sizes_of_youtube8m_where_a_record_has_no_frame():
    found = record_spec.detect_spec(
        record_makers.make_frame_example(1, 0), "here", num_classes=10
    )
    assert found.feature_sizes == (1024, 128)


def test_what_is_found_in_float_frames():
    data = _floats([[0.5, 1.0, -1.0]] * 2, [[0.5, 3.0]] * 2)
    # Timestamps are no features.
    assert record_spec.detect_spec(data, "here", num_classes=10) == FLOATS
    assert record_spec.examine(data, FLOATS).num_frames == 2
    found = record_spec.detect_spec(
        data,
        "here",
        feature_names=FLOATS.feature_names[1:],
        num_classes=10,
    )
    assert (found.layout, found.feature_sizes) == (FLOATS.layout, (3,))


def test_packed_records_are_told_by_known_names():
    data = record_makers.make_packed_zeros(rgb=2048, audio=256, thumbnail=77)
    found = record_spec.detect_spec(data, "here", num_classes=9)
    assert found == datasets.RecordSpec(
        datasets.Layout.PACKED, ("rgb", "audio"), (1024, 128), 9
    )


def test_names_and_sizes_that_are_given():
    found = record_spec.detect_spec(
        record_makers.make_packed_zeros(a=8, b=2),
        "here",
        feature_names=("b", "a"),
        feature_sizes=(1, 4),
        num_classes=9,
    )
    assert found.layout is datasets.Layout.PACKED
    assert (found.feature_names, found.feature_sizes) == (("b", "a"), (1, 4))


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (b"", {}, "here: expected a tf.train.Example or .*Received: 0 bytes"),
        (
            record_makers.make_packed_zeros(a=8),
            {},
            "here: expected features whose names and sizes.*keys=a,id",
        ),
        (
            record_makers.make_packed_zeros(),
            {},
            "here: expected features; set feature_names.*keys=id",
        ),
        (
            record_makers.make_packed_zeros(a=8),
            {"feature_names": ("a",), "feature_sizes": (1, 2)},
            "one size above 0 for each feature name. Received: "
            "feature_names=a, feature_sizes=1,2",
        ),
    ],
)
def test_what_cannot_be_recognised(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        record_spec.detect_spec(data, "here", num_classes=9, **arguments)


def test_labels_of_another_type():
    data = record_makers.make_video_example(features={"labels": [1.0]})
    assert _kinds(data, VIDEO) == ["bad_label"]
