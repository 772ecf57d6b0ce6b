"""Tests of converting NumPy's files."""

import os

import numpy as np
import pytest
import tensorflow as tf

import converted
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.datasets.sources import source_video

_SIZES = {"clip": 7, "sound": 3}
_LABELS = {"cat": (3,), "dog": (0, 4)}


def _values(index: int, size: int, num_frames: int = 4) -> np.ndarray:
    rng = np.random.default_rng([index, size])
    return rng.uniform(-1.9, 1.9, [num_frames, size]).astype(np.float32)


def _write_folders(folder, *names, num_frames=4):
    for index, name in enumerate(names):
        for feature, size in _SIZES.items():
            (folder / feature).mkdir(exist_ok=True)
            values = _values(index, size, num_frames)
            np.save(folder / feature / f"{name}.npy", values)


def _convert(folder, pattern, labels=_LABELS, **kwargs):
    given = {"feature_names": ("clip", "sound"), "num_classes": 5}
    return converted.convert(folder, pattern, labels, **(given | kwargs))


def _expect_cat_and_dog(folder):
    found = converted.read_frames(folder)
    assert {name: video.labels for name, video in found.items()} == _LABELS
    for index, name in enumerate(_LABELS):
        for feature, size in _SIZES.items():
            np.testing.assert_array_equal(
                found[name].features[feature],
                converted.codes(_values(index, size)),
            )


def test_folders_of_npy(tmp_path):
    _write_folders(tmp_path, "cat", "dog")
    assert _convert(tmp_path, "*/*.npy").num_written == 2
    _expect_cat_and_dog(tmp_path)
    features = datasets.read_features(
        str(tmp_path / "out" / datasets.FEATURES_NAME)
    )
    assert features == datasets.RecordFeatures(
        feature_names=("clip", "sound"),
        feature_sizes=(7, 3),
        num_classes=5,
        min_quantized_value=(-2.0, -2.0),
        max_quantized_value=(2.0, 2.0),
        max_frames=4,
    )


@pytest.mark.parametrize("with_id", [True, False])
def test_npz(tmp_path, with_id):
    for index, name in enumerate(_LABELS):
        arrays = {key: _values(index, size) for key, size in _SIZES.items()}
        if with_id:
            np.savez(tmp_path / f"{index}.npz", id=name, **arrays)
        else:
            np.savez_compressed(tmp_path / f"{name}.npz", **arrays)
    _convert(tmp_path, "*.npz")
    _expect_cat_and_dog(tmp_path)


def test_one_feature_in_any_folder(tmp_path):
    np.save(tmp_path / "cat.npy", _values(0, 7).astype(np.float64))
    _convert(tmp_path, "*.npy", feature_names=("clip",))
    found = converted.read_frames(tmp_path)["cat"].features["clip"]
    np.testing.assert_array_equal(found, converted.codes(_values(0, 7)))


