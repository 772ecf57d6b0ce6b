"""Tests of converting features from MediaPipe."""

import math

import numpy as np
import pytest
import tensorflow as tf

import record_makers
from yt8m_compact import datasets
from yt8m_compact import readers

_CONFIG = {
    "feature_sizes": (6, 3),
    "num_classes": 10,
}
_SOURCES = {"RGB/feature/floats": 6, "AUDIO/feature/floats": 3}


def _values(index: int, num_frames: int, source: str) -> np.ndarray:
    rng = np.random.default_rng([index, len(source)])
    shape = num_frames, _SOURCES[source]
    return rng.uniform(-1.9, 1.9, shape).astype(np.float32)


def _features(index: int, context=None, **num_frames: int) -> bytes:
    """Makes what MediaPipe's graph writes for a video."""
    message = tf.train.SequenceExample()
    for key, value in (context or {}).items():
        message.context.feature[key].bytes_list.value.append(value)
    for source in _SOURCES:
        number = num_frames.get(source.split("/")[0], 4)
        if number is None:
            continue
        frames = message.feature_lists.feature_list[source].feature
        for values in _values(index, number, source):
            frames.add().float_list.value.extend(values)
        # MediaPipe keeps their times too.
        name = source.replace("floats", "timestamp")
        times = message.feature_lists.feature_list[name].feature
        for second in range(number):
            times.add().int64_list.value.append(second * 1_000_000)
    return message.SerializeToString()


def _convert(folder, pattern, labels=None, **kwargs):
    config = datasets.ConvertConfig(**(_CONFIG | kwargs))
    return datasets.convert_files(
        str(pattern), str(folder), config, labels=labels
    )


def _read(folder) -> dict[str, tf.train.SequenceExample]:
    found = {}
    for path in sorted(folder.glob("*.tfrecord")):
        for data in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            message = tf.train.SequenceExample.FromString(data)
            key = message.context.feature["id"].bytes_list.value[0].decode()
            assert key not in found
            found[key] = message
    return found


def _codes(values: np.ndarray) -> np.ndarray:
    # The nearest of x = q * 4/255 + 4/512 - 2.
    codes = (values.astype(np.float64) - 4 / 512 + 2) * 255 / 4
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)


def test_pb_files_with_labels(tmp_path):
    for index, name in enumerate(["cat", "dog", "emu"]):
        (tmp_path / f"{name}.pb").write_bytes(_features(index))
    labels = {"cat": (3,), "emu": (1, 7), "yak": (2,)}
    report = _convert(tmp_path / "out", tmp_path / "*.pb", labels)
    assert report.num_written == 2
    assert report.without_labels == ["dog"]
    assert report.without_features == ["yak"]
    path = str(tmp_path / "out" / "videos-00000-of-00001.tfrecord")
    assert report.files == {path: 2}
    text = report.to_text(datasets.ConvertConfig())
    assert "1 videos without labels, left out: dog" in text
    assert "1 labels without features, left out: yak" in text
    found = _read(tmp_path / "out")
    assert sorted(found) == ["cat", "emu"]
    for name, index in (("cat", 0), ("emu", 2)):
        context = found[name].context.feature
        assert tuple(context["labels"].int64_list.value) == labels[name]
        lists = found[name].feature_lists.feature_list
        assert sorted(lists) == ["audio", "rgb"]
        for key, source in zip(("rgb", "audio"), _SOURCES, strict=True):
            frames = b"".join(
                step.bytes_list.value[0] for step in lists[key].feature
            )
            codes = np.frombuffer(frames, np.uint8).reshape(4, -1)
            expected = _codes(_values(index, 4, source))
            np.testing.assert_array_equal(codes, expected)


@pytest.mark.slow
def test_the_reader_reads_what_is_written(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(5))
    _convert(tmp_path / "out", tmp_path / "*.pb", {"cat": (3,)})
    reader = readers.FrameLevelReader(("rgb", "audio"), (6, 3), 10, 5)
    files = readers.expand_patterns(str(tmp_path / "out" / "*.tfrecord"))
    (batch,) = readers.make_dataset(reader, files, batch_size=2)
    assert batch["id"].numpy().tolist() == [b"cat"]
    assert batch["num_frames"].numpy().tolist() == [4]
    values = [_codes(_values(5, 4, source)) for source in _SOURCES]
    np.testing.assert_array_equal(
        batch["frames"][0, :4], np.concatenate(values, axis=1)
    )


