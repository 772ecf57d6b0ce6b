"""Tests of what is found out about records from one of them."""

import dataclasses

import pytest

import record_makers
import small_records
from yt8m_compact import datasets
from yt8m_compact.datasets import record_spec


@pytest.mark.parametrize("sizes", [(1024, 128), (7, 2)])
@pytest.mark.parametrize("spec", [small_records.VIDEO, small_records.FRAMES])
def test_what_is_found_in_a_record(spec, sizes):
    make = {
        small_records.VIDEO: record_makers.make_video_example,
        small_records.FRAMES: record_makers.make_frame_example,
    }[spec]
    names = spec.feature_names
    found = record_spec.detect_spec(
        make(1, feature_sizes=dict(zip(names, sizes, strict=True))),
        "here",
        num_classes=10,
    )
    expected = dataclasses.replace(spec, feature_sizes=sizes)
    assert found == expected


def test_means_come_before_standard_deviations_and_rgb_before_audio():
    sizes = {"std_audio": 3, "length": 1, "std_rgb": 6}
    sizes |= {"mean_audio": 3, "mean_rgb": 6}
    found = record_spec.detect_spec(
        record_makers.make_video_example(1, feature_sizes=sizes),
        "here",
        num_classes=10,
    )
    assert dict(zip(found.feature_names, found.feature_sizes, strict=True)) == {
        "mean_rgb": 6,
        "mean_audio": 3,
        "std_rgb": 6,
        "std_audio": 3,
        "length": 1,
    }
    assert [*found.feature_names] == [
        "mean_rgb",
        "mean_audio",
        "std_rgb",
        "std_audio",
        "length",
    ]
    # Where YouTube-8M has other sizes, that is said.
    assert record_spec.usual_sizes(found) == {
        "mean_rgb": 1024,
        "mean_audio": 128,
        "std_rgb": 1024,
        "std_audio": 128,
    }


def test_sizes_of_youtube8m_where_a_record_has_no_frame():
    found = record_spec.detect_spec(
        record_makers.make_frame_example(1, 0), "here", num_classes=10
    )
    assert found.feature_sizes == (1024, 128)


def test_what_is_found_in_float_frames():
    data = small_records.make_floats([[0.5, 1.0, -1.0]] * 2, [[0.5, 3.0]] * 2)
    # Timestamps are no features.
    assert (
        record_spec.detect_spec(data, "here", num_classes=10)
        == small_records.FLOATS
    )
    found = record_spec.detect_spec(
        data,
        "here",
        feature_names=small_records.FLOATS.feature_names[1:],
        num_classes=10,
    )
    assert (found.layout, found.feature_sizes) == (
        small_records.FLOATS.layout,
        (3,),
    )


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