def test_codes_stay_as_they_are(tmp_path):
    codes = np.array([[0, 255, 7], [3, 4, 200]], np.uint8)
    np.save(tmp_path / "cat.npy", codes)
    _convert(tmp_path, "*.npy", feature_names=("clip",), packed=True)
    (path,) = (tmp_path / "out").glob("*.tfrecord")
    (data,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    features = tf.train.Example.FromString(data).features.feature
    assert features["clip"].bytes_list.value == [codes.tobytes()]
    with pytest.raises(readers.DataError, match="cat.npy: expected floats of"):
        _convert(tmp_path, "*.npy", feature_names=("clip",), float_frames=True)
    with pytest.raises(readers.DataError, match="expected floats of 'clip' wh"):
        _convert(tmp_path, "*.npy", feature_names=("clip",), find_range=True)


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_stacks_of_videos(tmp_path, kind):
    arrays = {name: _values(1, size, 2) for name, size in _SIZES.items()}
    if kind == "npz":
        np.savez(tmp_path / "a.npz", ids=["cat", "dog"], **arrays)
    else:
        for name, array in arrays.items():
            (tmp_path / name).mkdir()
            np.save(tmp_path / name / "a.npy", array)
        (tmp_path / "clip" / "a.txt").write_text("cat\ndog\n")
    report = _convert(tmp_path, f"**/*.{kind}", level="video")
    assert report.features.min_quantized_value == ()
    found = converted.read_videos(tmp_path)
    assert {name: video.labels for name, video in found.items()} == _LABELS
    for row, name in enumerate(_LABELS):
        for feature, array in arrays.items():
            np.testing.assert_array_equal(
                found[name].features[feature], array[row]
            )


def test_a_vector_a_file(tmp_path):
    np.save(tmp_path / "cat.npy", _values(0, 7)[2])
    _convert(tmp_path, "*.npy", level="video", feature_names=("clip",))
    found = converted.read_videos(tmp_path)["cat"].features["clip"]
    np.testing.assert_array_equal(found, _values(0, 7)[2])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros([4, 6]), "dog.npy: expected 7 values of 'clip' in every"),
        (np.zeros([4]), r"dog.npy: expected 7 .*Received: shape=\[4\]"),
        (np.zeros([0, 7]), "dog.npy: expected a frame of 'clip' or more"),
        (np.full([4, 7], "x"), "dog.npy: expected numbers as 'clip'"),
        (
            np.where(np.arange(28).reshape(4, 7) == 16, np.nan, 0),
            "dog.npy: expected finite .*nan in frame 2, value 2",
        ),
        (np.full([1, 7], 1e300), "expected finite .*: 1e.300 in frame 0"),
        (np.array([{}, []], object), "expected an .npy file, whole, of numb"),
        (b"\x93NUMPY", "expected an .npy file, whole"),
        (b"", "expected an .npy file, whole"),
        (b"junk of some length", "expected an .npy file, whole"),
    ],
)
def test_wrong_arrays(tmp_path, wrong, message):
    np.save(tmp_path / "cat.npy", _values(0, 7))
    path = tmp_path / "dog.npy"
    if isinstance(wrong, bytes):
        path.write_bytes(wrong)
    else:
        np.save(path, wrong, allow_pickle=True)
    with pytest.raises(readers.DataError, match=message):
        _convert(tmp_path, "*.npy", feature_names=("clip",))
    assert not list((tmp_path / "out").glob("*"))


def test_an_npz_called_npy(tmp_path):
    np.savez(tmp_path / "cat.npz", clip=_values(0, 7))
    (tmp_path / "cat.npz").rename(tmp_path / "cat.npy")
    with pytest.raises(readers.DataError, match="Received: an archive of arr"):
        _convert(tmp_path, "*.npy", feature_names=("clip",))


