"""Tests of converting HDF5 files."""

import h5py
import numpy as np
import pytest

import converted
from yt8m_compact import readers

_RNG = np.random.default_rng(9)
_FRAMES = {
    "cat": _RNG.uniform(-1.9, 1.9, [3, 4]).astype(np.float32),
    "dog": _RNG.uniform(-1.9, 1.9, [5, 4]).astype(np.float32),
}
_CONFIG = {"feature_names": ("clip",), "num_classes": 5}


def _write(folder, name="a.h5", **arrays):
    with h5py.File(folder / name, "w") as file:
        for key, array in arrays.items():
            file[key.replace("__", "/")] = array


@pytest.mark.parametrize("grouped", [True, False])
def test_frames(tmp_path, grouped):
    if grouped:
        _write(tmp_path, cat__clip=_FRAMES["cat"], dog__clip=_FRAMES["dog"])
    else:
        for name, frames in _FRAMES.items():
            _write(tmp_path, f"{name}.hdf5", clip=frames, other=[1, 2])
    converted.convert(tmp_path, "*.h*5", {"cat": (1,), "dog": (2,)}, **_CONFIG)
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
    _write(tmp_path, ids=["x", "y", "z"], clip=values)
    converted.convert(tmp_path, "*.h5", level="video", **_CONFIG)
    found = converted.read_videos(tmp_path)
    for row, name in enumerate("xyz"):
        clip = found[name].features["clip"].astype(np.float32)
        np.testing.assert_array_equal(clip, values[row])


def test_wrong_files(tmp_path):
    _write(tmp_path, clip=np.zeros([2, 3]))
    with pytest.raises(
        readers.DataError, match="a.h5: expected the ids of .*'"
    ):
        converted.convert(tmp_path, "*.h5", level="video", **_CONFIG)
    _write(tmp_path, other=np.zeros([2, 3]))
    with pytest.raises(readers.DataError, match="a.h5: other: expected datase"):
        converted.convert(tmp_path, "*.h5", **_CONFIG)
    _write(tmp_path, cat__clip=np.zeros([2, 3]), dog__clip=np.zeros([2, 4]))
    with pytest.raises(
        readers.DataError, match="h5: dog: expected 3 values of"
    ):
        converted.convert(tmp_path, "*.h5", **_CONFIG)
    _write(tmp_path, cat__clip=np.full([2, 3], np.nan))
    with pytest.raises(readers.DataError, match="a.h5: cat: expected finite"):
        converted.convert(tmp_path, "*.h5", **_CONFIG)


@pytest.mark.parametrize("damage", [b"junk", b"", None])
def test_damaged_files(tmp_path, damage):
    _write(tmp_path, clip=np.zeros([200, 3]))
    path = tmp_path / "a.h5"
    data = path.read_bytes()
    path.write_bytes(data[:-999] if damage is None else damage)
    with pytest.raises(readers.DataError, match="a.h5: expected an HDF5 file"):
        converted.convert(tmp_path, "*.h5", **_CONFIG)


def test_stacks_of_frames_and_labels(tmp_path):
    stack = np.zeros([2, 5, 4], np.float32)
    for row, frames in enumerate(_FRAMES.values()):
        stack[row, : len(frames)] = frames
    _write(
        tmp_path,
        youtube_id=[*_FRAMES],
        clip=stack,
        num=[7, 8],
        lengths=[3, 5],
        labels=np.array([[0, 1, 0], [1, 0, 1]], np.uint8),
    )
    report = converted.convert(
        tmp_path,
        "*.h5",
        feature_names=("clip",),
        source_id="youtube_id",
        source_labels="labels",
    )
    assert report.features.num_classes == 3
    found = converted.read_frames(tmp_path)
    for (name, frames), labels in zip(
        _FRAMES.items(), ((1,), (0, 2)), strict=True
    ):
        assert found[name].labels == labels
        codes = found[name].features["clip"]
        np.testing.assert_array_equal(codes, converted.codes(frames))


def test_labels_of_groups(tmp_path):
    _write(
        tmp_path,
        cat__clip=_FRAMES["cat"],
        cat__labels=[1, 4],
        dog__clip=_FRAMES["dog"],
    )
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["dog"].attrs["labels"] = 2
    report = converted.convert(tmp_path, "*.h5", source_labels="labels")
    assert report.features.feature_names == ("clip",)
    found = converted.read_frames(tmp_path)
    assert {name: video.labels for name, video in found.items()} == {
        "cat": (1, 4),
        "dog": (2,),
    }
