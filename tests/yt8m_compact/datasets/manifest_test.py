"""Tests of manifests."""

import json
import os

import pytest

from yt8m_compact import datasets
from yt8m_compact.datasets import manifest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a.tfrecord": 3, "x/b": 0}', {"a.tfrecord": 3, "x/b": 0}),
        ('{"./x//a": 3, "../a": 0}', {"x/a": 3, "../a": 0}),
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
    manifest.write_manifest(path, {"folder/a": first, "a": second})
    assert manifest.read_manifest(path) == {"folder/a": first, "a": second}
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
        '{"a": 1, "./a": 2}',
        '{"a": 1, "a": 1}',
        "a,1\na,1",
        '{"a": %s}' % ("9" * 5000),
        "a,%s" % ("9" * 5000),
        '{"a": NaN}',
        "[" * 100_000,
        '{"files":' * 100_000,
        "a,1\n" + "b" * 200_000 + ",1",
        "a\0b,1",
        '{"name": "x", "fileFormat": "tfrecord", "splits": [[]]}',
    ],
)
def test_what_is_no_manifest(tmp_path, text):
    path = tmp_path / "manifest"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"^{path}: .*expected ") as caught:
        manifest.read_manifest(str(path))
    assert len(str(caught.value)) < 500


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


def test_a_file_is_called_by_its_path_from_the_manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file, path, name in (
        ("a", "counts.json", "a"),
        ("d/train/a", "counts.json", "d/train/a"),
        ("d/train/a", "d/counts.json", "train/a"),
        (f"{tmp_path}/d/a", "d/e/counts.json", "../a"),
        ("gs://b/d/a", "gs://b/counts.json", "d/a"),
        ("gs://b/d/a", "counts.json", "gs://b/d/a"),
    ):
        assert manifest.name_in_manifest(file, path) == name
        entry = manifest.Expected(7)
        matched, missing = manifest.match_files(path, {name: entry}, [file])
        assert (matched, missing) == ({file: entry}, {})


_ONE, _TWO = manifest.Expected(1), manifest.Expected(2)


@pytest.mark.parametrize(
    ("entries", "files", "expected"),
    [
        # Plain names, as older manifests have them.
        ({"a": _ONE, "b": _TWO}, ["d/a", "e/b"], {"d/a": _ONE, "e/b": _TWO}),
        (
            {"../x/train/a": _ONE, "../x/test/a": _TWO},
            ["y/x/train/a", "y/x/test/a"],
            {"y/x/train/a": _ONE, "y/x/test/a": _TWO},
        ),
        # The longer of two names fits better; what leads there fits best.
        (
            {"a": _TWO, "train/a": _ONE},
            ["y/train/a", "y/test/a"],
            {"y/train/a": _ONE, "y/test/a": _TWO},
        ),
        ({"a": _ONE, "y/a": _TWO}, ["y/a"], {"y/a": _TWO}),
        # Only whole names are compared, and all of them.
        ({"a": _ONE}, ["y/ba"], {}),
        ({"x/a": _ONE}, ["y/a"], {}),
    ],
)
def test_a_manifest_that_was_moved(entries, files, expected):
    matched, missing = manifest.match_files(
        "elsewhere/counts.json", entries, files, moved=True
    )
    assert matched == expected
    assert len(matched) + len(missing) == len(entries)


def test_a_manifest_of_a_folder_speaks_of_that_folder():
    matched, missing = manifest.match_files(
        "d/counts.json", {"a": _ONE}, ["d/a", "e/a"]
    )
    assert (matched, missing) == ({"d/a": _ONE}, {})
    matched, missing = manifest.match_files(
        "f/counts.json", {"a": _ONE}, ["d/a", "e/a"]
    )
    assert matched == {}
    assert missing == {"a": os.path.abspath("f/a")}


def test_a_name_of_two_files_is_refused():
    with pytest.raises(
        ValueError,
        match="^counts.json: expected names that tell files apart: .*, as "
        "write_manifest.*Received: 'a', which may be d/train/a or d/test/a$",
    ):
        manifest.match_files(
            "counts.json", {"a": _ONE}, ["d/train/a", "d/test/a"], moved=True
        )