def test_a_name_that_is_not_utf8(tmp_path):
    np.save(tmp_path / "cat.npy", _values(0, 7))
    name = os.fsdecode(b"c\xe4t.npy")
    (tmp_path / "cat.npy").rename(tmp_path / name)
    _convert(tmp_path, "*.npy", labels=None, feature_names=("clip",))
    (path,) = (tmp_path / "out").glob("*.tfrecord")
    (data,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    context = tf.train.SequenceExample.FromString(data).context.feature
    assert context["id"].bytes_list.value == [b"c\xe4t"]


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_files_cut_off(tmp_path, suffix):
    path = tmp_path / f"cat.{suffix}"
    if suffix == "npy":
        np.save(path, _values(0, 7))
    else:
        np.savez(path, clip=_values(0, 7))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(readers.DataError, match=f"cat.{suffix}: expected an"):
        _convert(tmp_path, f"*.{suffix}", feature_names=("clip",))


def test_a_flipped_bit_of_an_npz(tmp_path):
    path = tmp_path / "cat.npz"
    np.savez(path, clip=_values(0, 7))
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(readers.DataError, match="cat.npz: expected an .npz"):
        _convert(tmp_path, "*.npz", feature_names=("clip",))


def test_stacks_that_do_not_fit(tmp_path):
    one = {"feature_names": ("clip",), "level": "video"}
    path = tmp_path / "a.npy"
    np.save(path, _values(0, 7, 3))
    with pytest.raises(readers.DataError, match="the ids .*to a.txt beside it"):
        _convert(tmp_path, "*.npy", **one)
    (tmp_path / "a.txt").write_text("cat\ndog\n")
    with pytest.raises(readers.DataError, match="expected 2 rows of 'clip'"):
        _convert(tmp_path, "*.npy", **one)
    (tmp_path / "a.txt").write_text("cat\n\ndog\n")
    with pytest.raises(readers.DataError, match="a.txt: line 2: expected an"):
        _convert(tmp_path, "*.npy", **one)
    (tmp_path / "a.txt").write_text("cat\ndog\ncat\n")
    with pytest.raises(
        ValueError, match="row 2: expected every id once.*row 0"
    ):
        _convert(tmp_path, "*.npy", **one)
    np.savez(tmp_path / "a.npz", clip=_values(0, 7, 3), ids=["a", "", "b"])
    with pytest.raises(readers.DataError, match="row 1: expected a text or a"):
        _convert(tmp_path, "*.npz", **one)
    np.savez(tmp_path / "a.npz", clip=_values(0, 7, 3), ids=["a", "b"])
    with pytest.raises(readers.DataError, match="expected one id of one vid"):
        _convert(tmp_path, "*.npz", feature_names=("clip",))


def test_folders_that_do_not_fit(tmp_path):
    _write_folders(tmp_path, "cat")
    with pytest.raises(readers.DataError, match="cat.npy: expected a file in "):
        _convert(tmp_path, "*/*.npy", source_features=("clip", "audio"))
    (tmp_path / "sound" / "cat.npy").unlink()
    with pytest.raises(readers.DataError, match="cat.npy: expected frames of"):
        _convert(tmp_path, "*/*.npy")
    with pytest.raises(readers.DataError, match="the size of 'sound' to be kn"):
        _convert(tmp_path, "*/*.npy", fill_missing=True)
    sizes = {"feature_sizes": (7, 3)}
    _convert(tmp_path, "*/*.npy", fill_missing=True, **sizes)
    found = converted.read_frames(tmp_path)["cat"].features["sound"]
    assert found.tolist() == [[127] * 3] * 4  # the code nearest to zero
    (tmp_path / "x" / "clip").mkdir(parents=True)
    np.save(tmp_path / "x" / "clip" / "cat.npy", _values(0, 7))
    with pytest.raises(readers.DataError, match="every id once. Rec.*'cat', w"):
        _convert(tmp_path, "**/clip/*.npy")


def test_ids_of_two_stacks(tmp_path):
    for name, size in _SIZES.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", _values(0, size, 2))
    (tmp_path / "clip" / "a.txt").write_text("cat\ndog\n")
    (tmp_path / "sound" / "a.txt").write_text("dog\ncat\n")
    with pytest.raises(readers.DataError, match="a.txt: expected the ids of "):
        _convert(tmp_path, "*/*.npy", level="video")


_STACK = np.stack([_values(0, 7, 5), _values(1, 7, 5)])
_CLIP = {"feature_names": ("clip",)}


def _expect_stack(folder, *lengths):
    found = converted.read_frames(folder)
    assert {name: video.labels for name, video in found.items()} == _LABELS
    for row, (name, length) in enumerate(zip(_LABELS, lengths, strict=True)):
        np.testing.assert_array_equal(
            found[name].features["clip"],
            converted.codes(_STACK[row, :length]),
        )


@pytest.mark.parametrize("kind", ["npz", "npy"])
@pytest.mark.parametrize("form", ["whole", "filled_up", "in_a_row"])
def test_stacks_of_frames(tmp_path, kind, form):
    lengths = (5, 5) if form == "whole" else (2, 5)
    stack = _STACK
    if form == "in_a_row":
        stack = np.concatenate([_STACK[0, :2], _STACK[1]])
    if kind == "npz":
        arrays = {} if form == "whole" else {"lengths": lengths}
        np.savez(tmp_path / "a.npz", ids=[*_LABELS], clip=stack, **arrays)
    else:
        np.save(tmp_path / "a.npy", stack)
        (tmp_path / "a.txt").write_text("cat\ndog\n")
        if form != "whole":
            (tmp_path / "a.lengths.txt").write_text("2\n5\n")
    report = _convert(tmp_path, f"*.{kind}", **_CLIP)
    assert report.features.max_frames == 5
    _expect_stack(tmp_path, *lengths)


def test_stacks_of_features_of_different_lengths(tmp_path):
    sound = _values(2, 3, 8)
    np.savez(
        tmp_path / "a.npz",
        ids=[*_LABELS],
        clip=_STACK,
        lengths=[4, 5],
        sound=sound,
        lengths_sound=[3, 5],
    )
    report = _convert(tmp_path, "*.npz")
    assert report.shortened == ["cat"]
    _expect_stack(tmp_path, 3, 5)
    found = converted.read_frames(tmp_path)["dog"].features["sound"]
    np.testing.assert_array_equal(found, converted.codes(sound[3:]))


@pytest.mark.parametrize(("padding", "value"), [("zeros", 0), ("nan", np.nan)])
def test_frames_that_fill_up_a_stack(tmp_path, padding, value):
    stack = _STACK.copy()
    stack[0, 2:] = value
    stack[1, 3] = 0  # a dark frame, not at the end
    np.savez(tmp_path / "a.npz", ids=[*_LABELS], clip=stack)
    _convert(tmp_path, "*.npz", padding=padding, **_CLIP)
    found = converted.read_frames(tmp_path)
    for row, (name, length) in enumerate((("cat", 2), ("dog", 5))):
        np.testing.assert_array_equal(
            found[name].features["clip"],
            converted.codes(stack[row, :length]),
        )
    stack[1] = value
    np.savez(tmp_path / "a.npz", ids=[*_LABELS], clip=stack)
    with pytest.raises(
        readers.DataError, match="row 1: expected a frame of 'c"
    ):
        _convert(tmp_path, "*.npz", padding=padding, **_CLIP)


def test_a_batch_of_one_video(tmp_path):
    np.save(tmp_path / "cat.npy", _STACK[:1])
    _convert(tmp_path, "*.npy", labels=None, **_CLIP)
    found = converted.read_frames(tmp_path)["cat"].features["clip"]
    np.testing.assert_array_equal(found, converted.codes(_STACK[0]))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ("5\n6\n", "row 1: expected 'lengths_clip' to be at most the 5 frames"),
        ("5\n0\n", "row 1: expected 'lengths_clip' to be a frame or more"),
        ("5\n", "expected a whole number of frames for each of the 2 ids"),
        ("5\nx\n", "a.lengths.txt: line 2: expected a number of frames"),
    ],
)
def test_lengths_that_do_not_fit(tmp_path, lengths, message):
    np.save(tmp_path / "a.npy", _STACK)
    (tmp_path / "a.txt").write_text("cat\ndog\n")
    (tmp_path / "a.lengths.txt").write_text(lengths)
    with pytest.raises(readers.DataError, match=message):
        _convert(tmp_path, "*.npy", **_CLIP)


