"""Tests of finding what TensorFlow Datasets prepared."""

import json

import pytest

import prepared_data
from yt8m_compact import readers

PATTERN = "tfds:youtube8m/video_level"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path, monkeypatch):
    """The folder of a data set in TFDS_DATA_DIR."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return prepared_data.write_prepared(
        tmp_path, {"train": [3, 4], "validation": [2]}
    )


def test_files_of_a_split(folder):
    assert readers.expand_patterns(f"{PATTERN}/train") == [
        f"{folder}/youtube8m-train.tfrecord-00000-of-00002",
        f"{folder}/youtube8m-train.tfrecord-00001-of-00002",
    ]
    both = readers.expand_patterns(f"{PATTERN}/validation,{PATTERN}/train")
    assert len(both) == 3
    assert both[0].endswith("youtube8m-validation.tfrecord-00000-of-00001")


@pytest.mark.slow
def test_the_reader_reads_them(folder):
    reader = readers.VideoLevelReader(("mean_rgb", "mean_audio"), (6, 3), 10)
    files = readers.expand_patterns(f"{PATTERN}/validation")
    (batch,) = readers.make_dataset(reader, files, batch_size=5)
    assert batch["id"].numpy().tolist() == [b"v00007", b"v00008"]


def test_what_it_holds(folder):
    found = readers.find_prepared(PATTERN)
    assert found == readers.PreparedDataset(
        PATTERN,
        str(folder),
        {
            "train": {
                "youtube8m-train.tfrecord-00000-of-00002": 3,
                "youtube8m-train.tfrecord-00001-of-00002": 4,
            },
            "validation": {"youtube8m-validation.tfrecord-00000-of-00001": 2},
        },
        wanted_split=None,
        frame_features=False,
        # As in the supervised keys, not in alphabetical order.
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=(6, 3),
        num_classes=10,
    )
    assert found.split_pattern("test", "validation") == f"{PATTERN}/validation"


def test_frames(folder):
    (folder / "features.json").write_text(
        json.dumps(
            prepared_data.features_json({"b": 4, "a": 7}, 5, frames=True)
        )
    )
    found = readers.find_prepared(f"{PATTERN}/train")
    assert found.frame_features
    # The supervised keys have other names here: the order of the file.
    assert (found.feature_names, found.feature_sizes) == (("a", "b"), (7, 4))
    assert found.num_classes == 5
    assert found.wanted_split == "train"


def test_the_newest_version_or_the_one_named(folder, tmp_path):
    newer = prepared_data.write_prepared(
        tmp_path, {"train": [1]}, version="1.10.0"
    )
    prepared_data.write_prepared(tmp_path, {"train": [1]}, version="1.9.0")
    (newer.parent / "1.11.0.incompleteXYZ").mkdir()
    assert readers.find_prepared(PATTERN).folder == str(newer)
    for pattern in (f"{PATTERN}:1.0.0", f"{PATTERN}:1.0.0/train"):
        found = readers.find_prepared(pattern)
        assert found.folder == str(folder)
        assert found.split_pattern("train") == f"{PATTERN}:1.0.0/train"
    with pytest.raises(readers.DataError, match="expected a data set that"):
        readers.find_prepared(f"{PATTERN}:2.0.0")


def test_another_folder(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "elsewhere")
    pattern = f"tfds:{tmp_path}/youtube8m/video_level"
    found = readers.find_prepared(pattern)
    assert found.folder == str(folder)
    assert len(readers.expand_patterns(f"{pattern}/train")) == 2


def test_the_folder_of_tensorflow_datasets(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = prepared_data.write_prepared(
        tmp_path / "tensorflow_datasets", {"train": [1]}
    )
    assert readers.find_prepared(PATTERN).folder == str(folder)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("tfds:youtube8m", "tfds:youtube8m: expected a data set that Tensor"),
        ("tfds:", "expected a data set that TensorFlow Datasets prepared"),
        ("tfds:youtube9m/video_level/train", "Received: no such folder"),
        (PATTERN, f"expected a split, such as {PATTERN}/train. Received: none"),
        (f"{PATTERN}/test", "expected the split test. .* with train, valid"),
    ],
)
def test_what_is_not_there(folder, pattern, message):
    with pytest.raises(readers.DataError, match=message):
        readers.expand_patterns(pattern)


def test_no_split_that_is_wanted(folder):
    with pytest.raises(readers.DataError, match="the split test or dev"):
        readers.find_prepared(PATTERN).split_pattern("test", "dev")


def test_a_missing_file(folder):
    (folder / "youtube8m-train.tfrecord-00001-of-00002").unlink()
    with pytest.raises(
        readers.DataError, match="00001-of-00002: expected the file, which"
    ):
        readers.expand_patterns(f"{PATTERN}/train")


def test_another_file_format(folder):
    path = folder / "dataset_info.json"
    text = path.read_text().replace('"tfrecord"', '"array_record"')
    path.write_text(text)
    with pytest.raises(readers.DataError, match="fileFormat='array_record'"):
        readers.find_prepared(PATTERN)


@pytest.mark.parametrize(
    "features",
    [
        {"featuresDict": {"features": {}}},
        prepared_data.features_json({}, 5),
        {},
    ],
)
def test_other_features(folder, features):
    (folder / "features.json").write_text(json.dumps(features))
    with pytest.raises(readers.DataError, match="features as those of youtube"):
        readers.find_prepared(PATTERN)


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", "", "[" * 100_000, '{"a":' * 100_000, '{"a": NaN}', "\0"],
)
@pytest.mark.parametrize("name", ["features.json", "dataset_info.json"])
def test_a_broken_description(folder, name, text):
    (folder / name).write_text(text)
    with pytest.raises(
        readers.DataError, match=f"{name}: expected what TensorFlow Data"
    ):
        readers.find_prepared(PATTERN)


def test_no_description(folder):
    (folder / "features.json").unlink()
    with pytest.raises(
        readers.DataError,
        match="features.json: expected what Tensor.* Received: no such file",
    ):
        readers.find_prepared(PATTERN)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("../{SHARD_X_OF_Y}", "Received: '../00000-of-00002'"),
        ("/etc/{SHARD_X_OF_Y}", "Received: '/etc/00000-of-00002'"),
        ("{SPLIT}", "expected names of different files. Received: 'train'"),
        ("..", r"Received: '\.\.'"),
        ("", "Received: ''"),
        ("{OTHER}", "KeyError 'OTHER'"),
        ("a{SPLIT}\0", "Received: 'atrain"),
        # What str.format would do with them.
        ("{SPLIT:>99999999999}{SPLIT.__class__}", "Received: '{SPLIT:>9999"),
        (3, "TypeError"),
    ],
)
def test_hostile_names_of_files(folder, template, message):
    path = folder / "dataset_info.json"
    info = json.loads(path.read_text())
    for split in info["splits"]:
        split["filepathTemplate"] = template
    path.write_text(json.dumps(info))
    with pytest.raises(readers.DataError, match=message):
        readers.find_prepared(PATTERN)


@pytest.mark.parametrize("splits", [3, [3], [[]], {"a": 1}, [{"name": []}]])
def test_hostile_splits(folder, splits):
    path = folder / "dataset_info.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"splits": splits})
    )
    with pytest.raises(readers.DataError, match="expected features as those"):
        readers.find_prepared(PATTERN)


def test_no_class(folder):
    (folder / "features.json").write_text(
        json.dumps(prepared_data.features_json({"a": 6}, 0))
    )
    with pytest.raises(readers.DataError, match="num_classes to be at least 1"):
        readers.find_prepared(PATTERN)
