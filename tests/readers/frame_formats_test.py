"""Tests of packed frames, float frames, halves and segments."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import readers
from yt8m_compact.readers import regular_frames

_NUM_FRAMES = [5, 1, 8, 12, 3]
_SEED = tf.constant([2, 1], tf.int64)
_SAMPLINGS = [("all", None), ("even", 4), ("random", 4), ("sequence", 4)]


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


@functools.cache
def _parse_function(reader):
    return tf.function(
        lambda serialized: reader.parse(serialized, seed=_SEED),
        input_signature=[tf.TensorSpec([None], tf.string)],
        # As in `make_dataset`; converting the code takes seconds.
        autograph=False,
    )


def _parse(records, reader):
    with readers.readable_errors():
        batch = _parse_function(reader)(tf.constant(records, tf.string))
    return {key: value.numpy() for key, value in batch.items()}


def _error(records, reader):
    with pytest.raises(readers.DataError) as raised:
        _parse(records, reader)
    return str(raised.value)


def _video(index, num_frames):
    return np.concatenate(
        [
            record_makers.frame_values(index, num_frames, size, number)
            for number, size in enumerate((6, 3))
        ],
        axis=1,
    )


def _assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def _records(make, **arguments):
    return [
        make(index, number, **arguments)
        for index, number in enumerate(_NUM_FRAMES)
    ]


def _irregular(record):
    """The same record with the lists before the context, as may be written."""
    example = tf.train.SequenceExample.FromString(record)
    context = tf.train.SequenceExample(context=example.context)
    lists = tf.train.SequenceExample(feature_lists=example.feature_lists)
    return lists.SerializeToString() + context.SerializeToString()


def test_header_of_a_frame():
    # 1024 = 8 * 128 + 0, 1027 = 8 * 128 + 3, 1030 = 8 * 128 + 6.
    assert regular_frames.frame_header(1024) == bytes(
        [0x0A, 0x86, 8, 0x0A, 0x83, 8, 0x0A, 0x80, 8]
    )
    assert regular_frames.frame_header(3) == bytes([10, 7, 10, 5, 10, 3])
    frames = tf.train.FeatureList(
        feature=[record_makers.bytes_feature(b"x" * 128)]
    )
    assert frames.SerializeToString() == (
        regular_frames.frame_header(128) + b"x" * 128
    )


@pytest.mark.slow
@pytest.mark.parametrize(("how", "number"), _SAMPLINGS)
def test_regular_irregular_and_packed_records_give_the_same(how, number):
    reader = _reader(frame_sampling=how, num_sampled_frames=number)
    records = _records(record_makers.make_frame_example)
    names, sizes = ("rgb", "audio"), (6, 3)
    assert regular_frames.find_frames(records, names, sizes).regular
    irregular = [_irregular(record) for record in records]
    found = regular_frames.find_frames(irregular, names, sizes)
    assert not found.regular
    expected = _parse(irregular, reader)
    _assert_same(_parse(records, reader), expected)
    _assert_same(_parse([*records[:2], *irregular[2:]], reader), expected)
    packed = _records(record_makers.make_packed_example)
    _assert_same(_parse(packed, reader), expected)
    if how == "all":
        for row, size in enumerate(_NUM_FRAMES):
            kept = min(size, 8)
            np.testing.assert_array_equal(
                expected["frames"][row, :kept], _video(row, size)[:kept]
            )
            assert not expected["frames"][row, kept:].any()


@pytest.mark.slow
def test_one_feature_of_regular_records():
    reader = _reader(feature_names=("audio",), feature_sizes=(3,))
    records = _records(record_makers.make_frame_example)
    assert regular_frames.find_frames(records, ("audio",), (3,)).regular
    batch = _parse(records, reader)
    np.testing.assert_array_equal(batch["frames"][0, :5], _video(0, 5)[:, 6:])


def _is_regular(records, names=("rgb", "audio"), sizes=(6, 3)):
    """Whether records are read without the parser, all frames and some."""
    found = regular_frames.find_frames(records, names, sizes)
    _, all_there = regular_frames.decode_frames(found, sizes)
    places = tf.zeros([len(records), 2], tf.int32) + [0, 3]
    _, some_there = regular_frames.pick_frames(found, sizes, places)
    regular = bool(found.regular)
    return regular and bool(all_there), regular and bool(some_there)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\x0a",
        lambda data: data + data,
        lambda data: b"",
        lambda data: b"\x0a\xff\xff\xff\xff\xff\xff\xff\x7f",
        lambda data: data.replace(b"rgb", b"rgc"),
        lambda data: data.replace(
            regular_frames.frame_header(6), b"\x0a\x0a\x0a\x08\x12\x06", 1
        ),
    ],
)
def test_what_is_not_regular_is_left_to_the_parser(change):
    record = record_makers.make_frame_example(0, 4)
    assert _is_regular([record, record]) == (True, True)
    assert _is_regular([record, change(record)]) == (False, False)


@pytest.mark.slow
def test_frames_whose_sizes_make_up_for_each_other():
    # As many bytes as four frames of 6: whoever looks at frame 1 sees it.
    frames = [b"abcdef", b"ghijk", b"lmnopqr", b"stuvwx"]
    record = record_makers.make_frame_example(0, 4, frames={"rgb": frames})
    assert _is_regular([record]) == (False, True)
    assert "Received: 5 bytes in frame 1" in _error([record], _reader())
    reader = _reader(frame_sampling="even", num_sampled_frames=2)
    assert "Received: 5 bytes in frame 1" in _error([record], reader)
    # Nobody does here: floor((i + 1/2) 4 / 1) = 2 is looked at, which is off.
    reader = _reader(frame_sampling="even", num_sampled_frames=1)
    assert "Received: 5 bytes in frame 1" in _error([record], reader)


@pytest.mark.slow
def test_a_long_video_among_short_ones_is_left_to_the_parser():
    # Padded to the longest, 9 videos would take 9 * 91 frames, not 99.
    records = [record_makers.make_frame_example(index, 1) for index in range(8)]
    records.append(record_makers.make_frame_example(8, 91))
    found = regular_frames.find_frames(records, ("rgb", "audio"), (6, 3))
    assert not found.regular
    batch = _parse(records, _reader())
    np.testing.assert_array_equal(batch["num_frames"], [1] * 8 + [8])


_PACKED = record_makers.make_packed_example(0, 4)


@pytest.mark.parametrize(
    ("packed", "text"),
    [
        ({"rgb": b"x" * 13}, "the packed feature 'rgb' to be a multiple of 6"),
        ({"audio": b""}, "the packed feature 'audio' to be a multiple of 3"),
        ({"audio": b"x" * 9}, "as many frames of 'audio' as of 'rgb'"),
    ],
)
def test_packed_records_that_do_not_fit(packed, text):
    bad = record_makers.make_packed_example(1, 4, packed=packed)
    message = _error([_PACKED, bad], _reader())
    assert message.startswith("the request: record 1: expected")
    assert text in message


def test_packed_records_do_not_mix_with_others():
    other = record_makers.make_frame_example(1, 4)
    message = _error([_PACKED, other], _reader())
    assert "record 1: expected one bytes value under the key 'rgb'" in message
    assert "repack all of them" in message


def test_packed_files_fit_a_frame_level_reader(tmp_path):
    file = record_makers.write_tfrecord(tmp_path / "a", [_PACKED])
    readers.check_format([file], _reader(), require_labels=True)
    with pytest.raises(readers.DataError, match="Use the video-level reader"):
        readers.check_format([file], _reader(feature_names=("rgb", "x")))


def _float_frames(num_frames):
    rng = np.random.default_rng(num_frames)
    return {
        "RGB/feature/floats": rng.uniform(-2.5, 2.5, (num_frames, 6)),
        "AUDIO/feature/floats": rng.uniform(-2, 2, (num_frames, 3)),
    }


_FLOATS = {
    "feature_names": ("RGB/feature/floats", "AUDIO/feature/floats"),
    "float_frames": True,
}


@pytest.mark.slow
@pytest.mark.parametrize(("how", "number"), _SAMPLINGS[:2])
def test_float_frames_become_the_nearest_codes(how, number):
    videos = [_float_frames(size) for size in (5, 12)]
    reader = _reader(frame_sampling=how, num_sampled_frames=number, **_FLOATS)
    batch = _parse(
        [
            record_makers.make_float_frame_example(index, video)
            for index, video in enumerate(videos)
        ],
        reader,
    )
    values = np.arange(256) * 4 / 255 + (4 / 512 - 2)
    for row, (video, size) in enumerate(zip(videos, (5, 8), strict=True)):
        floats = np.concatenate(list(video.values()), axis=1)
        codes = np.abs(floats[:, :, np.newaxis] - values).argmin(axis=2)
        # Even: floor((i + 1/2) n / 4) of 5 and of 8 frames.
        even = [[0, 1, 3, 4], [1, 3, 5, 7]][row]
        places = even if how == "even" else list(range(size))
        assert batch["num_frames"][row] == len(places)
        np.testing.assert_array_equal(
            batch["frames"][row, : len(places)], codes[places]
        )


@pytest.mark.slow
def test_float_frames_that_do_not_fit(tmp_path):
    good = record_makers.make_float_frame_example(0, _float_frames(3))
    reader = _reader(**_FLOATS)
    frames = _float_frames(3)
    frames["RGB/feature/floats"] = frames["RGB/feature/floats"][:, :5]
    bad = record_makers.make_float_frame_example(1, frames)
    assert "record 1: expected 6 floats of the feature 'RGB/" in _error(
        [good, bad], reader
    )
    frames = _float_frames(3)
    frames["AUDIO/feature/floats"][1, 2] = np.nan
    bad = record_makers.make_float_frame_example(1, frames)
    assert "record 1: expected finite values in the feature 'AUDIO" in _error(
        [good, bad], reader
    )
    file = record_makers.write_tfrecord(tmp_path / "a", [good])
    readers.check_format([file], reader)
    with pytest.raises(readers.DataError, match="and float_frames=True for"):
        names = _FLOATS["feature_names"]
        readers.check_format([file], _reader(feature_names=names))
    codes = record_makers.write_tfrecord(
        tmp_path / "b", [record_makers.make_frame_example()]
    )
    with pytest.raises(readers.DataError, match="and float_frames=False for"):
        readers.check_format([codes], _reader(float_frames=True))
    assert "Data types don't match" in _error(
        [record_makers.make_frame_example()], _reader(float_frames=True)
    )


@pytest.mark.slow
def test_float_frames_that_do_not_fit_in_a_graph(tmp_path):
    # In a graph a reshape does not wait for the checks: 4 * 2 values make no
    # number of frames of 3.
    frames = _float_frames(4)
    frames["AUDIO/feature/floats"] = frames["AUDIO/feature/floats"][:, :2]
    record = record_makers.make_float_frame_example(0, frames)
    file = record_makers.write_tfrecord(tmp_path / "a", [record])
    with pytest.raises(
        readers.DataError, match="record 0: expected 3 floats of .*AUDIO/"
    ):
        with readers.readable_errors():
            list(readers.make_dataset(_reader(**_FLOATS), [file], batch_size=1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [record_makers.make_frame_example, record_makers.make_packed_example],
)
def test_halves(make):
    reader = _reader(parts="halves")
    batch = _parse(_records(make), reader)
    assert reader.num_output_frames == 4
    # Of 5, 1, 8, 12 (8 of them are read) and 3 frames.
    parts = [
        (0, 5, [0, 1, 2]), (0, 5, [3, 4]),
        (1, 1, [0]), (1, 1, [0]),
        (2, 8, [0, 1, 2, 3]), (2, 8, [4, 5, 6, 7]),
        (3, 12, [0, 1, 2, 3]), (3, 12, [4, 5, 6, 7]),
        (4, 3, [0, 1]), (4, 3, [2]),
    ]  # fmt: skip
    whole = _parse(_records(make), _reader())
    for row, (video, size, places) in enumerate(parts):
        assert batch["num_frames"][row] == len(places)
        np.testing.assert_array_equal(
            batch["frames"][row, : len(places)], _video(video, size)[places]
        )
        assert not batch["frames"][row, len(places) :].any()
        assert batch["id"][row] == whole["id"][video]
        np.testing.assert_array_equal(
            batch["labels"][row], whole["labels"][video]
        )


@pytest.mark.slow
def test_frames_of_halves_are_chosen_in_each():
    reader = _reader(
        parts="halves", frame_sampling="random", num_sampled_frames=30
    )
    batch = _parse([record_makers.make_frame_example(0, 8)], reader)
    video = _video(0, 8).tolist()
    first, second = (
        [video.index(frame) for frame in half.tolist()]
        for half in batch["frames"]
    )
    assert set(first) == {0, 1, 2, 3}
    assert set(second) == {4, 5, 6, 7}
    assert first != [place - 4 for place in second]


_SEGMENTS = [
    [(5, 3, 1.0), (0, 3, 0.0), (5, 4, 0.0)],
    [],
    [(15, 9, 1.0), (15, 0, 1.0)],
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [record_makers.make_frame_example, record_makers.make_packed_example],
)
def test_segments(make):
    reader = _reader(parts="segments", max_frames=17)
    records = [
        make(index, 20, segments=segments)
        for index, segments in enumerate(_SEGMENTS)
    ]
    batch = _parse(records, reader)
    assert batch["id"].tolist() == [b"v00000:5", b"v00000:0", b"v00002:15"]
    # Frames from 17 on are not read.
    np.testing.assert_array_equal(batch["num_frames"], [5, 5, 2])
    for row, (video, start) in enumerate([(0, 5), (0, 0), (2, 15)]):
        number = batch["num_frames"][row]
        np.testing.assert_array_equal(
            batch["frames"][row, :number],
            _video(video, 20)[start : start + number],
        )
        assert not batch["frames"][row, number:].any()
    labels, weights = np.zeros([3, 10]), np.zeros([3, 10])
    labels[[0, 2, 2], [3, 0, 9]] = 1
    weights[[0, 0, 1, 2, 2], [3, 4, 3, 0, 9]] = 1
    np.testing.assert_array_equal(batch["labels"], labels)
    np.testing.assert_array_equal(batch["label_weights"], weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("segments", "text"),
    [
        ([(0, 10, 1.0)], "expected segment labels from 0 to 9"),
        ([(0, 1, 1.0), (8, 1, 1.0)], "segments of 5 s that start inside"),
        ([(0, 1, 0.5)], "expected segment scores of 0 or 1"),
        # TensorFlow compares it as zero: it is below the normal numbers.
        ([(0, 1, 2.3e-41)], "expected segment scores of 0 or 1"),
    ],
)
def test_segments_that_do_not_fit(segments, text):
    reader = _reader(parts="segments")
    good = record_makers.make_frame_example(0, 8, segments=[(0, 1, 1.0)])
    bad = record_makers.make_frame_example(1, 8, segments=segments)
    message = _error([good, bad], reader)
    assert message.startswith("the request: record 1: expected")
    assert text in message


@pytest.mark.slow
def test_segments_without_scores(tmp_path):
    example = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(0, 8, segments=[(0, 1, 1.0)])
    )
    del example.context.feature["segment_scores"]
    reader = _reader(parts="segments")
    assert "expected as many values of segment_start_times" in _error(
        [example.SerializeToString()], reader
    )
    file = record_makers.write_tfrecord(
        tmp_path / "a", [example.SerializeToString()]
    )
    with pytest.raises(readers.DataError, match="Received: no segment_scores"):
        readers.check_format([file], reader)


@pytest.mark.slow
def test_batches_without_a_segment_are_left_out(tmp_path):
    file = record_makers.write_tfrecord(
        tmp_path / "a",
        [
            record_makers.make_frame_example(index, 20, segments=segments)
            for index, segments in enumerate(_SEGMENTS)
        ],
    )
    dataset = readers.make_dataset(
        _reader(parts="segments", max_frames=20), [file], batch_size=1
    )
    assert [len(batch["id"]) for batch in dataset] == [2, 1]


def _make_floats(index, num_frames):
    # The value of code c: 4 / 255 (c - 128) + 2 / 255, up to half a code.
    frames = {
        name: record_makers.frame_values(index, num_frames, size, number)
        * (4 / 255)
        + (4 / 512 - 2)
        for number, (name, size) in enumerate({"rgb": 6, "audio": 3}.items())
    }
    return record_makers.make_float_frame_example(index, frames)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["regular", "irregular", "packed", "floats", "long among short"]
)
def test_all_segments_to_the_end_of_videos(kind):
    counts = [11, 1, 5, 23] if kind != "long among short" else [11, 1, 5, 123]
    make = {
        "packed": record_makers.make_packed_example,
        "floats": _make_floats,
    }.get(kind, record_makers.make_frame_example)
    records = [make(index, number) for index, number in enumerate(counts)]
    if kind == "irregular":
        records = [_irregular(record) for record in records]
    # What is read of whole videos does not matter, be it less than a segment.
    reader = _reader(
        parts="all_segments",
        with_labels=False,
        max_frames=3,
        float_frames=kind == "floats",
    )
    batch = _parse(records, reader)
    assert sorted(batch) == ["frames", "id", "num_frames"]
    # 11 = 5 + 5 + 1, 1, 5, and 23 = 5 + 5 + 5 + 5 + 3.
    segments = [
        (video, start, min(5, count - start))
        for video, count in enumerate(counts)
        for start in range(0, count, 5)
    ]
    assert segments[:5] == [
        (0, 0, 5),
        (0, 5, 5),
        (0, 10, 1),
        (1, 0, 1),
        (2, 0, 5),
    ]
    assert batch["id"].tolist() == [
        b"v%05d:%d" % (video, start) for video, start, _ in segments
    ]
    assert batch["num_frames"].tolist() == [size for _, _, size in segments]
    assert batch["frames"].shape == (len(segments), 5, 9)
    for frames, (video, start, size) in zip(
        batch["frames"], segments, strict=True
    ):
        np.testing.assert_array_equal(
            frames[:size], _video(video, counts[video])[start : start + size]
        )
        assert not frames[size:].any()


@pytest.mark.slow
def test_frames_of_all_segments_are_chosen_in_each():
    reader = _reader(
        parts="all_segments",
        with_labels=False,
        frame_sampling="even",
        num_sampled_frames=2,
    )
    batch = _parse([record_makers.make_frame_example(0, 11)], reader)
    # floor((i + 1/2) 5 / 2) of 5 frames: 1 and 3; the last segment has one.
    video = _video(0, 11)
    np.testing.assert_array_equal(batch["frames"][0], video[[1, 3]])
    np.testing.assert_array_equal(batch["frames"][1], video[[6, 8]])
    np.testing.assert_array_equal(batch["frames"][2, :1], video[[10]])
    assert batch["num_frames"].tolist() == [2, 2, 1]


@pytest.mark.slow
def test_segments_are_not_padded_to_the_frames_that_are_sampled():
    arguments = {"parts": "all_segments", "with_labels": False}
    reader = _reader(frame_sampling="even", num_sampled_frames=30, **arguments)
    assert reader.num_output_frames == 5
    records = _records(record_makers.make_frame_example)
    _assert_same(_parse(records, reader), _parse(records, _reader(**arguments)))


@pytest.mark.slow
def test_a_batch_of_no_video_has_no_segments():
    reader = _reader(parts="all_segments", with_labels=False)
    assert _parse([], reader)["frames"].shape == (0, 5, 9)


@pytest.mark.parametrize(
    ("parts", "with_labels"), [("segments", False), ("all_segments", True)]
)
def test_segments_whose_labels_are_not_there(parts, with_labels):
    message = (
        f"`with_labels` is expected to be {not with_labels} where parts is "
        f"'{parts}': .* Received: with_labels={with_labels}"
    )
    with pytest.raises(ValueError, match=message):
        _reader(parts=parts, with_labels=with_labels)


def _other_labels(record, kind):
    """Gives a record labels that no reader of 10 classes takes."""
    is_packed = kind == "packed"
    message = (tf.train.Example if is_packed else tf.train.SequenceExample)()
    message.ParseFromString(record)
    features = message.features if is_packed else message.context
    feature = features.feature["labels"]
    feature.Clear()
    return message, feature


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regular", "irregular", "packed", "floats"])
@pytest.mark.parametrize("parts", ["whole", "halves", "all_segments"])
def test_labels_that_nobody_needs_are_not_looked_at(kind, parts):
    make = {
        "packed": record_makers.make_packed_example,
        "floats": _make_floats,
    }.get(kind, record_makers.make_frame_example)
    records = []
    for index, values in enumerate(
        [{"int64_list": 3000}, {"int64_list": -1}, {"bytes_list": b"cat"},
         {"float_list": 0.5}]
    ):  # fmt: skip
        message, feature = _other_labels(make(index, 4), kind)
        for name, value in values.items():
            getattr(feature, name).value.append(value)
        record = message.SerializeToString(deterministic=True)
        records.append(_irregular(record) if kind == "irregular" else record)
    floats = kind == "floats"
    reader = _reader(parts=parts, with_labels=False, float_frames=floats)
    good = [make(index, 4) for index in range(4)]
    batch = _parse(records, reader)
    assert "labels" not in batch
    _assert_same(batch, _parse(good, reader))
    if parts != "all_segments":
        assert "expected" in _error(
            records[:1], _reader(parts=parts, float_frames=floats)
        )


def test_labels_of_videos_do_not_matter_to_rated_segments():
    record = record_makers.make_frame_example(
        0, 8, labels=[3000], segments=[(0, 4, 1.0)]
    )
    batch = _parse([record], _reader(parts="segments"))
    np.testing.assert_array_equal(np.argwhere(batch["labels"]), [[0, 4]])
    assert "expected labels from 0 to 9. Received: 3000" in _error(
        [record], _reader()
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regular", "irregular", "packed", "floats"])
@pytest.mark.parametrize("how", ["all", "even"])
def test_ids_that_a_csv_cannot_hold(kind, how):
    make = {
        "packed": record_makers.make_packed_example,
        "floats": _make_floats,
    }.get(kind, record_makers.make_frame_example)
    records = [make(0, 4), make(1, 4).replace(b"v00001", b'v,"001')]
    if kind == "irregular":
        records = [_irregular(record) for record in records]
    arguments = {
        "frame_sampling": how,
        "num_sampled_frames": None if how == "all" else 2,
        "float_frames": kind == "floats",
    }
    message = _error(records, _reader(column_ids=True, **arguments))
    assert message == (
        "the request: record 1: expected an id of printable characters without "
        "commas and quotes, which a CSV can hold. Received: 'v,\"001'. Write "
        "the record with another id, or leave it out."
    )
    assert _parse(records, _reader(**arguments))["id"][1] == b'v,"001'
