"""Tests of manifests."""

import json

import pytest

from yt8m_compact import datasets
from yt8m_compact.datasets import manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a.tfrecord": 3, "x/b": 0}', {"a.tfrecord": 3, "b": 0}),
        ("a.tfrecord,3\nb,0\n", {"a.tfrecord": 3, "b": 0}),
        ("file,count\n\na.tfrecord,3\n", {"a.tfrecord": 3}),
        ('{"files": {"a": {"num_videos": 4, "num_bytes": null}}}', {"a": 4}),
    ],
)
def test_counts_are_read_from_json_and_csv(tmp_path, text, expected):
    path = tmp_path / "manifest"
    path.write_text(text)
    found = manifest.read_manifest(str(path))
    assert {name: entry.num_videos for name, entry in found.items()} == expected


def test_what_is_written_is_read(tmp_path):
    path = str(tmp_path / "manifest.json")
    first, second = manifest.Expected(3, 70), manifest.Expected(1, 9)
    manifest.write_manifest(path, {"folder/a": first, "b": second})
    assert manifest.read_manifest(path) == {"a": first, "b": second}
    assert [file.name for file in tmp_path.iterdir()] == ["manifest.json"]


def test_what_synthesize_writes_is_read(tmp_path):
    datasets.write_synthetic(
        tmp_path,
        datasets.SyntheticConfig(
            num_train_videos=3,
            num_validate_videos=1,
            num_train_shards=2,
            num_validate_shards=1,
        ),
    )
    files = [str(tmp_path / "a"), str(tmp_path / "b")]
    (path,) = manifest.find_manifests(files)
    found = manifest.read_manifest(path)
    assert {name: entry.num_videos for name, entry in found.items()} == {
        "train-00000-of-00002.tfrecord": 1,
        "train-00001-of-00002.tfrecord": 2,
        "validate-00000-of-00001.tfrecord": 1,
    }
    for name, entry in found.items():
        assert entry.num_bytes == (tmp_path / name).stat().st_size


def test_what_tensorflow_datasets_writes_is_read(tmp_path):
    info = {
        "name": "youtube8m",
        "fileFormat": "tfrecord",
        "splits": [
            {"name": "train", "shardLengths": ["12", "13"]},
            {
                "name": "test",
                "shardLengths": ["4"],
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-"
                "{SHARD_X_OF_Y}",
            },
        ],
    }
    path = tmp_path / "dataset_info.json"
    path.write_text(json.dumps(info))
    found = manifest.read_manifest(str(path))
    assert {name: entry.num_videos for name, entry in found.items()} == {
        "youtube8m-train.tfrecord-00000-of-00002": 12,
        "youtube8m-train.tfrecord-00001-of-00002": 13,
        "youtube8m-test.tfrecord-00000-of-00001": 4,
    }


@pytest.mark.parametrize(
    "text",
    [
        "a.tfrecord\n",
        "a,b,c",
        "a,b",
        '{"a": -1}',
        '{"a": "3"}',
        '{"a": true}',
        "{broken",
        '{"files": [1]}',
        "",
        "{}",
        b"\xff\xfe",
    ],
)
def test_what_is_no_manifest(tmp_path, text):
    path = tmp_path / "manifest"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"{path}: expected "):
        manifest.read_manifest(str(path))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a.tfrecord;6\nb.tfrecord;7\n", "line 1, 'a.tfrecord;6', which is"),
        (
            "file,count\na.tfrecord,6\nb.tfrecord\t7",
            r"line 3, 'b.tfrecord\\t7'",
        ),
        ("a.tfrecord,6\nb.tfrecord,1e3\n", "line 2, 'b.tfrecord,1e3', which"),
    ],
)
def test_a_line_of_another_form_is_shown(tmp_path, text, line):
    path = tmp_path / "manifest.csv"
    path.write_text(text)
    with pytest.raises(
        ValueError,
        match=rf"{path}: expected JSON .*,1012. Received: {line}",
    ):
        manifest.read_manifest(str(path))


def test_a_missing_manifest():
    with pytest.raises(ValueError, match="^missing: expected a manifest.*no"):
        manifest.read_manifest("missing")


def test_official_splits_add_up():
    # reference: 8,264,650 videos in 2016.
    counts = datasets.OFFICIAL_COUNTS
    total = sum(n for key, n in counts.items() if key.startswith("2016"))
    assert total == 8_264_650
