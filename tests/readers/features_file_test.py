"""Tests of the file that says what records hold."""

import dataclasses

import pytest

from yt8m_compact import readers
from yt8m_compact.readers import features_file

_FEATURES = readers.RecordFeatures(
    feature_names=("clip", "sound"),
    feature_sizes=(7, 3),
    num_classes=5,
    min_quantized_value=(0.0, -4.5),
    max_quantized_value=(1.0, 8.25),
)


def test_it_is_read_as_it_was_written(tmp_path):
    path = str(tmp_path / readers.FEATURES_NAME)
    features_file.write_features(path, _FEATURES)
    assert readers.read_features(path) == _FEATURES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected an object with the fields of RecordFeatures"),
        ('{"x": 1}', "expected fields of RecordFeatures"),
        ("{", "expected yt8m_features.json, which yt8m-data convert"),
        ('{"feature_names": ["a"]}', "expected one size above 0"),
        (
            '{"feature_names": ["a"], "feature_sizes": [1], '
            '"min_quantized_value": [3], "max_quantized_value": [3]}',
            "expected max_quantized_value above min_quantized_value",
        ),
        (
            '{"feature_names": ["a"], "feature_sizes": [1], "num_classes": 2, '
            '"class_names": ["cat"]}',
            "expected a name of each of the 2 classes. Received: 1 class_names",
        ),
    ],
)
def test_what_is_none(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"{path}.*{message}"):
        readers.read_features(str(path))


@pytest.mark.parametrize(
    ("lows", "highs", "message"),
    [
        ((0.0, 1.0), (2.0,), "one number, or 3, one for each"),
        ((0.0,), (), "one number, or 3, one for each"),
        ((0.0, 5.0, 1.0), (4.0,), "above min_quantized_value"),
    ],
)
def test_ranges(lows, highs, message):
    with pytest.raises(ValueError, match=message):
        features_file.expect_ranges(lows, highs, 3)


def _write(folder, low, high, **kwargs):
    folder.mkdir(exist_ok=True)
    features = readers.RecordFeatures(
        feature_names=("clip",),
        feature_sizes=(7,),
        min_quantized_value=(low,),
        max_quantized_value=(high,),
        **kwargs,
    )
    path = str(folder / readers.FEATURES_NAME)
    readers.write_features(path, features)
    return features


def test_what_is_said_of_several_folders(tmp_path):
    files = [str(tmp_path / name / "x.tfrecord") for name in "abc"]
    assert readers.find_features(files) is None
    features = _write(tmp_path / "b", 0.0, 4.5, num_classes=3)
    _write(tmp_path / "c", 0.0, 4.5)
    assert readers.find_features(files) == features
    _write(tmp_path / "c", 0.0, 5.5)
    with pytest.raises(
        readers.DataError,
        match=r"c/yt8m_features.json: expected codes of 'clip' that stand for "
        r"\[0, 4.5\], as those of .*b/yt8m_features.json; convert them by that "
        r"file. Received: codes that stand for \[0, 5.5\]",
    ):
        readers.find_features(files)


def test_codes_of_another_range_than_those_of_training(tmp_path):
    files = [str(tmp_path / "data" / "x.tfrecord")]
    run = tmp_path / "run"
    _write(tmp_path / "data", 0.0, 4.5)
    readers.expect_same_ranges(str(run), files)  # nothing is known of it
    _write(run, 0.0, 4.5)
    readers.expect_same_ranges(str(run), files)
    _write(run, -1.0, 4.5)
    (run / "model.tflite").touch()
    readers.expect_same_ranges("a model in memory", files)
    for path in (run, run / "model.tflite"):
        with pytest.raises(
            readers.DataError, match=r"data: expected codes of 'clip' .*\[-1, 4"
        ):
            readers.expect_same_ranges(str(path), files)
    (tmp_path / "data" / readers.FEATURES_NAME).unlink()
    readers.expect_same_ranges(str(run), files)


def test_other_classes_than_those_of_training(tmp_path):
    files = [str(tmp_path / "data" / "x.tfrecord")]
    run = tmp_path / "run"
    _write(run, 0.0, 4.5, num_classes=2, class_names=("ant", "bee"))
    _write(
        tmp_path / "data", 0.0, 4.5, num_classes=2, class_names=("bee", "ant")
    )
    readers.expect_same_ranges(str(run), files)
    with pytest.raises(
        readers.DataError,
        match="data: expected class 0 to be 'ant', as in .*run/yt8m_features",
    ):
        readers.expect_same_ranges(str(run), files, classes=True)
    _write(tmp_path / "data", 0.0, 4.5)
    readers.expect_same_ranges(str(run), files, classes=True)


