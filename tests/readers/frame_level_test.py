"""Tests of the parsing of frame-level records."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import FrameSampling
from yt8m_compact.readers import sampling

_SIZES = {"rgb": 6, "audio": 3}
_NUM_FRAMES = [5, 1, 8, 12, 3]
_SEED = tf.constant([2, 1], tf.int64)


def _reader(**arguments):
    return readers.FrameLevelReader(
        **(
            {
                "feature_names": ("rgb", "audio"),
                "feature_sizes": (6, 3),
                "num_classes": 10,
                "max_frames": 8,
            }
            | arguments
        )
    )


def _sampler(how, number, **arguments):
    return _reader(frame_sampling=how, num_sampled_frames=number, **arguments)


def _records(num_frames=_NUM_FRAMES):
    return [
        record_makers.make_frame_example(index, number)
        for index, number in enumerate(num_frames)
    ]


def _video(index, num_frames, names=("rgb", "audio")):
    order = list(_SIZES)
    return np.concatenate(
        [
            record_makers.frame_values(
                index, num_frames, _SIZES[name], order.index(name)
            )
            for name in names
        ],
        axis=1,
    )


@functools.cache
def _parse_function(reader, *, needs_seed):
    return tf.function(
        lambda serialized, seed: reader.parse(
            serialized, seed=seed if needs_seed else None
        ),
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([2], tf.int64),
        ],
        # As in `make_dataset`; converting the code takes seconds.
        autograph=False,
    )


def _parse(records, reader, seed=None):
    parse = _parse_function(reader, needs_seed=seed is not None)
    with readers.readable_errors():
        batch = parse(
            tf.constant(records, tf.string), _SEED if seed is None else seed
        )
    return {key: value.numpy() for key, value in batch.items()}


def _error_in_file(file, records):
    """The message for records whose places in a file are known."""
    with pytest.raises(readers.DataError) as raised:
        with readers.readable_errors():
            _reader().parse(
                tf.constant(records),
                files=tf.fill([len(records)], file),
                indices=tf.range(len(records), dtype=tf.int64),
            )
    return str(raised.value)


def _error(*records, reader=None):
    """The message for a batch, the same however frames are chosen."""
    texts = []
    for one in [reader] if reader else [_reader(), _sampler("even", 2)]:
        with pytest.raises(readers.DataError) as raised:
            _parse(list(records), one)
        texts.append(str(raised.value))
    assert len(set(texts)) == 1
    return texts[0]


def _chosen(frames, video):
    """The frames of `video` that `frames` are, which must all be different."""
    return [
        [row.tolist() for row in video].index(frame.tolist())
        for frame in frames
    ]


@pytest.mark.slow
def test_all_frames_are_padded_and_cut():
    batch = _parse(_records(), _reader())
    assert list(batch) == ["frames", "num_frames", "id", "labels"]
    assert batch["frames"].dtype == np.uint8
    assert batch["num_frames"].dtype == np.int32
    assert batch["labels"].dtype == np.float32
    np.testing.assert_array_equal(batch["num_frames"], [5, 1, 8, 8, 3])
    expected = np.zeros([5, 8, 9], np.uint8)
    for index, number in enumerate(_NUM_FRAMES):
        kept = min(number, 8)
        expected[index, :kept] = _video(index, number)[:kept]
    np.testing.assert_array_equal(batch["frames"], expected)
    assert batch["id"].tolist() == [b"v%05d" % index for index in range(5)]
    labels = np.zeros([5, 10])
    for row, classes in enumerate([[0], [7, 8], [4, 5, 6], [1], [8, 9]]):
        labels[row, classes] = 1
    np.testing.assert_array_equal(batch["labels"], labels)


@pytest.mark.slow
def test_features_come_in_the_readers_order():
    reader = _reader(feature_names=("audio", "rgb"), feature_sizes=(3, 6))
    batch = _parse(_records(), reader)
    np.testing.assert_array_equal(
        batch["frames"][0, :5], _video(0, 5, ("audio", "rgb"))
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", list(FrameSampling))
def test_one_feature_of_several(how):
    number = None if how is FrameSampling.ALL else 4
    both = _parse(_records(), _sampler(how, number), seed=_SEED)
    one = _parse(
        _records(),
        _sampler(how, number, feature_names=("audio",), feature_sizes=(3,)),
        seed=_SEED,
    )
    np.testing.assert_array_equal(one["frames"], both["frames"][:, :, 6:])


def test_even_frames():
    # Not random, whatever the seed. Readers are those of other tests where they
    # can be: a second is what it takes to trace one.
    batch = _parse(_records(), _sampler("even", 4), seed=_SEED)
    np.testing.assert_array_equal(batch["num_frames"], [4, 1, 4, 4, 3])
    # floor((i + 1/2) n / 4): n = 5: .625 1.875 3.125 4.375; n = 8: 1 3 5 7,
    # also for the video of 12, which is cut to 8 first.
    for row, frames in enumerate(
        [[0, 1, 3, 4], [0], [1, 3, 5, 7], [1, 3, 5, 7], [0, 1, 2]]
    ):
        expected = np.zeros([4, 9], np.uint8)
        expected[: len(frames)] = _video(row, _NUM_FRAMES[row])[frames]
        np.testing.assert_array_equal(batch["frames"][row], expected)


@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [1, 200])
def test_random_frames(num_samples):
    batch = _parse(_records(), _sampler("random", num_samples), seed=_SEED)
    assert batch["frames"].shape == (5, num_samples, 9)
    np.testing.assert_array_equal(batch["num_frames"], num_samples)
    for row, number in enumerate(_NUM_FRAMES):
        chosen = _chosen(batch["frames"][row], _video(row, number))
        assert max(chosen) < 8


def test_random_frames_reach_every_frame_but_those_cut():
    batch = _parse(_records(), _sampler("random", 200), seed=_SEED)
    for row, number in enumerate(_NUM_FRAMES):
        chosen = _chosen(batch["frames"][row], _video(row, number))
        assert set(chosen) == set(range(min(number, 8)))


def test_sequence_of_frames():
    starts = set()
    for seed in range(40):
        batch = _parse(
            _records(),
            _sampler("sequence", 4),
            seed=tf.constant([seed, 0], tf.int64),
        )
        np.testing.assert_array_equal(batch["num_frames"], [4, 1, 4, 4, 3])
        for row, number in enumerate(_NUM_FRAMES):
            length = batch["num_frames"][row]
            frames = batch["frames"][row]
            chosen = _chosen(frames[:length], _video(row, number))
            assert chosen == list(range(chosen[0], chosen[0] + length))
            assert chosen[-1] < 8
            np.testing.assert_array_equal(frames[length:], 0)
            starts.add((row, chosen[0]))
    assert {start for row, start in starts if row == 3} == {0, 1, 2, 3, 4}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["random", "sequence"])
def test_frames_depend_on_seed_and_id_not_on_the_batch(how):
    reader = _sampler(how, 3)
    records = _records([8] * 12)
    whole = _parse(records, reader, seed=_SEED)["frames"]
    order = [7, 2, 11, 2]
    some = _parse([records[row] for row in order], reader, seed=_SEED)
    np.testing.assert_array_equal(some["frames"], whole[order])
    other = _parse(records, reader, seed=_SEED + 1)["frames"]
    assert (other != whole).any()


def test_random_sampling_needs_a_seed():
    with pytest.raises(ValueError, match="sampled with 'random'.*seed=None"):
        _parse(_records(), _sampler("random", 3))


@pytest.mark.parametrize("how", list(FrameSampling))
def test_tensors_are_sampled_as_records_are(how):
    reader = _sampler(how, None if how is FrameSampling.ALL else 4)
    ids = tf.constant([b"v%05d" % index for index in range(5)])
    frames = np.full([5, 12, 9], 255, np.uint8)  # padding that is not zero
    for index, number in enumerate(_NUM_FRAMES):
        frames[index, :number] = _video(index, number)
    found, number = reader.sample(
        tf.constant(frames),
        tf.constant(_NUM_FRAMES),
        sampling.seed_by_id(_SEED, ids),
    )
    expected = _parse(_records(), reader, seed=_SEED)
    np.testing.assert_array_equal(number, expected["num_frames"])
    np.testing.assert_array_equal(found, expected["frames"])
    assert found.dtype == tf.uint8


def test_tensors_shorter_than_the_output_are_padded():
    frames = tf.reshape(tf.range(2.0 * 3 * 9), [2, 3, 9])
    found, number = _reader().sample(frames, tf.constant([3, 9]))
    assert found.shape == (2, 8, 9)
    np.testing.assert_array_equal(number, [3, 3])
    np.testing.assert_array_equal(found[:, :3], frames)
    np.testing.assert_array_equal(found[:, 3:], 0)


@pytest.mark.parametrize("how", list(FrameSampling))
def test_shapes_are_static_but_for_the_batch(how):
    reader = _sampler(how, None if how is FrameSampling.ALL else 4)
    parse = _parse_function(reader, needs_seed=True)
    shapes = parse.get_concrete_function().output_shapes
    number = 8 if how is FrameSampling.ALL else 4
    assert reader.num_output_frames == number
    assert shapes["frames"].as_list() == [None, number, 9]
    assert shapes["num_frames"].as_list() == [None]
    assert shapes["labels"].as_list() == [None, 10]
    empty = parse(tf.constant([], tf.string), _SEED)
    assert empty["frames"].shape == (0, number, 9)


@pytest.mark.slow
@pytest.mark.parametrize("how", list(FrameSampling))
def test_saved_model_parses_and_explains(tmp_path, how):
    reader = _sampler(how, None if how is FrameSampling.ALL else 4)
    module = tf.Module()
    module.parse = _parse_function(reader, needs_seed=True)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    for number in (1, 5):
        expected = _parse(_records()[:number], reader, seed=_SEED)
        found = loaded.parse(tf.constant(_records()[:number]), _SEED)
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="the request: record 1: expected a tf.train.SequenceExample",
    ):
        loaded.parse(tf.constant([*_records()[:1], b"no proto"]), _SEED)


@pytest.mark.slow
def test_converted_code_parses_the_same():
    reader = _sampler("random", 4)
    converted = tf.function(
        lambda serialized: reader.parse(serialized, seed=_SEED), autograph=True
    )
    found = converted(tf.constant(_records()))
    for key, value in _parse(_records(), reader, seed=_SEED).items():
        np.testing.assert_array_equal(found[key], value)


_GOOD = record_makers.make_frame_example(0, 4)


def test_either_id_key_serves_and_labels_may_be_missing():
    batch = _parse(
        [
            _GOOD,
            record_makers.make_frame_example(3, id_key="video_id", labels=None),
        ],
        _reader(),
    )
    assert batch["id"].tolist() == [b"v00000", b"v00003"]
    np.testing.assert_array_equal(batch["labels"].sum(axis=1), [1, 0])


def test_file_and_number_of_the_record_are_named(tmp_path):
    bad = record_makers.make_frame_example(1, 4, labels=[10])
    records = [_GOOD] * 7 + [bad]
    file = record_makers.write_tfrecord(tmp_path / "a", records)
    assert _error_in_file(file, records) == (
        f"{file}: record 7: expected labels from 0 to 9. Received: 10. Set the "
        "number of classes (now 10) to that of the data, or correct the "
        "labels. The record holds 'id' (bytes x 1), 'labels' (int64 x 1), and "
        "frame by frame 'audio' (4 frames of 3 bytes), 'rgb' (4 frames of 6 "
        "bytes)."
    )


@pytest.mark.parametrize("size", [0, 5, 7])
@pytest.mark.parametrize("frame", [0, 2])
def test_wrong_size_of_one_frame(size, frame):
    # With two frames out of four, the sampling looks at frames 1 and 3.
    frames = [b"abcdef", b"ghijkl", b"mnopqr", b"stuvwx"]
    frames[frame] = b"y" * size
    text = _error(
        _GOOD,
        record_makers.make_frame_example(1, 4, frames={"rgb": frames}),
    )
    assert text == (
        "the request: record 1: expected one string of 6 bytes (8-bit codes) "
        f"of the feature 'rgb' in every frame. Received: {size} bytes in frame "
        f"{frame}. Set feature_sizes to those of the data, or write the record "
        "again."
    )


def test_wrong_size_of_all_frames():
    text = _error(
        _GOOD,
        record_makers.make_frame_example(
            1, feature_sizes={"rgb": 6, "audio": 4}
        ),
    )
    assert "record 1: expected one string of 3 bytes (8-bit codes) of" in text
    assert (
        "the feature 'audio' in every frame. Received: 4 bytes in frame 0"
        in text
    )


@pytest.mark.parametrize("parts", [[b"abc", b"def"], [b"abcdef", b""]])
def test_frame_in_several_parts(parts):
    example = tf.train.SequenceExample.FromString(_GOOD)
    values = example.feature_lists.feature_list["rgb"].feature[2].bytes_list
    values.value[:] = parts
    text = _error(_GOOD, example.SerializeToString())
    assert "record 1: expected one string of 6 bytes (8-bit codes) of" in text
    assert "Received: 2 strings in frame 2" in text


def test_frame_without_a_value():
    example = tf.train.SequenceExample.FromString(_GOOD)
    frame = example.feature_lists.feature_list["rgb"].feature[3]
    frame.bytes_list.value[:] = []
    text = _error(_GOOD, example.SerializeToString())
    assert "Received: 0 strings in frame 3" in text


def test_features_with_different_numbers_of_frames():
    text = _error(
        _GOOD,
        record_makers.make_frame_example(
            1, 5, frames={"audio": [b"abc", b"def", b"ghi"]}
        ),
    )
    assert text == (
        "the request: record 1: expected as many frames of 'audio' as of "
        "'rgb'. Received: 3 and 5. Leave the record out or write it again."
    )


def test_no_frames():
    text = _error(_GOOD, record_makers.make_frame_example(1, 0))
    assert (
        "record 1: expected at least one frame of the feature 'rgb'. Received: "
        "none."
    ) in text


@pytest.mark.slow
def test_missing_feature(tmp_path):
    bad = record_makers.make_frame_example(1, feature_sizes={"rgb": 6})
    file = record_makers.write_tfrecord(tmp_path / "a", [_GOOD, bad])
    text = _error_in_file(file, [_GOOD, bad])
    assert text.startswith(
        f"{file}: record 1: expected at least one frame of the feature "
        "'audio'. Received: none. Set feature_names to those of the data"
    )
    assert text.endswith("and frame by frame 'rgb' (5 frames of 6 bytes).")


def test_missing_id():
    text = _error(_GOOD, record_makers.make_frame_example(1, id_key=None))
    assert text == (
        "the request: record 1: expected an id, one bytes value under the key "
        "'id' or 'video_id'. Write the records with one of them."
    )


def test_negative_label():
    text = _error(_GOOD, record_makers.make_frame_example(1, labels=[1, -2]))
    assert "record 1: expected labels from 0 to 9. Received: -2." in text


def test_float_frames():
    example = tf.train.SequenceExample.FromString(_GOOD)
    frame = example.feature_lists.feature_list["rgb"].feature[1]
    frame.float_list.value.extend([0.5] * 6)
    text = _error(_GOOD, example.SerializeToString())
    assert text == (
        "the request: record 1: expected a tf.train.SequenceExample whose "
        "features are lists of one bytes value per frame. Write the record as "
        "in YouTube-8M, or leave its file out. (Feature list: rgb, Index: 1. "
        "Data types don't match. Expected type: string)"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"index,mid,display_name",
        _GOOD[:-3],
        tf.train.BytesList(value=[b"of", b"another"]).SerializeToString(),
    ],
)
def test_foreign_record(data):
    text = _error(_GOOD, data)
    assert text == (
        "the request: record 1: expected a tf.train.SequenceExample whose "
        "features are lists of one bytes value per frame. Write the record as "
        "in YouTube-8M, or leave its file out."
    )


def test_record_cut_off_between_its_features():
    # TensorFlow takes it for a record with fewer features.
    text = _error(_GOOD, _GOOD[:20])
    assert "record 1: expected at least one frame of the feature 'rgb'" in text


def test_video_level_record():
    text = _error(record_makers.make_video_example())
    assert "expected at least one frame of the feature 'rgb'" in text
    assert "use the video-level reader (frame_features=False)" in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"feature_names": ()},
            r"at least one name\. Received: feature_names=",
        ),
        ({"num_classes": 0}, r"at least 1\. Received: num_classes=0"),
        ({"max_frames": 0}, r"at least 1\. Received: max_frames=0"),
        (
            {"num_sampled_frames": 3},
            "None where frame_sampling is 'all'. Received: num_sampled_fr.*=3",
        ),
        (
            {"frame_sampling": "even"},
            "at least 1 where frame_sampling is 'even'. Received: .*=None",
        ),
        (
            {"frame_sampling": "even", "num_sampled_frames": 0},
            "at least 1 where frame_sampling is 'even'. Received: .*=0",
        ),
        ({"frame_sampling": "first"}, "'first' is not a valid FrameSampling"),
    ],
)
def test_arguments_out_of_range(arguments, text):
    with pytest.raises(ValueError, match=text):
        _reader(**arguments)


def test_properties():
    assert _reader().frame_features
    assert _reader().feature_dim == 9
    assert readers.FrameLevelReader().feature_dim == 1152
    assert readers.FrameLevelReader().num_output_frames == 300


def test_tensors_without_any_frame():
    reader = readers.FrameLevelReader(
        feature_names=("rgb",),
        feature_sizes=(4,),
        num_classes=3,
        frame_sampling=readers.FrameSampling.EVEN,
        num_sampled_frames=5,
    )
    frames, num_frames = reader.sample(
        np.zeros([2, 0, 4], np.uint8), np.array([0, 3], np.int32)
    )
    assert frames.shape == (2, 5, 4)
    np.testing.assert_array_equal(num_frames, [0, 0])