def test_frames_in_a_row_that_do_not_fit(tmp_path):
    frames = _STACK.reshape(10, 7)
    np.savez(tmp_path / "a.npz", ids=["a", "b"], clip=frames, lengths=[4, 5])
    with pytest.raises(
        readers.DataError, match="frames of 'clip' as all of 'lengths' tog.* 9"
    ):
        _convert(tmp_path, "*.npz", labels=None, **_CLIP)
    np.savez(tmp_path / "a.npz", ids=["a"], clip=_STACK)
    with pytest.raises(readers.DataError, match="expected 1 rows of 'clip'"):
        _convert(tmp_path, "*.npz", labels=None, **_CLIP)


def test_a_stack_larger_than_what_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(source_video, "_BLOCK_BYTES", 3 * 7 * 4)
    values = _values(0, 7, 8)
    np.savez(tmp_path / "a.npz", ids=[*"abcdefgh"], clip=values)
    _convert(tmp_path, "*.npz", labels=None, level="video", **_CLIP)
    found = converted.read_videos(tmp_path)
    for row, name in enumerate("abcdefgh"):
        np.testing.assert_array_equal(found[name].features["clip"], values[row])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int8"])
def test_other_types_of_numbers(tmp_path, dtype):
    values = np.array([[-2, 1, 0.5], [-0.25, 0, 1.5]], np.float64)
    if dtype == "int8":
        values = values.astype(np.int8)
    dtype = tf.bfloat16.as_numpy_dtype if dtype == "bfloat16" else dtype
    np.save(tmp_path / "cat.npy", values.astype(dtype))
    _convert(tmp_path, "*.npy", labels=None, **_CLIP)
    found = converted.read_frames(tmp_path)["cat"].features["clip"]
    np.testing.assert_array_equal(found, converted.codes(values))