def test_ids_of_records(tmp_path):
    contexts = [
        {"id": b"one"},
        {"video_id": b"two"},
        {"example/id": b"three", "clip/data_path": b"/x/other.mp4"},
        {"clip/data_path": b"/videos/four.mp4"},
    ]
    record_makers.write_tfrecord(
        tmp_path / "all.tfrecord",
        [_features(i, context) for i, context in enumerate(contexts)],
    )
    report = _convert(tmp_path / "out", tmp_path / "all.tfrecord")
    assert report.num_written == 4
    found = _read(tmp_path / "out")
    assert sorted(found) == ["four", "one", "three", "two"]
    # No labels were asked for: there is no such key.
    assert "labels" not in found["one"].context.feature


def test_videos_without_labels_are_kept_on_request(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / f"{name}.pb").write_bytes(_features(1))
    report = _convert(
        tmp_path / "out", tmp_path / "*.pb", {"cat": (3,)}, keep_unlabelled=True
    )
    assert report.without_labels == ["dog"]
    found = _read(tmp_path / "out")
    assert "labels" in found["cat"].context.feature
    assert "labels" not in found["dog"].context.feature


def test_the_shortest_feature_decides(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1, RGB=5, AUDIO=3))
    report = _convert(tmp_path / "out", tmp_path / "*.pb")
    assert report.shortened == ["cat"]
    lists = _read(tmp_path / "out")["cat"].feature_lists.feature_list
    assert [len(lists[name].feature) for name in ("rgb", "audio")] == [3, 3]


def test_a_missing_feature(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1, AUDIO=None))
    with pytest.raises(
        readers.DataError,
        match=r"cat.pb: expected frames of .*RGB/feature/floats,RGB/feature/ti"
        ".*; set fill_missing to fill",
    ):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    assert list((tmp_path / "out").iterdir()) == []
    report = _convert(tmp_path / "out", tmp_path / "*.pb", fill_missing=True)
    assert report.filled == ["cat"]
    lists = _read(tmp_path / "out")["cat"].feature_lists.feature_list
    codes = [step.bytes_list.value[0] for step in lists["audio"].feature]
    # (0 + 2 - 4/512) * 255/4 = 127.002: the code nearest to zero.
    assert codes == [bytes([127] * 3)] * 4
    assert "1 videos lacked a feature, which is zeros now: cat" in (
        report.to_text(datasets.ConvertConfig())
    )


def test_only_one_feature_and_packed_shards(tmp_path):
    for index in range(5):
        (tmp_path / f"v{index}.pb").write_bytes(_features(index, RGB=index + 1))
    report = _convert(
        tmp_path / "out",
        tmp_path / "*.pb",
        source_features=("RGB/feature/floats",),
        feature_names=("pictures",),
        feature_sizes=(6,),
        packed=True,
        num_shards=2,
    )
    assert list(report.files.values()) == [3, 2]
    stats = datasets.count_files(
        str(tmp_path / "out" / "*.tfrecord"),
        feature_names=("pictures",),
        feature_sizes=(6,),
    )
    assert stats.frames_per_video == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1}


def test_clipped_values_are_counted(tmp_path):
    message = tf.train.SequenceExample.FromString(_features(1))
    frames = message.feature_lists.feature_list["RGB/feature/floats"].feature
    frames[1].float_list.value[2] = 2.5
    frames[3].float_list.value[0] = -9.0
    (tmp_path / "cat.pb").write_bytes(message.SerializeToString())
    report = _convert(tmp_path / "out", tmp_path / "*.pb")
    assert (report.num_clipped, report.num_values) == (2, 4 * 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([1.0] * 5, "expected 6 floats of 'RGB/feature/floats'.*: 5, 6"),
        ([math.nan] * 6, "expected finite values of 'RGB/feature/floats'"),
    ],
)
def test_wrong_values(tmp_path, change, message):
    data = tf.train.SequenceExample.FromString(_features(1))
    frames = data.feature_lists.feature_list["RGB/feature/floats"].feature
    del frames[2].float_list.value[:]
    frames[2].float_list.value.extend(change)
    (tmp_path / "cat.pb").write_bytes(data.SerializeToString())
    with pytest.raises(readers.DataError, match=f"cat.pb: {message}"):
        _convert(tmp_path / "out", tmp_path / "*.pb")


def test_what_is_no_video(tmp_path):
    (tmp_path / "cat.pb").write_bytes(b"junk")
    with pytest.raises(readers.DataError, match="cat.pb: expected a tf.train"):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    path = tmp_path / "a.tfrecord"
    record_makers.write_tfrecord(path, [_features(1)])
    with pytest.raises(readers.DataError, match="record 0: expected an id"):
        _convert(tmp_path / "out", path)
    record_makers.write_tfrecord(path, [_features(1, {"id": b"a"})] * 2)
    with pytest.raises(ValueError, match="record 1: expected every id once"):
        _convert(tmp_path / "out", path)


