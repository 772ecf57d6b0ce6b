"""Tests of converting Parquet files."""

import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import converted
from yt8m_compact import readers

_RNG = np.random.default_rng(8)
_FRAMES = {
    "cat": _RNG.uniform(-1.9, 1.9, [3, 4]).astype(np.float32),
    "dog": _RNG.uniform(-1.9, 1.9, [5, 4]).astype(np.float32),
}
_CONFIG = {"feature_names": ("clip",), "num_classes": 5}


def _write(folder, **columns):
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(table, folder / "a.parquet")


@pytest.mark.parametrize("fixed", [True, False])
def test_frames(tmp_path, fixed):
    inner = pyarrow.list_(pyarrow.float32(), 4 if fixed else -1)
    values = [frames.tolist() for frames in _FRAMES.values()]
    _write(
        tmp_path,
        video_id=list(_FRAMES),
        clip=pyarrow.array(values, pyarrow.list_(inner)),
        other=[1, 2],
    )
    converted.convert(
        tmp_path, "*.parquet", {"cat": (1,), "dog": (2,)}, **_CONFIG
    )
    found = converted.read_frames(tmp_path)
    assert {name: video.labels for name, video in found.items()} == {
        "cat": (1,),
        "dog": (2,),
    }
    for name, frames in _FRAMES.items():
        codes = found[name].features["clip"]
        np.testing.assert_array_equal(codes, converted.codes(frames))


def test_videos(tmp_path):
    values = _FRAMES["cat"]
    _write(tmp_path, id=[7, 5, 30], clip=values.tolist())
    converted.convert(tmp_path, "*.parquet", level="video", **_CONFIG)
    found = converted.read_videos(tmp_path)
    for row, name in enumerate(("7", "5", "30")):
        clip = found[name].features["clip"].astype(np.float32)
        np.testing.assert_array_equal(clip, values[row])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"clip": [[[1.0]]]}, "expected a column id or video_id or ids, and"),
        ({"id": ["a"], "x": [[[1.0]]]}, "expected a column .*and clip. Rec"),
        ({"id": ["a", ""], "clip": [[[1.0]]] * 2}, "row 1: expected a text or"),
        ({"id": ["a"] * 2, "clip": [[[1.0]]] * 2}, "row 1: expected every id"),
        (
            {"id": ["a"], "clip": [[[1.0], [2.0, 3.0]]]},
            "row 0: .*lengths .1, 2",
        ),
        ({"id": ["a"], "clip": [[[1.0, None]]]}, "row 0: expected a list of l"),
        ({"id": ["a"], "clip": [[[1.0], None]]}, "row 0: expected a list of l"),
        ({"id": ["a"], "clip": [1.0]}, "row 0: expected a list of lists"),
        ({"id": ["a"], "clip": [[["x"]]]}, "row 0: expected numbers as 'clip'"),
        ({"id": ["a"], "clip": [[[]]]}, "row 0: expected numbers as 'clip'"),
        (
            {"id": ["a", "b"], "clip": [[[1.0]], None]},
            "row 1: expected frames of the features clip",
        ),
        (
            {"id": ["a", "b"], "clip": [[[1.0]], [[float("inf")]]]},
            "row 1: expected finite values of 'clip'.*inf in frame 0",
        ),
    ],
)
def test_wrong_rows(tmp_path, columns, message):
    _write(tmp_path, **columns)
    with pytest.raises(ValueError, match=f"a.parquet: {message}"):
        converted.convert(tmp_path, "*.parquet", **_CONFIG)


def test_frames_without_values(tmp_path):
    kind = pyarrow.list_(pyarrow.list_(pyarrow.float32()))
    _write(tmp_path, id=["a"], clip=pyarrow.array([[[], []]], kind))
    with pytest.raises(readers.DataError, match="row 0: expected some values"):
        converted.convert(tmp_path, "*.parquet", **_CONFIG)


def test_a_row_without_frames(tmp_path):
    kind = pyarrow.list_(pyarrow.list_(pyarrow.float32()))
    _write(
        tmp_path,
        id=["a", "b"],
        clip=pyarrow.array([[[1.0, 2.0]], []], kind),
    )
    with pytest.raises(readers.DataError, match="row 1: expected .*of 'clip'"):
        converted.convert(tmp_path, "*.parquet", **_CONFIG)


def test_a_damaged_file(tmp_path):
    _write(tmp_path, id=["a"], clip=[[[1.0]]])
    path = tmp_path / "a.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(readers.DataError, match="expected a Parquet file, who"):
        converted.convert(tmp_path, "*.parquet", **_CONFIG)


