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