def test_ids_that_do_not_meet(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1))
    with pytest.raises(ValueError, match="of 1 videos to be.*such as 'cat'"):
        _convert(tmp_path / "out", tmp_path / "*.pb", {"CAT": (1,)})
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_replaced(tmp_path):
    (tmp_path / "cat.pb").write_bytes(_features(1))
    _convert(tmp_path / "out", tmp_path / "*.pb")
    with pytest.raises(
        ValueError, match="exist yet. Received: a file that is there"
    ):
        _convert(tmp_path / "out", tmp_path / "*.pb")
    config = datasets.ConvertConfig(**_CONFIG)
    with pytest.raises(ValueError, match="expected another folder than that"):
        datasets.convert_files(
            str(tmp_path / "out" / "*.tfrecord"),
            str(tmp_path / "out"),
            config,
            overwrite=True,
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source_features": ("rgb",)}, "as many source_features as"),
        (
            {"feature_names": ("rgb",), "feature_sizes": (1, 2)},
            "one size above 0 for each feature",
        ),
        ({"num_shards": 0}, "expected num_shards to be at least 1"),
        ({"num_classes": 0}, "expected num_classes to be at least 1"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.ConvertConfig(**arguments)


def test_labels_as_numbers_and_names(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "id,labels\na,3 1 1\nb,2;Video Game\nc,game,4\n\nd,GUITAR\n"
        'e,"jazz, rock"\n'
    )
    names = {"video game": 5, "game": 6, "guitar": 0, "jazz, rock": 7}
    found = datasets.read_labels(str(path), 10, names)
    assert found == {
        "a": (1, 3),
        "b": (2, 5),
        "c": (4, 6),
        "d": (0,),
        "e": (7,),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1\nb\n", "line 2: expected an id and labels"),
        ("a,1\n,2\n", "line 2: expected an id and labels"),
        ("a,1\nb,2\na,3\n", "line 3: expected every id once.*in line 1 too"),
        ("a,10\n", "line 1: expected one or more labels from 0 to 9"),
        ("a,\n", "line 1: expected one or more labels from 0 to 9"),
        ("a,dog\n", r"line 1: expected numbers .*\(2 names\).*'dog', neither"),
        ("a,-1\n", "line 1: expected numbers of classes"),
        ("a,twin\n", "line 1: .*'twin', a name of several"),
        ("", "expected a CSV file. Received: no line"),
        (b"\xff\xfe", "expected a CSV file. Received: what is not UTF-8"),
        ("a,1\nb\0,1\n", "line 2: expected CSV. Received: a zero byte"),
        ('a,1\n"' + 150_000 * "b", "line 2: expected CSV.*field limit"),
        ("a," + 5000 * "9", "line 1: expected numbers .*Received: .9{79},"),
    ],
)
def test_wrong_labels(tmp_path, text, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"{path}: {message}"):
        datasets.read_labels(str(path), 10, {"cat": 1, "twin": None})


def test_missing_labels():
    with pytest.raises(ValueError, match="missing: expected a CSV file.*no"):
        datasets.read_labels("missing", 10)


def test_real_vocabularies(shared_data):
    found = datasets.read_vocabulary(
        str(shared_data / "vocabulary" / "vocabulary_2018.csv")
    )
    assert found["game"] == 0
    assert found["video game"] == 1
    assert max(found.values()) <= 3861
    found = datasets.read_vocabulary(
        str(shared_data / "audioset" / "class_labels_indices.csv")
    )
    assert found["speech"] == found["/m/09x0r"] == 0
    assert found["male speech, man speaking"] == 1
    # Two classes are called Warhammer 40 there.
    found = datasets.read_vocabulary(
        str(shared_data / "vocabulary" / "label_names_2018.csv")
    )
    assert found["warhammer 40"] is None


def test_names_of_classes(tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text("mid,Name,index\n/m/1,Cat, 3\n/m/2,,0\n,,1\n/m/4,Cat,2\n")
    assert datasets.read_class_names(str(path)) == {
        3: "Cat",
        0: "/m/2",
        2: "Cat",
    }


def test_verticals_of_classes(tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text(
        "Index,Name,Vertical1,Vertical2,Vertical3\n2,Cat,Pets,,\n0,Go,Games,"
        "Sports ,\n1,Dog race,Sports,Pets,Sports\n3,x,,,\n"
    )
    assert datasets.read_verticals(str(path)) == {
        "Games": [0],
        "Pets": [1, 2],
        "Sports": [0, 1],
    }
    path.write_text("index,mid,display_name\n0,/m/1,Speech\n")
    assert datasets.read_verticals(str(path)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected columns index or label_id, and name or"),
        ("index,name\nx,cat\n", "line 2: expected the number of a class"),
        ("index,name\n1,cat\n2\n", "line 3: expected the 2 columns of the"),
    ],
)
def test_wrong_vocabularies(tmp_path, text, message):
    path = tmp_path / "vocabulary.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        datasets.read_vocabulary(str(path))