def test_labels_beside_the_features(tmp_path):
    np.savez(
        tmp_path / "a.npz",
        ids=[*"abc"],
        clip=_values(0, 7, 3),
        labels=np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]]),
        attention=np.array([{}], object),  # not looked at
    )
    how = {"level": "video", "source_labels": "labels", "num_classes": None}
    report = _convert(tmp_path, "*.npz", labels=None, **how, **_CLIP)
    assert report.without_labels == ["b"]
    assert report.features.num_classes == 3
    found = converted.read_videos(tmp_path)
    assert {n: v.labels for n, v in found.items()} == {"a": (1, 2), "c": (0,)}
    with pytest.raises(readers.DataError, match="expected labels of the vid"):
        _convert(
            tmp_path, "*.npz", None, **how | {"source_labels": "y"}, **_CLIP
        )
    with pytest.raises(ValueError, match="expected labels, or source_labels"):
        _convert(tmp_path, "*.npz", {"a": (1,)}, **how, **_CLIP)
    np.savez(tmp_path / "a.npz", clip=_values(0, 7, 3))
    with pytest.raises(ValueError, match="that 'labels' holds labels of the v"):
        _convert(tmp_path, "*.npz", None, **how | {"level": "frame"}, **_CLIP)


def test_folders_of_features_and_of_labels(tmp_path):
    _write_folders(tmp_path, "v0", "v1")
    (tmp_path / "names").mkdir()
    np.save(tmp_path / "names" / "v0.npy", np.array(["dog", "cat"]))
    np.save(tmp_path / "names" / "v1.npy", np.array("Cat"))
    report = converted.convert(
        tmp_path, "*/v*.npy", source_labels="names", find_classes=True
    )
    # Features are called as their folders, and classes as the labels say.
    assert report.features.feature_names == ("clip", "sound")
    assert report.features.class_names == ("cat", "dog")
    found = converted.read_frames(tmp_path)
    assert {n: v.labels for n, v in found.items()} == {
        "v0": (0, 1),
        "v1": (0,),
    }


def test_names_of_features_that_are_not_said(tmp_path):
    np.savez(tmp_path / "a.npz", id="x", embeddings=_values(0, 7))
    report = converted.convert(tmp_path, "*.npz")
    assert report.features.feature_names == ("embeddings",)
    np.savez(tmp_path / "a.npz", id="x", b=_values(0, 7), times=np.arange(4))
    with pytest.raises(
        ValueError, match="which of .*a.npz are features. .*there are b, times"
    ):
        converted.convert(tmp_path, "*.npz")
    np.savez(tmp_path / "a.npz", rgb=np.ones([1, 2]), audio=np.ones([1, 3]))
    report = converted.convert(tmp_path, "*.npz")
    assert report.features.feature_names == ("rgb", "audio")
    text = report.to_text(datasets.ConvertConfig())
    assert "every video has one frame; level 'video' is for vectors" in text
    with pytest.raises(
        ValueError, match="no frame_order of files that are no "
    ):
        converted.convert(tmp_path, "*.npz", frame_order="t")
