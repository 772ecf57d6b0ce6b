"""Tests of the parsing of video-level records."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers

_SIZES = {"mean_rgb": 6, "mean_audio": 3}
_READER = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)


@functools.cache
def _parse_function(reader):
    return tf.function(
        reader.parse,
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def _parse(records, reader=_READER):
    with readers.readable_errors():
        batch = _parse_function(reader)(tf.constant(records, tf.string))
    return {key: value.numpy() for key, value in batch.items()}


def _error_in_file(file, records):
    """The message for records whose places in a file are known."""
    with pytest.raises(readers.DataError) as raised:
        with readers.readable_errors():
            _READER.parse(
                tf.constant(records),
                files=tf.fill([len(records)], file),
                indices=tf.range(len(records), dtype=tf.int64),
            )
    return str(raised.value)


def _expected_features(index, names=("mean_rgb", "mean_audio")):
    order = list(_SIZES)
    return np.concatenate(
        [
            record_makers.video_values(index, _SIZES[name], order.index(name))
            for name in names
        ]
    )


def _error(*records, reader=_READER):
    with pytest.raises(readers.DataError) as raised:
        _parse(list(records), reader)
    return str(raised.value)


@pytest.mark.slow
def test_batch_holds_features_ids_and_labels():
    batch = _parse(
        [record_makers.make_video_example(index) for index in range(5)]
    )
    assert list(batch) == ["features", "id", "labels"]
    assert batch["features"].dtype == batch["labels"].dtype == np.float32
    np.testing.assert_array_equal(
        batch["features"], [_expected_features(index) for index in range(5)]
    )
    assert batch["id"].tolist() == [b"v%05d" % index for index in range(5)]
    # video_labels: 7 i mod 10, and i mod 3 more, 11 apart.
    expected = np.zeros([5, 10])
    for row, labels in enumerate([[0], [7, 8], [4, 5, 6], [1], [8, 9]]):
        expected[row, labels] = 1
    np.testing.assert_array_equal(batch["labels"], expected)


@pytest.mark.slow
def test_features_come_in_the_readers_order():
    reader = readers.VideoLevelReader(("mean_audio", "mean_rgb"), (3, 6), 10)
    batch = _parse([record_makers.make_video_example(3)], reader)
    np.testing.assert_array_equal(
        batch["features"][0], _expected_features(3, ("mean_audio", "mean_rgb"))
    )


@pytest.mark.slow
def test_one_feature_of_several():
    reader = readers.VideoLevelReader(["mean_audio"], [3], 10)
    assert reader.feature_names == ("mean_audio",)
    batch = _parse([record_makers.make_video_example(3)], reader)
    np.testing.assert_array_equal(
        batch["features"][0], _expected_features(3, ("mean_audio",))
    )


@pytest.mark.slow
def test_either_id_key_serves():
    batch = _parse(
        [
            record_makers.make_video_example(0, id_key="video_id"),
            record_makers.make_video_example(1, id_key="id"),
        ]
    )
    assert batch["id"].tolist() == [b"v00000", b"v00001"]


def test_id_wins_over_video_id_unless_empty():
    examples = []
    for value in (b"first", b""):
        example = tf.train.Example.FromString(
            record_makers.make_video_example(id_key="video_id")
        )
        features = example.features.feature
        features["id"].bytes_list.value.append(value)
        examples.append(example.SerializeToString())
    assert _parse(examples)["id"].tolist() == [b"first", b"v00000"]


def test_missing_labels_are_zeros():
    batch = _parse(
        [
            record_makers.make_video_example(0, labels=None),
            record_makers.make_video_example(1, labels=[9]),
        ]
    )
    np.testing.assert_array_equal(batch["labels"].sum(axis=1), [0, 1])


def test_repeated_labels_count_once():
    batch = _parse([record_makers.make_video_example(labels=[2, 5, 2, 2])])
    np.testing.assert_array_equal(
        batch["labels"], [[0, 0, 1, 0, 0, 1, 0, 0, 0, 0]]
    )


def test_large_finite_values_pass_even_if_their_sum_overflows():
    values = [3e38, 3e38, -1.0, 0.0, 1.0, 3e38]
    batch = _parse(
        [record_makers.make_video_example(features={"mean_rgb": values})]
    )
    np.testing.assert_array_equal(
        batch["features"][0, :6], np.array(values, np.float32)
    )


def test_batch_of_no_record():
    batch = _parse([])
    assert batch["features"].shape == (0, 9)
    assert batch["labels"].shape == (0, 10)
    assert batch["id"].shape == (0,)


@pytest.mark.slow
def test_shapes_are_static_but_for_the_batch():
    parse = tf.function(
        _READER.parse, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    shapes = parse.get_concrete_function().output_shapes
    assert shapes["features"].as_list() == [None, 9]
    assert shapes["labels"].as_list() == [None, 10]
    assert shapes["id"].as_list() == [None]


@pytest.mark.slow
def test_saved_model_parses_and_explains(tmp_path):
    module = tf.Module()
    module.parse = tf.function(
        _READER.parse, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for number in (1, 4):
        records = [
            record_makers.make_video_example(index) for index in range(number)
        ]
        expected = _parse(records)
        found = loaded.parse(tf.constant(records))
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="the request: record 1: expected labels from 0 to 9. "
        "Received: 77",
    ):
        loaded.parse(
            tf.constant(
                [
                    record_makers.make_video_example(0),
                    record_makers.make_video_example(1, labels=[77]),
                ]
            )
        )


_GOOD = record_makers.make_video_example(0)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_first_bad_record_is_named(place):
    records = [_GOOD] * 3
    records[place] = record_makers.make_video_example(1, labels=[10])
    text = _error(*records, record_makers.make_video_example(1, labels=[99]))
    assert text == (
        f"the request: record {place}: expected labels from 0 to 9. Received: "
        "10. Set the number of classes (now 10) to that of the data, or "
        "correct the labels."
    )


def test_file_and_number_of_the_record_are_named(tmp_path):
    bad = record_makers.make_video_example(1, labels=[3, -1])
    records = [_GOOD] * 7 + [bad]
    file = record_makers.write_tfrecord(tmp_path / "a", records)
    assert _error_in_file(file, records) == (
        f"{file}: record 7: expected labels from 0 to 9. Received: -1. Set the "
        "number of classes (now 10) to that of the data, or correct the "
        "labels. The record holds 'id' (bytes x 1), 'labels' (int64 x 2), "
        "'mean_audio' (float x 3), 'mean_rgb' (float x 6)."
    )


@pytest.mark.parametrize("size", [0, 5, 7, 12])
def test_wrong_feature_size(size):
    text = _error(
        _GOOD,
        record_makers.make_video_example(
            1, feature_sizes={"mean_rgb": size, "mean_audio": 3}
        ),
    )
    assert (
        "record 1: expected the feature 'mean_rgb' to be 6 float values. "
        f"Received: {size or 'none'}. Set feature_names and feature_sizes to "
        "those of the data"
    ) in text


def test_sizes_that_are_right_in_total_only():
    text = _error(
        record_makers.make_video_example(
            0, feature_sizes={"mean_rgb": 4, "mean_audio": 3}
        ),
        record_makers.make_video_example(
            1, feature_sizes={"mean_rgb": 8, "mean_audio": 3}
        ),
    )
    assert "record 0: expected the feature 'mean_rgb' to be 6" in text


def test_missing_feature():
    text = _error(
        _GOOD,
        record_makers.make_video_example(1, feature_sizes={"mean_rgb": 6}),
    )
    assert (
        "record 1: expected the feature 'mean_audio' to be 3 float values. "
        "Received: none."
    ) in text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value):
    text = _error(
        _GOOD,
        record_makers.make_video_example(
            1, features={"mean_audio": [0.5, value, 1.0]}
        ),
    )
    assert text == (
        "the request: record 1: expected finite values in the feature "
        "'mean_audio'. Received: NaN or infinity. Leave the record out or "
        "write it again."
    )


def test_infinities_that_cancel_are_found():
    text = _error(
        record_makers.make_video_example(
            1, features={"mean_audio": [math.inf, -math.inf, 1.0]}
        ),
    )
    assert "expected finite values in the feature 'mean_audio'" in text


def test_missing_id():
    text = _error(_GOOD, record_makers.make_video_example(1, id_key=None))
    assert text == (
        "the request: record 1: expected an id, one bytes value under the key "
        "'id' or 'video_id'. Write the records with one of them."
    )


def test_two_ids_are_none():
    example = tf.train.Example.FromString(_GOOD)
    example.features.feature["id"].bytes_list.value.append(b"second")
    assert "expected an id, one bytes" in _error(example.SerializeToString())


def test_feature_of_another_kind():
    example = tf.train.Example.FromString(_GOOD)
    example.features.feature["mean_rgb"].int64_list.value.extend(range(6))
    text = _error(_GOOD, example.SerializeToString())
    assert text == (
        "the request: record 1: expected a tf.train.Example whose features are "
        "float lists. Write the record as in YouTube-8M, or leave its file "
        "out. (Context feature: mean_rgb. Data types don't match. Expected "
        "type: float)"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"index,mid,display_name",
        _GOOD[:-3],
        tf.train.BytesList(value=[b"of", b"another"]).SerializeToString(),
    ],
)
def test_foreign_record(tmp_path, data):
    file = record_makers.write_tfrecord(tmp_path / "a", [_GOOD, data])
    text = _error_in_file(file, [_GOOD, data])
    assert text.startswith(
        f"{file}: record 1: expected a tf.train.Example whose features are "
        "float lists. Write the record as in YouTube-8M, or leave its file out."
    )
    assert f"The record ({len(data)} bytes, starting b" in text
    assert "is neither a tf.train.Example nor a tf.train.Sequence" in text


def test_record_cut_off_between_its_features():
    # TensorFlow takes it for a record with fewer features.
    text = _error(_GOOD, _GOOD[:20])
    assert "record 1: expected the feature 'mean_rgb' to be 6 float" in text


def test_empty_record(tmp_path):
    file = record_makers.write_tfrecord(tmp_path / "a", [b""])
    text = _error_in_file(file, [b""])
    assert "'mean_rgb' to be 6 float values. Received: none." in text
    assert text.endswith(" The record is empty (0 bytes).")


def test_frame_level_record():
    text = _error(record_makers.make_frame_example())
    assert "'mean_rgb' to be 6 float values. Received: none" in text
    assert "use the frame-level reader (frame_features=True)" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"feature_names": ()},
            r"at least one name\. Received: feature_names=",
        ),
        ({"feature_names": "mean_rgb"}, "Received: feature_names='mean_rgb'"),
        ({"feature_names": ("a", "a")}, "that differ.*feature_names=a,a$"),
        (
            {"feature_names": ("a", "")},
            r"not empty\. Received: feature_names=a,$",
        ),
        ({"feature_sizes": (6,)}, "one size above 0 for each feature name"),
        (
            {"feature_sizes": (6, 0)},
            "one size above 0.*Received: feature_names=.*, feature_sizes=6,0$",
        ),
        ({"num_classes": 0}, r"at least 1\. Received: num_classes=0"),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(ValueError, match=text):
        readers.VideoLevelReader(
            **(
                {
                    "feature_names": ("mean_rgb", "mean_audio"),
                    "feature_sizes": (6, 3),
                    "num_classes": 10,
                }
                | arguments
            )
        )


def test_properties():
    assert not _READER.frame_features
    assert _READER.feature_dim == 9
    assert readers.VideoLevelReader().feature_dim == 1152


def test_labels_that_nobody_needs_are_not_looked_at():
    reader = dataclasses.replace(_READER, with_labels=False)
    records = []
    for index, (name, value) in enumerate(
        [("int64_list", 3000), ("bytes_list", b"cat"), ("float_list", 0.5)]
    ):
        example = tf.train.Example.FromString(
            record_makers.make_video_example(index)
        )
        feature = example.features.feature["labels"]
        feature.Clear()
        getattr(feature, name).value.append(value)
        records.append(example.SerializeToString(deterministic=True))
    batch = _parse(records, reader)
    assert list(batch) == ["features", "id"]
    np.testing.assert_array_equal(
        batch["features"], [_expected_features(index) for index in range(3)]
    )
    assert "expected labels from 0 to 9. Received: 3000" in _error(records[0])


@pytest.mark.parametrize(
    ("video_id", "shown"),
    [
        (b"a,b", "a,b"),
        (b'a"b', 'a"b'),
        (b"a\nb", "a\ufffdb"),
        (b"a\x7fb", "a\x7fb"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("a\u2028b".encode(), "a\u2028b"),  # a line separator
        ("a\u00a0b".encode(), "a\u00a0b"),  # a space that is none of ASCII
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),  # half a surrogate pair
    ],
)
def test_ids_that_a_csv_cannot_hold(video_id, shown):
    example = tf.train.Example.FromString(record_makers.make_video_example(1))
    example.features.feature["id"].bytes_list.value[0] = video_id
    reader = dataclasses.replace(_READER, column_ids=True)
    message = _error(
        record_makers.make_video_example(0),
        example.SerializeToString(),
        reader=reader,
    )
    assert message == (
        "the request: record 1: expected an id of printable characters without "
        f"commas and quotes, which a CSV can hold. Received: '{shown}'. Write "
        "the record with another id, or leave it out."
    )


@pytest.mark.parametrize(
    "video_id", ["-_9a", "=1+1", "a b", "\u00e9\U0001f600"]
)
def test_ids_that_a_csv_can_hold(video_id):
    example = tf.train.Example.FromString(record_makers.make_video_example(1))
    example.features.feature["id"].bytes_list.value[0] = video_id.encode()
    reader = dataclasses.replace(_READER, column_ids=True)
    batch = _parse([example.SerializeToString()], reader)
    assert batch["id"].tolist() == [video_id.encode()]
