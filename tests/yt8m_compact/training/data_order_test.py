"""Tests of what the order of the data is compared by."""

import json
import pathlib

import pytest

import tiny_runs
from yt8m_compact.training import data_order


def write(folder: pathlib.Path, *names: str) -> list[str]:
    """Writes files of 1, 2, 3, ... bytes."""
    files = []
    for size, name in enumerate(names, start=1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        files.append(str(path))
    return files


def describe(files, **kwargs) -> str:
    config = tiny_runs.video_config("unused", **kwargs)
    return data_order.describe_order(config.training, files)


def test_names_from_the_shared_folder_and_sizes(tmp_path):
    files = write(tmp_path, "a/x.tfrecord", "b/x.tfrecord")
    assert json.loads(describe(files)) == {
        "seed": 0,
        "shuffle_buffer": 16,
        "num_readers": 2,
        "files": [["a/x.tfrecord", 1], ["b/x.tfrecord", 2]],
    }
    (only,) = json.loads(describe(files[:1]))["files"]
    assert only == ["x.tfrecord", 1]


def test_where_the_files_lie_does_not_count(tmp_path, monkeypatch):
    names = "a/x.tfrecord", "b/x.tfrecord"
    here = describe(write(tmp_path / "here", *names))
    assert describe(write(tmp_path / "far" / "away", *names)) == here
    monkeypatch.chdir(tmp_path / "here" / "a")
    assert describe(["x.tfrecord", "../b/x.tfrecord"]) == here


def test_a_mirror_in_a_bucket(tmp_path, monkeypatch):
    names = "a/x.tfrecord", "b/x.tfrecord"
    here = describe(write(tmp_path, *names))
    # No bucket can be reached from a test.
    monkeypatch.setattr(data_order.readers, "file_sizes", lambda files: [1, 2])
    assert describe([f"gs://bucket/{name}" for name in names]) == here


def changes(tmp_path, change, **kwargs) -> list[str]:
    files = write(tmp_path, *(f"{n}.tfrecord" for n in "abcdef"))
    before = describe(files)
    return data_order.order_changes(before, describe(change(files), **kwargs))


def grow(files):
    with open(files[1], "ab") as file:
        file.write(b"xxx")
    return files


@pytest.mark.parametrize(
    ("change", "kwargs", "expected"),
    [
        (list, {}, []),
        (list, {"batch_size": 3, "num_epochs": 9}, []),
        (
            list,
            {"seed": 4, "shuffle_buffer": 0, "num_readers": 1},
            ["seed: 0 -> 4", "shuffle_buffer: 16 -> 0", "num_readers: 2 -> 1"],
        ),
        (grow, {}, ["b.tfrecord had 2 bytes, now 5"]),
        (lambda files: files[1:], {}, ["a.tfrecord is gone"]),
        (
            lambda files: files[4:],
            {},
            [
                "a.tfrecord is gone",
                "b.tfrecord is gone",
                "c.tfrecord is gone",
                "and 1 more",
            ],
        ),
        (
            lambda files: files[::-1],
            {},
            ["the files are listed in another order"],
        ),
    ],
)
def test_changes(tmp_path, change, kwargs, expected):
    assert changes(tmp_path, change, **kwargs) == expected


def test_equal_names_of_two_folders_that_change_places(tmp_path):
    files = write(tmp_path, "a/x", "b/x")
    for file in files:
        pathlib.Path(file).write_bytes(b"xx")
    found = data_order.order_changes(describe(files), describe(files[::-1]))
    assert found == ["the files are listed in another order"]


@pytest.mark.parametrize("before", ["0f" * 32, "{}", "[]", "3", '{"files": 1}'])
def test_what_another_version_wrote(tmp_path, before):
    (found,) = data_order.order_changes(before, describe(write(tmp_path, "a")))
    assert found.startswith("the checkpoint is of a version that described it")