def test_numbers_and_names_of_classes_of_several_folders(tmp_path):
    files = [str(tmp_path / name / "x.tfrecord") for name in "abc"]
    _write(tmp_path / "a", 0.0, 4.5, max_frames=7)
    _write(tmp_path / "b", 0.0, 4.5, num_classes=2, class_names=("ant", "bee"))
    names = ("ant", "bee", "cat")
    _write(tmp_path / "c", 0.0, 4.5, num_classes=3, class_names=names)
    found = readers.find_features(files)
    assert (found.num_classes, found.class_names) == (3, names)
    assert found.max_frames == 7
    _write(tmp_path / "a", 0.0, 4.5, num_classes=4, max_frames=3)
    found = readers.find_features(files)
    assert (found.num_classes, found.class_names) == (4, ())
    _write(tmp_path / "b", 0.0, 4.5, num_classes=2, class_names=("ant", "cow"))
    with pytest.raises(
        readers.DataError,
        match="c/yt8m_features.json: expected class 1 to be 'cow', as in "
        ".*b/yt8m_features.json; convert them by .*. Received: 'bee'",
    ):
        readers.find_features(files)


def test_what_is_said_of_copies(tmp_path):
    files = [str(tmp_path / "x.tfrecord")]
    assert readers.derive_features(files) is None
    readers.write_features(str(tmp_path / readers.FEATURES_NAME), _FEATURES)
    assert readers.derive_features(files) == _FEATURES
    assert readers.derive_features(files, names=("other",)) is None
    found = readers.derive_features(files, names=("sound",), packed=True)
    assert found == readers.RecordFeatures(
        feature_names=("sound",),
        feature_sizes=(3,),
        num_classes=5,
        packed=True,
        min_quantized_value=(-4.5,),
        max_quantized_value=(8.25,),
    )


def test_a_folder_of_other_records_is_refused(tmp_path):
    folder = str(tmp_path)
    assert readers.expect_place(folder, None) is None
    assert readers.expect_place(folder, _FEATURES) == _FEATURES
    _write(tmp_path, 0.0, 4.5)
    for features in (None, _FEATURES):
        with pytest.raises(
            ValueError,
            match="yt8m_features.json: expected a folder without other records"
            ".* Received: .*feature_names=.'clip'.*; choose another output",
        ):
            readers.expect_place(folder, features)
        found = readers.expect_place(folder, features, overwrite=True)
        assert found == features


def test_more_of_the_same_records(tmp_path):
    folder = str(tmp_path)
    names = ("ant", "bee")
    kind = {"num_classes": 2, "class_names": names}
    said = _write(tmp_path, 0.0, 4.5, max_frames=9, **kind)
    more = dataclasses.replace(said, max_frames=7)
    assert readers.expect_place(folder, more) == said
    more = dataclasses.replace(said, num_classes=5, class_names=())
    found = readers.expect_place(folder, more)
    assert (found.num_classes, found.class_names) == (5, ())
    more = dataclasses.replace(said, class_names=("ant", "cow"))
    with pytest.raises(
        readers.DataError, match="class 1 to be 'cow', as in wh"
    ):
        readers.expect_place(folder, more)


def test_what_is_said_is_replaced_or_goes(tmp_path):
    path = tmp_path / readers.FEATURES_NAME
    readers.place_features(str(tmp_path), None)
    readers.place_features(str(tmp_path), _FEATURES)
    assert readers.read_features(str(path)) == _FEATURES
    written = path.stat().st_ino
    readers.place_features(str(tmp_path), _FEATURES)
    assert path.stat().st_ino == written
    readers.place_features(str(tmp_path), None)
    assert not path.exists()


def test_names_of_the_classes_of_a_run(tmp_path):
    assert readers.find_class_names(str(tmp_path / "run"), 2) is None
    names = ("ant", "bee")
    _write(tmp_path, 0.0, 4.5, num_classes=2, class_names=names)
    (tmp_path / "model.onnx").touch()
    for path in (tmp_path, tmp_path / "model.onnx"):
        assert readers.find_class_names(str(path), 2) == names
        assert readers.find_class_names(str(path), 3) is None