def test_without_pyarrow(tmp_path, monkeypatch):
    _write(tmp_path, id=["a"], clip=[[[1.0]]])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match="expected the package pyarrow"):
        converted.convert(tmp_path, "*.parquet", **_CONFIG)


def _rows(**columns):
    """Makes a row of each frame."""
    ids = [name for name, frames in _FRAMES.items() for _ in frames]
    frames = [row.tolist() for frames in _FRAMES.values() for row in frames]
    return {"video_id": ids, "clip": frames} | columns


def _expect_frames(folder):
    found = converted.read_frames(folder)
    assert set(found) == set(_FRAMES)
    for name, frames in _FRAMES.items():
        codes = found[name].features["clip"]
        np.testing.assert_array_equal(codes, converted.codes(frames))
    return {name: video.labels for name, video in found.items()}


@pytest.mark.parametrize("half", [False, True])
def test_a_frame_a_row(tmp_path, half):
    columns = _rows(label=["Cat"] * 3 + ["dog"] * 5)
    if half:  # A video goes on in the next file.
        for name, part in (("a", slice(5)), ("b", slice(5, None))):
            table = pyarrow.table({k: v[part] for k, v in columns.items()})
            pyarrow.parquet.write_table(table, tmp_path / f"{name}.parquet")
    else:
        _write(tmp_path, **columns)
    converted.convert(
        tmp_path,
        "*.parquet",
        feature_names=("clip",),
        source_labels="label",
        class_names=("dog", "cat"),
    )
    assert _expect_frames(tmp_path) == {"cat": (1,), "dog": (0,)}


def test_frames_are_sorted(tmp_path):
    order = [2, 0, 1, 7, 6, 3, 5, 4]
    columns = _rows(time=[0.0, 0.5, 1.0, 0.0, 0.25, 0.5, 3.0, 9.0])
    shuffled = {
        name: [values[index] for index in order]
        for name, values in columns.items()
    }
    _write(tmp_path, **shuffled)
    converted.convert(tmp_path, "*.parquet", frame_order="time", **_CONFIG)
    _expect_frames(tmp_path)


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (
            _rows(video_id=[*"aabbaabb"]),
            {},
            "row 4: expected every id once. .*'a', .*row 0 has too; .*sort the",
        ),
        (
            _rows(time=[0, 1, 1, 0, 1, 2, 3, 4]),
            {"frame_order": "time"},
            "row 0: expected every frame of 'cat' once. Received: time=1 twice",
        ),
        (
            _rows(time=[0, None, 1, 0, 1, 2, 3, 4]),
            {"frame_order": "time"},
            "row 1: expected the number or the time of a frame as 'time'",
        ),
        (_rows(), {"frame_order": "time"}, "its number or time in a column 't"),
        (
            _rows(clip=[[1.0]] * 7 + [[1.0, 2.0]]),
            {},
            "row 7: expected 'clip' in every row of 'dog', 1 values. Rec",
        ),
        (
            _rows(clip=[[1.0]] * 7 + [None]),
            {},
            "row 3: expected 'clip' in every row of 'dog'. Received: 4 of 5",
        ),
        (
            _rows(label=[1, 1, 2, 0, 0, 0, 0, 0]),
            {"source_labels": "label"},
            "row 2: expected the same 'label' in every row of 'cat', as in .*r",
        ),
        (_rows(), {"source_labels": "y"}, "expected labels in a column 'y'"),
    ],
)
def test_rows_of_frames_that_do_not_fit(tmp_path, columns, settings, message):
    _write(tmp_path, **columns)
    with pytest.raises(ValueError, match=f"a.parquet: .*{message}"):
        converted.convert(tmp_path, "*.parquet", **settings, **_CONFIG)
    assert not list((tmp_path / "out").glob("*"))


def test_lists_of_names(tmp_path):
    _write(
        tmp_path,
        id=["a", "b", "c"],
        embedding=[[[1.0, 0.5]]] * 3,
        labels=[["dog", "cow; bull"], [], ["ant"]],
    )
    report = converted.convert(
        tmp_path,
        "*.parquet",
        source_labels="labels",
        find_classes=True,
        keep_unlabelled=True,
    )
    assert report.features.feature_names == ("embedding",)
    assert report.features.class_names == ("ant", "cow; bull", "dog")
    found = converted.read_frames(tmp_path)
    assert {name: video.labels for name, video in found.items()} == {
        "a": (1, 2),
        "b": (),
        "c": (0,),
    }
